"""Cleaning: frequent rows that differ in their labels from the rows around them are dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.arrays import Bools, Floats, Ints
from equipoise.resampling.interpolation import neighbours
from equipoise.resampling.label_bags import label_counts, minority, ratios


@dataclass(frozen=True)
class MLeNN(Strategy):
    """MLeNN: drop rows without rare labels whose labelset differs from those of at least half of their k nearest neighbours.

    A label is rare if IRLbl > MeanIR. Labelsets a and b differ if |a xor b| / (|a| + |b|) > threshold; two empty labelsets do
    not differ. At threshold 1 nothing differs, and no row is dropped.

    Variant: rows without any label may be dropped; neighbours are those in the original rows, not in the rows left so far; if
    all rows would be dropped, none is.
    """

    name: ClassVar[str] = "mlenn"
    reference: ClassVar[str] = "Charte, Rivera, del Jesus & Herrera 2014, DOI 10.1007/978-3-319-10840-7_1"
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})
    off: ClassVar[Mapping[str, Any]] = {"threshold": 1.0}

    threshold: float = tunable(0.75, low=0.5, high=1.0)
    k: int = tunable(3, low=1, high=7)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        near = neighbours(rows.X, self.k, rows.nominal)
        if not near.shape[1]:  # a single row has no neighbours
            return rows
        # One column of neighbours at a time: all at once would need n · k · L cells.
        differing = np.zeros(len(rows), dtype=np.int64)
        for other in near.T:
            differing += label_distance(rows.Y, other) > self.threshold
        return _without(rows, _common(rows.Y) & (2 * differing >= near.shape[1]))


@dataclass(frozen=True)
class MLTL(Strategy):
    """MLTL: drop rows without rare labels from Tomek links, pairs of mutually nearest rows whose labelsets differ.

    A label is rare if IRLbl > MeanIR. Labelsets a and b differ if |a xor b| / (|a| + |b|) > threshold. `threshold=0` derives
    it from the data: .15 if 1/√MeanIR < .3, .3 if it is below .5, and .5 otherwise.

    Variants: `pair` takes two rows that are each other's nearest, the paper's definition of a link; `nearest` takes each row
    with its nearest, as the authors' program does. In both, if all rows would be dropped, none is. Neither reproduces the
    authors' program, whose distance and eligible rows also differ.
    """

    name: ClassVar[str] = "mltl"
    reference: ClassVar[str] = "Pereira, Costa & Silla 2020, DOI 10.1016/j.neucom.2019.11.076"
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})
    off: ClassVar[Mapping[str, Any]] = {"threshold": 1.0}

    threshold: float = 0.0  # 0: derived from the data
    variant: str = field(default="pair", metadata={"choices": ("pair", "nearest")})

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        near = neighbours(rows.X, 1, rows.nominal)
        if not near.shape[1]:
            return rows
        nearest = near[:, 0]
        linked = label_distance(rows.Y, nearest) > (self.threshold or link_threshold(rows.Y))
        if self.variant == "pair":
            # The nearest of a row's nearest must be the row itself.
            linked &= nearest[nearest] == np.arange(len(rows))
        return _without(rows, _common(rows.Y) & linked)


def label_distance(Y: np.ndarray, other: Ints) -> Floats:
    """Distance |a xor b| / (|a| + |b|) between row i of Y (n, L) and row `other[i]`, (n,); 0 where both are empty."""
    size = Y.sum(1, dtype=np.int64)
    both = size + size[other]
    differing = (Y[other] != Y).sum(1)
    return np.divide(differing, both, out=np.zeros(len(Y)), where=both > 0)


def link_threshold(Y: np.ndarray) -> float:
    """MLTL's threshold: the more imbalanced the labels, the smaller the difference that makes a link."""
    indicator = 1.0 / np.sqrt(ratios(label_counts(Y))[1])
    return 0.15 if indicator < 0.3 else 0.3 if indicator < 0.5 else 0.5


def _common(Y: np.ndarray) -> Bools:
    """Which rows of Y have no rare label (IRLbl > MeanIR), (n,)."""
    return np.asarray(~Y[:, minority(label_counts(Y))].any(1))


def _without(rows: Rows, dropped: Bools) -> Rows:
    """Rows without the dropped ones, or all rows if none would be left: there would be nothing to train on."""
    if dropped.all() or not dropped.any():
        return rows
    return rows.take(np.flatnonzero(~dropped))
