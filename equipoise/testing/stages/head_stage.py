"""Checks of `head`, which fits another last layer that is then applied to unseen rows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from equipoise.contracts.strategy import Head
from equipoise.core.seeds import stream
from equipoise.testing.exam import Exam, arguments
from equipoise.testing.guard import same
from equipoise.testing.worlds import UNITS, World


def check_head(exam: Exam, worlds: list[World]) -> None:
    """Fit the head in every world and on layers that have learned nothing, and apply it to other rows."""
    for world in (*worlds, *_dead_worlds(worlds)):
        exam.attempt("head", world.name, partial(_check_head_in, exam, world))


def _check_head_in(exam: Exam, world: World) -> None:
    fitted = exam.hook("head", world)
    if valid_head(exam, world, fitted):
        _check_row_by_row(exam, world, fitted)
        if world.name == "usual" and "head" not in exam.random:
            _check_permuted(exam, world, fitted)


def _dead_worlds(worlds: list[World]) -> list[World]:
    """The first world with units that are always 0, and with weights of 0."""
    base = worlds[0]
    return [
        replace(base, name="dead units", hidden=np.zeros_like(base.hidden)),
        replace(base, name="weights of 0", weight=np.zeros_like(base.weight)),
    ]


def valid_head(exam: Exam, world: World, fitted: Any) -> bool:
    """Whether the head returns logits for every row; problems are noted as findings."""

    def demand(ok: object, check: str, problem: str) -> bool:
        return exam.findings.demand(ok, check, "head", world.name, problem)

    kind = type(fitted).__name__
    if not demand(
        callable(fitted), "shapes", f"returned {kind}, not a function of representation and logits"
    ):
        return False
    h, z = _unseen(world)
    before = h.copy(), z.copy()
    out = exam.run("head", world.name, lambda: fitted(h, z))
    demand(same([h, z], list(before)), "in_place", "the head changed its arguments")
    if not demand(
        isinstance(out, np.ndarray) and out.shape == z.shape and out.dtype.kind == "f",
        "shapes",
        f"the head returned {type(out).__name__} {np.shape(out)} for logits {z.shape}, not floats of the same shape",
    ):
        return False
    return demand(np.isfinite(out).all(), "finite", "the head returned NaN or infinity")


def _unseen(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Representations (23, UNITS) of unseen rows, the first of zeros and the second very long, and the network's logits."""
    h = np.maximum(stream("unseen rows", world.name).normal(size=(23, UNITS)), 0.0).astype(np.float32)
    h[0], h[1] = 0.0, 50.0 * h[1]
    return h, world.last_layer(h)


def _check_row_by_row(exam: Exam, world: World, fitted: Head) -> None:
    """Check that a row's result does not depend on the other rows: at test time those would be other test rows."""
    h, z = _unseen(world)
    together, cuts = fitted(h.copy(), z.copy()), (1, 2, 3, 9)
    parts = list(zip(np.split(h, cuts), np.split(z, cuts), strict=True))
    in_parts = exam.run("head", world.name, lambda: np.concatenate([fitted(*part) for part in parts]))
    equal = in_parts.shape == together.shape and np.allclose(in_parts, together, rtol=1e-4, atol=1e-5)
    exam.findings.demand(equal, "leak", "head", world.name, "a row's result depends on the other rows")


def _check_permuted(exam: Exam, world: World, fitted: Head) -> None:
    """Check that permuting the labels permutes the result."""
    order = np.roll(np.arange(world.n_labels), 2)
    other, (h, z) = world.permuted(order), _unseen(world)

    def permuted() -> np.ndarray:
        head = exam.strategy.head(*arguments(exam.strategy, "head", other))
        return head(h, np.ascontiguousarray(z[:, order]))

    result = exam.run("head", world.name, permuted)
    equal = np.shape(result) == z.shape and np.allclose(result, fitted(h, z)[:, order], rtol=1e-2, atol=1e-2)
    exam.findings.demand(equal, "columns", "head", world.name, "permuting the labels changes the result")
