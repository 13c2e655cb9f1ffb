"""Checks of `adjust` and `decide`: maps fitted on out-of-fold logits, applied to rows that nobody has seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from equipoise.core.seeds import stream
from equipoise.testing.exam import Exam
from equipoise.testing.guard import same
from equipoise.testing.worlds import World

Map = Callable[[np.ndarray], np.ndarray]


def check_map(exam: Exam, hook: str, worlds: list[World]) -> None:
    """Fit the hook's map in every world, and on extreme logits, and try it on other rows."""
    for world in (*worlds, *_extremes(worlds)):
        exam.attempt(hook, world.name, partial(_fitted, exam, hook, world))


def _fitted(exam: Exam, hook: str, world: World) -> None:
    fitted = exam.hook(hook, world)
    if valid_map(exam, hook, world, fitted):
        _row_by_row(exam, hook, world, fitted)
        if world.name == "usual" and hook not in exam.random:
            _permuted(exam, hook, world, fitted)


def _extremes(worlds: list[World]) -> list[World]:
    """Logits of ±80, all alike, and rows of one fold only (what cross-fitting leaves of two)."""
    base = worlds[0]
    sure = np.where(base.Y > 0, 80.0, -80.0).astype(np.float32)
    return [
        replace(base, name="logits of ±80", logits=sure),
        replace(base, name="equal logits", logits=np.zeros_like(base.logits)),
        replace(base, name="one fold", folds=np.zeros_like(base.folds)),
    ]


def valid_map(exam: Exam, hook: str, world: World, fitted: Any) -> bool:
    """Whether the map gives an answer of the right shape and kind for every row; notes what is wrong."""
    note = exam.findings

    def demand(right: object, check: str, problem: str) -> bool:
        return note.demand(right, check, hook, world.name, problem)

    if not demand(callable(fitted), "shapes", f"returned {type(fitted).__name__}, not a function of logits"):
        return False
    z = _test_logits(world)
    before = z.copy()
    out = exam.run(hook, world.name, lambda: fitted(z))
    demand(same(z, before), "in_place", "the map changed the logits it was given")
    got = np.asarray(out)
    wanted = "bool" if hook == "decide" else "float"
    right = got.dtype == bool if hook == "decide" else got.dtype.kind == "f"
    if not demand(
        isinstance(out, np.ndarray) and got.shape == z.shape and right,
        "shapes",
        f"the map returned {got.dtype} {got.shape} for logits {z.shape}; needed: {wanted} of the same shape",
    ):
        return False
    return demand(np.isfinite(got).all(), "finite", "the map returned NaN or infinity")


def _test_logits(world: World) -> np.ndarray:
    z = 3.0 * stream("test logits", world.name).normal(size=(23, world.n_labels)) - 1.0
    z[0], z[1] = 80.0, -80.0
    return z.astype(np.float32)


def _row_by_row(exam: Exam, hook: str, world: World, fitted: Map) -> None:
    """Rows in parts, some of one row, get what they get together: a map that looks at the other rows looks at test rows."""
    z = _test_logits(world)
    together = fitted(z.copy())
    alone = exam.run(
        hook, world.name, lambda: np.concatenate([fitted(part) for part in np.split(z.copy(), (1, 2, 3, 9))])
    )
    right = alone.shape == together.shape and np.allclose(alone, together, rtol=1e-5, atol=1e-6)
    exam.findings.demand(right, "leak", hook, world.name, "a row's result depends on the rows beside it")


def _permuted(exam: Exam, hook: str, world: World, fitted: Map) -> None:
    order = np.roll(np.arange(world.n_labels), 2)
    other, z = (
        world.permuted(order),
        _test_logits(world)[2:],
    )  # the first two are all ties, which go by column
    fit = getattr(exam.strategy, hook)
    again = exam.run(
        hook, world.name, lambda: fit(other.logits, other.Y, other.ctx(folds=other.folds))(z[:, order])
    )
    right = np.shape(again) == z.shape and np.allclose(again, fitted(z)[:, order], rtol=1e-3, atol=1e-4)
    exam.findings.demand(
        right, "columns", hook, world.name, "with the labels in another order the result is another one"
    )
