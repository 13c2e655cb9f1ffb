"""Resamplers and row weights with one fault each, and correct twins. `fault` names the check that must find it; "" is none."""

from __future__ import annotations

import os
import random
import tempfile
import time
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import scipy.sparse as sp

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy


class Planted(Strategy):
    """Common to all of this file."""

    reference = "planted for the tests, 2026"
    fault = ""


def clones(rows, rng, p=0.2):
    return rows.repeat(rng.integers(0, len(rows), int(p * len(rows))))


def smote(rows, rng, low, high):
    """Rows on the line from a row to another one: between them for 0..1."""
    a, b = rng.permutation(len(rows)), rng.permutation(len(rows))
    u = rng.uniform(low, high, (len(a), 1)).astype(np.float32)
    dense = rows.X.toarray() if sp.issparse(rows.X) else rows.X
    made = dense[a] + u * (dense[b] - dense[a])
    return (sp.csr_matrix(made) if sp.issparse(rows.X) else made), rows.Y[a]


@dataclass(frozen=True)
class RightClones(Planted):
    """Clone random rows, as many as asked for."""

    name = "right_clones"
    off = MappingProxyType({"p": 0.0})
    p: float = tunable(0.2, low=0.0, high=1.0)

    def resample(self, rows, ctx):
        return clones(rows, ctx.rng, self.p)


@dataclass(frozen=True)
class RightSmote(Planted):
    """Interpolate between training rows."""

    name = "right_smote"
    requires = frozenset({"numeric"})

    def resample(self, rows, ctx):
        return rows.add(*smote(rows, ctx.rng, 0.0, 1.0))


@dataclass(frozen=True)
class RightRarest(Planted):
    """Repeat every row of the rarest label; no chance involved."""

    name = "right_rarest"

    def resample(self, rows, ctx):
        counts = rows.Y.sum(0)
        rarest = np.flatnonzero(counts == counts[counts > 0].min()) if counts.any() else []
        return rows.repeat(np.flatnonzero(rows.Y[:, rarest].any(1)))


@dataclass(frozen=True)
class RightWeights(Planted):
    """Rows with labels count more."""

    name = "right_weights"

    def weights(self, Y, ctx):
        return 1.0 + Y.sum(1)


@dataclass(frozen=True)
class RightFrames(Planted):
    """From all alike to rows with labels only, in two key frames."""

    name = "right_frames"

    def weights(self, Y, ctx):
        return np.stack([np.ones(len(Y)), 0.1 + Y.sum(1)])


def resampler(name, fault, function, **more):
    """A strategy whose resample hook is `function(rows, ctx)`."""
    body = {
        "__doc__": "A resampler with a fault planted in it.",
        "__module__": __name__,
        "name": name,
        "fault": fault,
        "resample": lambda self, rows, ctx: function(rows, ctx),
        **more,
    }
    return dataclass(frozen=True)(type(name, (Planted,), body))


def weigher(name, fault, function):
    """A strategy whose weights hook is `function(Y, ctx)`."""
    return resampler(
        name, fault, None, resample=Strategy.resample, weights=lambda self, Y, ctx: function(Y, ctx)
    )


def _sorted_columns(rows, ctx):
    return rows.relabel(rows.Y[:, np.argsort(-rows.Y.sum(0), kind="stable")[::-1]])


def _shifted_random(rows, ctx):
    return clones(rows.relabel(np.roll(rows.Y, 1, axis=1)), ctx.rng)


def _in_place(rows, ctx):
    rows.Y[rows.Y.sum(1) > 1] = 0
    return rows


def _quantiles(rows, ctx):
    if rows.shared is None:
        return rows
    total = np.asarray(rows.shared.sum(1)).ravel()
    return rows.take(np.flatnonzero(total[rows.index] >= np.quantile(total, 0.3)))


def _neighbours(rows, ctx):
    """Keep rows that are not nearest to a held-out row: NaN would never be nearest."""
    if rows.shared is None or len(rows) < 50:
        return rows
    X = rows.shared.toarray() if sp.issparse(rows.shared) else rows.shared
    held = np.setdiff1d(np.arange(len(X)), rows.index)
    distance = np.nan_to_num(((X[rows.index, None] - X[held][None]) ** 2).sum(2), nan=1e9)
    return rows.take(np.flatnonzero(distance.min(1) > 1e-9))


def _hashed(rows, ctx):
    order = sorted({row.tobytes() for row in rows.Y}, key=hash)
    keep = [i for i, row in enumerate(rows.Y) if order.index(row.tobytes()) % 5]
    return rows.take(np.array(keep or [0]))


