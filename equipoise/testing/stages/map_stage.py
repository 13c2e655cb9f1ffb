"""Checks of `adjust` and `decide`, which fit a map on out-of-fold logits that is then applied to unseen rows."""

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
    """Fit the hook's map in every world and on extreme logits, and apply it to other rows."""
    for world in (*worlds, *_extreme_worlds(worlds)):
        exam.attempt(hook, world.name, partial(_check_map_in, exam, hook, world))


def _check_map_in(exam: Exam, hook: str, world: World) -> None:
    fitted = exam.hook(hook, world)
    if valid_map(exam, hook, world, fitted):
        _check_row_by_row(exam, hook, world, fitted)
        if world.name == "usual" and hook not in exam.random:
            _check_permuted(exam, hook, world, fitted)


def _extreme_worlds(worlds: list[World]) -> list[World]:
    """The first world with logits of ±80, with equal logits, and with all rows in one fold.

    One fold is what cross-fitting leaves over if there are two.
    """
    base = worlds[0]
    certain = np.where(base.Y > 0, 80.0, -80.0).astype(np.float32)
    return [
        replace(base, name="logits of ±80", logits=certain),
        replace(base, name="equal logits", logits=np.zeros_like(base.logits)),  # no variance, all ties
        replace(base, name="one fold", folds=np.zeros_like(base.folds)),
    ]


def valid_map(exam: Exam, hook: str, world: World, fitted: Any) -> bool:
    """Whether the map returns values of the right shape and type for every row; problems are noted as findings."""

    def demand(ok: object, check: str, problem: str) -> bool:
        return exam.findings.demand(ok, check, hook, world.name, problem)

    if not demand(callable(fitted), "shapes", f"returned {type(fitted).__name__}, not a function of logits"):
        return False
    z = _test_logits(world)
    before = z.copy()
    out = exam.run(hook, world.name, lambda: fitted(z))
    demand(same(z, before), "in_place", "the map changed its argument")
    values = np.asarray(out)
    expected = "bool" if hook == "decide" else "float"
    valid = values.dtype == bool if hook == "decide" else values.dtype.kind == "f"
    if not demand(
        isinstance(out, np.ndarray) and values.shape == z.shape and valid,
        "shapes",
        f"the map returned {values.dtype} {values.shape} for logits {z.shape}, not {expected} of the same shape",
    ):
        return False
    return demand(np.isfinite(values).all(), "finite", "the map returned NaN or infinity")


def _test_logits(world: World) -> np.ndarray:
    """Logits of 23 unseen rows, (23, L); the first two rows are all 80 and all −80."""
    z = 3.0 * stream("test logits", world.name).normal(size=(23, world.n_labels)) - 1.0
    z[0], z[1] = 80.0, -80.0  # beyond all logits that a map was fitted on
    return z.astype(np.float32)


def _check_row_by_row(exam: Exam, hook: str, world: World, fitted: Map) -> None:
    """Check that a row's result does not depend on the other rows: at test time those would be other test rows."""
    z = _test_logits(world)
    together = fitted(z.copy())
    # Parts of 1, 1, 1, 6 and 14 rows: single rows show a map that standardises, longer parts one that ranks.
    in_parts = exam.run(
        hook, world.name, lambda: np.concatenate([fitted(part) for part in np.split(z.copy(), (1, 2, 3, 9))])
    )
    equal = in_parts.shape == together.shape and np.allclose(in_parts, together, rtol=1e-5, atol=1e-6)
    exam.findings.demand(equal, "leak", hook, world.name, "a row's result depends on the other rows")


def _check_permuted(exam: Exam, hook: str, world: World, fitted: Map) -> None:
    """Check that permuting the labels permutes the result."""
    order = np.roll(np.arange(world.n_labels), 2)
    permuted = world.permuted(order)
    # Without the first two rows: all their scores are equal, and ties may be resolved by column.
    z = _test_logits(world)[2:]
    fit = getattr(exam.strategy, hook)
    result = exam.run(
        hook,
        world.name,
        lambda: fit(permuted.logits, permuted.Y, permuted.ctx(folds=permuted.folds))(z[:, order]),
    )
    equal = np.shape(result) == z.shape and np.allclose(result, fitted(z)[:, order], rtol=1e-3, atol=1e-4)
    exam.findings.demand(equal, "columns", hook, world.name, "permuting the labels changes the result")
