"""Checks of `resample` and `weights`, the hooks that change which rows are learned from and how often."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from equipoise.contracts.rows import Offer, Rows
from equipoise.testing.exam import Exam
from equipoise.testing.guard import frozen, same
from equipoise.testing.worlds import World, dense


def check_resample(exam: Exam, worlds: list[World]) -> None:
    """Check that `resample` returns rows to train on, keeps labels in their columns, and ignores held-out rows."""
    for world in worlds:
        exam.attempt("resample", world.name, partial(_check_resample_in, exam, world))


def _check_resample_in(exam: Exam, world: World) -> None:
    out = exam.hook("resample", world)
    # Later checks read the result, so they only make sense for a valid one.
    if valid_rows(exam, world, out):
        _check_columns(exam, world, out)
        _check_held_out_ignored(exam, world)
        if "resample" not in exam.random:
            _check_permuted_rows(exam, world, out)


def valid_rows(exam: Exam, world: World, out: Any) -> bool:
    """Whether the engine can train on these rows; problems are noted as findings."""
    demand = _demander(exam, "resample", world)
    if not demand(isinstance(out, Rows), "shapes", f"returned {type(out).__name__}, not Rows"):
        return False
    index, Y = np.asarray(out.index), np.asarray(out.Y)
    if not demand(
        Y.ndim == 2 and Y.shape[1] == world.n_labels,
        "shapes",
        f"Y has shape {Y.shape}, but {world.n_labels} label columns are needed",
    ):
        return False
    valid = demand(Y.dtype == np.uint8 and np.isin(Y, (0, 1)).all(), "labels", _label_problem(Y))
    valid &= demand(
        index.ndim == 1 and index.dtype.kind == "i",
        "rows",
        f"index is {index.dtype} {index.shape}, not integers (m,)",
    )
    valid &= demand(len(Y) > 0, "rows", "no row is left")
    valid &= demand(
        len(Y) == len(index) + out.n_synthetic,
        "rows",
        f"Y has {len(Y)} rows for {len(index)} original and {out.n_synthetic} synthetic rows",
    )
    allowed = np.union1d(world.index, _offered(exam, world).index)
    valid &= demand(np.isin(index, allowed).all(), "rows", "index contains rows that are not in rows.index")
    return valid and _valid_synthetic(exam, world, out)


def _label_problem(Y: np.ndarray) -> str:
    other = [v for v in np.unique(Y) if v not in (0, 1)]
    return f"labels are {Y.dtype}" + (f" and contain {other[0]}" if other else "")


def _valid_synthetic(exam: Exam, world: World, out: Rows) -> bool:
    """Whether synthetic features have the right form and lie near the training rows."""
    demand = _demander(exam, "resample", world)
    if not out.n_synthetic:
        return True
    synthetic = out.synthetic
    if not demand(
        world.shared is not None, "shapes", "synthetic rows were added although the inputs are texts"
    ):
        return False
    kind = "CSR" if sp.issparse(world.shared) else "dense"
    if not demand(
        sp.issparse(synthetic) == sp.issparse(world.shared) and synthetic.shape[1] == world.shared.shape[1],
        "shapes",
        f"synthetic features are {type(synthetic).__name__} {synthetic.shape}, not {kind} (s, {world.shared.shape[1]})",
    ):
        return False
    X, training = dense(synthetic), dense(world.shared[world.index])
    low, high = training.min(0), training.max(0)
    # A quarter of the range beyond each end is tolerated: the rule is meant for wrong arithmetic, not for mild extrapolation.
    slack = 0.25 * (high - low) + 1e-4
    inside = bool(np.isfinite(X).all() and (X - low + slack).min() >= 0 and (high + slack - X).min() >= 0)
    return demand(inside, "span", "synthetic features lie far outside the range of the training rows")


def _check_columns(exam: Exam, world: World, out: Rows) -> None:
    """Check that no label appears out of nowhere, and that every label column still resembles itself most."""
    demand = _demander(exam, "resample", world)
    # Labels may only come from other rows, so an absent label must stay absent.
    never = ~world.Y.any(0)
    demand(not out.Y[:, never].any(), "columns", "a row was given a label that no training row has")
    offered = _offered(exam, world)
    labels = dict(zip(world.index.tolist(), world.Y, strict=True))
    labels |= dict(zip(offered.index.tolist(), offered.Y, strict=True))
    old = np.array([labels[int(row)] for row in out.index], dtype=np.int64).reshape(-1, world.n_labels)
    new = out.Y[: len(out.index)].astype(np.int64)
    # Relabelling is allowed, so labels need not be equal; but exchanged columns show in the agreement over enough rows.
    if world.name != "usual" or len(new) < 20:
        return
    agreement = new.T @ old + (1 - new).T @ (1 - old)
    demand(
        (np.diag(agreement) >= agreement.max(1)).all(),
        "columns",
        "a label column resembles another label's column more than its own",
    )


def _offered(exam: Exam, world: World) -> Offer:
    """The rows that the strategy may add; none if it adds no rows of a file."""
    offered = world.rows(exam.strategy).offered
    return Offer(world.index[:0], world.Y[:0]) if offered is None else offered


def _check_permuted_rows(exam: Exam, world: World, out: Rows) -> None:
    """Check that a deterministic resampler gives the same rows if the labels are permuted."""
    if world.name not in ("usual", "absent label", "sparse"):
        return
    # A rotation moves every label; a random permutation might leave some in place.
    order = np.roll(np.arange(world.n_labels), 2)
    permuted = world.permuted(order)
    again = exam.run(
        "resample", world.name, lambda: exam.strategy.resample(permuted.rows(exam.strategy), permuted.ctx())
    )
    exam.findings.demand(
        same(frozen([again.index, again.Y]), frozen([out.index, np.ascontiguousarray(out.Y[:, order])])),
        "columns",
        "resample",
        world.name,
        "permuting the labels changes the result",
    )


def _check_held_out_ignored(exam: Exam, world: World) -> None:
    """Check that held-out rows of the shared features do not matter, be they NaN or copies of training rows."""
    if world.shared is None:
        return
    expected = exam.results[("resample", world.name)]
    # NaN shows in any arithmetic; copies show in a search for neighbours, which NaN might merely be sorted out of.
    for poison in ("NaN", "copies of training rows"):
        shared = _poisoned(world, poison)
        try:
            out = exam.strategy.resample(world.rows(exam.strategy, shared), world.ctx())
            parts = frozen([out.index, out.Y, out.synthetic])
            unchanged = same(parts, [expected[k] for k in ("index", "Y", "synthetic")])
        except Exception:
            unchanged = False
        problem = f"the result changes if held-out rows are replaced by {poison}"
        exam.findings.demand(unchanged, "leak", "resample", world.name, problem)


def _poisoned(world: World, poison: str) -> Any:
    """The shared features with NaN, or with copies of training rows, in place of the held-out rows."""
    shared = dense(world.shared).copy()
    held = np.setdiff1d(np.arange(len(shared)), world.index)
    shared[held] = np.nan if poison == "NaN" else shared[np.resize(world.index, len(held))]
    return sp.csr_matrix(shared) if sp.issparse(world.shared) else shared


def check_weights(exam: Exam, worlds: list[World]) -> None:
    """Check that `weights` returns valid sampling weights, which do not depend on the order of the labels."""
    for world in worlds:
        exam.attempt("weights", world.name, partial(_check_weights_in, exam, world))


def _check_weights_in(exam: Exam, world: World) -> None:
    out = exam.hook("weights", world)
    if valid_weights(exam, world, out) and "weights" not in exam.random:
        _check_permuted_weights(exam, world, out)


def valid_weights(exam: Exam, world: World, out: Any) -> bool:
    """Whether rows can be drawn with these weights; problems are noted as findings."""
    demand = _demander(exam, "weights", world)
    n = len(world.Y)
    w = np.asarray(out)  # (n,), or (S, n) for weights that change during training
    if not demand(
        isinstance(out, np.ndarray) and w.ndim in (1, 2) and w.shape[-1] == n and w.dtype.kind in "fiu",
        "shapes",
        f"returned {type(out).__name__} {w.dtype} {w.shape}, but one number is needed for each of {n} rows",
    ):
        return False
    valid = demand(np.isfinite(w).all(), "weights", "some weights are NaN or infinite")
    valid &= demand(not (w < 0).any(), "weights", "some weights are negative")
    return valid and demand((w.sum(-1) > 0).all(), "weights", "all weights are zero")


def _check_permuted_weights(exam: Exam, world: World, out: np.ndarray) -> None:
    permuted = world.permuted(np.roll(np.arange(world.n_labels), 1))
    again = exam.run("weights", world.name, lambda: exam.strategy.weights(permuted.Y, permuted.ctx()))
    # A tolerance, since sums over labels in another order round differently.
    exam.findings.demand(
        np.shape(again) == np.shape(out) and np.allclose(again, out, rtol=1e-6, atol=1e-12),
        "columns",
        "weights",
        world.name,
        "permuting the labels changes the weights",
    )


def _demander(exam: Exam, hook: str, world: World) -> Any:
    """`Findings.demand` for one hook and world."""

    def demand(ok: object, check: str, problem: str) -> bool:
        return exam.findings.demand(ok, check, hook, world.name, problem)

    return demand