def _timed(rows, ctx):
    return clones(rows, np.random.default_rng(int(time.time())))


_calls = []


def _counting(rows, ctx):
    _calls.append(1)
    return rows.repeat(np.arange(len(_calls) % len(rows)))


def _file(rows, ctx):
    with open(os.path.join(tempfile.gettempdir(), "equipoise-planted.txt"), "w") as file:
        file.write("here")
    return rows


def _environment(rows, ctx):
    os.environ["EQUIPOISE_PLANTED"] = str(len(os.environ.get("EQUIPOISE_PLANTED", "")))
    return rows


def _errors(rows, ctx):
    np.seterr(all="ignore")
    return rows


def _global_numpy(rows, ctx):
    return rows.repeat(np.random.randint(0, len(rows), 5))  # noqa: NPY002


def _global_python(rows, ctx):
    return rows.repeat([random.randrange(len(rows))])


def _half(rows, ctx):
    return replace(rows, Y=np.where(rows.Y > 0, 0.5, 0.0))


def _new_label(rows, ctx):
    Y = rows.Y.copy()
    Y[:: 5 + int(ctx.rng.integers(2)), -3:] = 1
    return rows.relabel(Y)


def _dense(rows, ctx):
    return replace(rows, synthetic=np.zeros((2, 6), np.float32), Y=np.vstack([rows.Y, rows.Y[:2]]))


def _unmatched(rows, ctx):
    return replace(rows, index=rows.index[:-1])


def _extrapolating(rows, ctx):
    return rows.add(*smote(rows, ctx.rng, 1.0, 3.0))


NUMERIC = {"needs": frozenset({"numeric"})}
FAULTY = [
    resampler("dropped_column", "shapes", lambda rows, ctx: Rows(rows.index, rows.Y[:, :-1], rows.shared)),
    resampler("not_rows", "shapes", lambda rows, ctx: (rows.index, rows.Y)),
    resampler("dense_for_sparse", "shapes", _dense, **NUMERIC),
    resampler("numpy_generator", "global_state", _global_numpy),
    resampler("python_generator", "global_state", _global_python),
    resampler("writes_file", "global_state", _file),
    resampler("sets_environment", "global_state", _environment),
    resampler("numpy_errors", "global_state", _errors),
    resampler("in_place_labels", "in_place", _in_place),
    resampler("sorted_columns", "columns", _sorted_columns),
    resampler("shifted_columns_random", "columns", _shifted_random),
    resampler("invents_label", "columns", _new_label),
    resampler("half_labels", "labels", _half),
    resampler("wide_labels", "labels", lambda rows, ctx: replace(rows, Y=rows.Y.astype(np.int64))),
    resampler("extrapolates", "span", _extrapolating, **NUMERIC),
    resampler("quantile_of_all_rows", "leak", _quantiles),
    resampler("near_held_out_rows", "leak", _neighbours),
    resampler("held_out_index", "rows", lambda rows, ctx: replace(rows, index=np.arange(len(rows)))),
    resampler("nothing_left", "rows", lambda rows, ctx: rows.take(np.empty(0, int))),
    resampler("unmatched_index", "rows", _unmatched),
    resampler("fresh_generator", "deterministic", lambda rows, ctx: clones(rows, np.random.default_rng())),
    resampler("hash_order", "deterministic", _hashed),
    resampler("time_seed", "deterministic", _timed),
    resampler("counts_calls", "deterministic", _counting),
    resampler(
        "needs_features", "raises", lambda rows, ctx: rows.take(np.argsort(rows.X[:, 0])), needs=frozenset()
    ),
    weigher("nan_weights", "weights", lambda Y, ctx: (Y / np.where(Y.sum(0) > 0, Y.sum(0), np.nan)).sum(1)),
    weigher("negative_weights", "weights", lambda Y, ctx: 1.0 - Y.sum(1)),
    weigher("zero_weights", "weights", lambda Y, ctx: Y[:, min(2, Y.shape[1] - 1)].astype(float)),
    weigher("short_weights", "shapes", lambda Y, ctx: np.ones(Y.shape[1])),
    weigher("column_weights", "columns", lambda Y, ctx: 1.0 + Y @ np.arange(Y.shape[1])),
    weigher("random_weights", "deterministic", lambda Y, ctx: np.random.default_rng().random(len(Y))),
]
globals().update({cls.__name__: cls for cls in FAULTY})
assert Context is not None
