"""Checks of `resample` and `weights`: what is learned from, and how often."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from equipoise.contracts.rows import Rows
from equipoise.testing.exam import Exam
from equipoise.testing.guard import frozen, same
from equipoise.testing.worlds import World, dense


def check_resample(exam: Exam, worlds: list[World]) -> None:
    """Rows that can be trained on, in their columns, from training rows alone."""
    for world in worlds:
        exam.attempt("resample", world.name, partial(_resampled, exam, world))


def _resampled(exam: Exam, world: World) -> None:
    out = exam.hook("resample", world)
    if valid_rows(exam, world, out):
        _columns(exam, world, out)
        _blind_to_held_out(exam, world)
        if "resample" not in exam.random:
            _permuted_rows(exam, world, out)


def valid_rows(exam: Exam, world: World, out: Any) -> bool:
    """Whether these are rows that the engine can train on; notes what is wrong."""
    demand = _demander(exam, "resample", world)
    if not demand(isinstance(out, Rows), "shapes", f"returned {type(out).__name__}, not Rows"):
        return False
    index, Y = np.asarray(out.index), np.asarray(out.Y)
    if not demand(
        Y.ndim == 2 and Y.shape[1] == world.n_labels,
        "shapes",
        f"Y has shape {Y.shape}; it needs {world.n_labels} label columns",
    ):
        return False
    right = demand(Y.dtype == np.uint8 and np.isin(Y, (0, 1)).all(), "labels", _label_problem(Y))
    right &= demand(
        index.ndim == 1 and index.dtype.kind == "i",
        "rows",
        f"index is {index.dtype} {index.shape}, not integers (m,)",
    )
    right &= demand(len(Y) > 0, "rows", "no row is left")
    right &= demand(
        len(Y) == len(index) + out.n_synthetic,
        "rows",
        f"{len(Y)} label rows for {len(index)} + {out.n_synthetic} synthesised",
    )
    right &= demand(
        np.isin(index, world.index).all(), "rows", "index holds rows that are not among rows.index"
    )
    return right and _valid_synthetic(exam, world, out)


def _label_problem(Y: np.ndarray) -> str:
    odd = [v for v in np.unique(Y) if v not in (0, 1)]
    return f"labels are {Y.dtype}" + (f" and hold {odd[0]}" if odd else "")


def _valid_synthetic(exam: Exam, world: World, out: Rows) -> bool:
    demand = _demander(exam, "resample", world)
    if not out.n_synthetic:
        return True
    made = out.synthetic
    if not demand(world.shared is not None, "shapes", "features were synthesised where none can be averaged"):
        return False
    kind = "CSR" if sp.issparse(world.shared) else "dense"
    if not demand(
        sp.issparse(made) == sp.issparse(world.shared) and made.shape[1] == world.shared.shape[1],
        "shapes",
        f"synthesised features are {type(made).__name__} {made.shape}, not {kind} (s, {world.shared.shape[1]})",
    ):
        return False
    X, own = dense(made), dense(world.shared[world.index])
    low, high = own.min(0), own.max(0)
    slack = 0.25 * (high - low) + 1e-4
    inside = bool(np.isfinite(X).all() and (X - low + slack).min() >= 0 and (high + slack - X).min() >= 0)
    return demand(inside, "span", "synthesised features lie far outside of the training rows'")


def _columns(exam: Exam, world: World, out: Rows) -> None:
    """No label appears that no training row has, and each column is nearest to itself."""
    demand = _demander(exam, "resample", world)
    never = ~world.Y.any(0)
    demand(not out.Y[:, never].any(), "columns", "a label that no training row has was given to some")
    place = {int(row): i for i, row in enumerate(world.index)}
    old = world.Y[[place[int(row)] for row in out.index]].astype(np.int64)
    new = out.Y[: len(out.index)].astype(np.int64)
    if world.name != "usual" or len(new) < 20:
        return
    agree = new.T @ old + (1 - new).T @ (1 - old)
    demand(
        (np.diag(agree) >= agree.max(1)).all(), "columns", "a label column agrees best with another label's"
    )


def _permuted_rows(exam: Exam, world: World, out: Rows) -> None:
    """A deterministic resampler does the same when the labels come in another order."""
    if world.name not in ("usual", "absent label", "sparse"):
        return
    order = np.roll(np.arange(world.n_labels), 2)
    other = world.permuted(order)
    again = exam.run("resample", world.name, lambda: exam.strategy.resample(other.rows(), other.ctx()))
    exam.findings.demand(
        same(frozen([again.index, again.Y]), frozen([out.index, np.ascontiguousarray(out.Y[:, order])])),
        "columns",
        "resample",
        world.name,
        "with the labels in another order the result is another one",
    )


def _blind_to_held_out(exam: Exam, world: World) -> None:
    """Held-out rows of the shared features must not matter: neither as NaN nor as twins of training rows."""
    if world.shared is None:
        return
    expected = exam.results[("resample", world.name)]
    for poison in ("NaN", "twins"):
        shared = _poisoned(world, poison)
        try:
            out = exam.strategy.resample(world.rows(shared), world.ctx())
            parts = frozen([out.index, out.Y, out.synthetic])
            right = same(parts, [expected[k] for k in ("index", "Y", "synthetic")])
        except Exception:
            right = False
        words = f"features of held-out rows ({poison} in their place) change the result"
        exam.findings.demand(right, "leak", "resample", world.name, words)


def _poisoned(world: World, poison: str) -> Any:
    """The shared features with NaN, or copies of training rows, in the place of held-out rows."""
    shared = dense(world.shared).copy()
    held = np.setdiff1d(np.arange(len(shared)), world.index)
    shared[held] = np.nan if poison == "NaN" else shared[np.resize(world.index, len(held))]
    return sp.csr_matrix(shared) if sp.issparse(world.shared) else shared


def check_weights(exam: Exam, worlds: list[World]) -> None:
    """Drawing weights that a batch can be drawn by."""
    for world in worlds:
        exam.attempt("weights", world.name, partial(_weighed, exam, world))


def _weighed(exam: Exam, world: World) -> None:
    out = exam.hook("weights", world)
    if valid_weights(exam, world, out) and "weights" not in exam.random:
        _permuted_weights(exam, world, out)


def valid_weights(exam: Exam, world: World, out: Any) -> bool:
    """Whether rows can be drawn by these weights; notes what is wrong."""
    demand = _demander(exam, "weights", world)
    n = len(world.Y)
    w = np.asarray(out)
    if not demand(
        isinstance(out, np.ndarray) and w.ndim in (1, 2) and w.shape[-1] == n and w.dtype.kind in "fiu",
        "shapes",
        f"returned {type(out).__name__} {w.dtype} {w.shape}; needed: a number for each of {n} rows",
    ):
        return False
    right = demand(np.isfinite(w).all(), "weights", "weights hold NaN or infinity")
    right &= demand(not (w < 0).any(), "weights", "weights hold negative numbers")
    return right and demand((w.sum(-1) > 0).all(), "weights", "all weights are zero")


def _permuted_weights(exam: Exam, world: World, out: np.ndarray) -> None:
    other = world.permuted(np.roll(np.arange(world.n_labels), 1))
    again = exam.run("weights", world.name, lambda: exam.strategy.weights(other.Y, other.ctx()))
    exam.findings.demand(
        np.shape(again) == np.shape(out) and np.allclose(again, out, rtol=1e-6, atol=1e-12),
        "columns",
        "weights",
        world.name,
        "with the labels in another order the weights are others",
    )


def _demander(exam: Exam, hook: str, world: World) -> Any:
    def demand(right: object, check: str, problem: str) -> bool:
        return exam.findings.demand(right, check, hook, world.name, problem)

    return demand
