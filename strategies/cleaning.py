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
    """Drop rows without rare labels whose labels differ from those of at least half of their neighbours.

    Rare: IRLbl > MeanIR. Labels a and b differ when |a xor b| / (|a| + |b|) > threshold; two empty rows do not. This variant:
    rows without any label may be dropped; all neighbours are those of the rows as they are; where every row would go, none
    does. At threshold 1 nothing differs.
    """

    name: ClassVar[str] = "mlenn"
    reference: ClassVar[str] = "Charte, Rivera, del Jesus & Herrera 2014, DOI 10.1007/978-3-319-10840-7_1"
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})
    off: ClassVar[Mapping[str, Any]] = {"threshold": 1.0}

    threshold: float = tunable(0.75, low=0.5, high=1.0)
    k: int = tunable(3, low=1, high=7)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        near = neighbours(rows.X, self.k, rows.nominal)
        if not near.shape[1]:
            return rows
        differing = np.zeros(len(rows), dtype=np.int64)
        for other in near.T:
            differing += label_distance(rows.Y, other) > self.threshold
        return _without(rows, _common(rows.Y) & (2 * differing >= near.shape[1]))


@dataclass(frozen=True)
class MLTL(Strategy):
    """Drop rows without rare labels from Tomek links: pairs that are each other's nearest row and differ in their labels.

    Rare: IRLbl > MeanIR. Labels a and b differ when |a xor b| / (|a| + |b|) > threshold, which follows from the data unless it
    is given (above 0): with 1/√MeanIR below .3 it is .15, below .5 it is .3, else .5. Variants: `pair` (two rows nearest to
    each other, as in the paper's definition of a link) or `nearest` (each row and its nearest, as in the authors' program).
    In both, where every row would go, none does.
    """

    name: ClassVar[str] = "mltl"
    reference: ClassVar[str] = "Pereira, Costa & Silla 2020, DOI 10.1016/j.neucom.2019.11.076"
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})
    off: ClassVar[Mapping[str, Any]] = {"threshold": 1.0}

    threshold: float = 0.0
    variant: str = field(default="pair", metadata={"choices": ("pair", "nearest")})

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        near = neighbours(rows.X, 1, rows.nominal)
        if not near.shape[1]:
            return rows
        other = near[:, 0]
        linked = label_distance(rows.Y, other) > (self.threshold or link_threshold(rows.Y))
        if self.variant == "pair":
            linked &= other[other] == np.arange(len(rows))
        return _without(rows, _common(rows.Y) & linked)


def label_distance(Y: np.ndarray, other: Ints) -> Floats:
    """|a xor b| / (|a| + |b|) of each row of Y (n, L) and row `other` (n,); 0 where both are empty."""
    size = Y.sum(1, dtype=np.int64)
    both = size + size[other]
    differing = (Y[other] != Y).sum(1)
    return np.divide(differing, both, out=np.zeros(len(Y)), where=both > 0)


def link_threshold(Y: np.ndarray) -> float:
    """MLTL's threshold from how imbalanced the labels are."""
    indicator = 1.0 / np.sqrt(ratios(label_counts(Y))[1])
    return 0.15 if indicator < 0.3 else 0.3 if indicator < 0.5 else 0.5


def _common(Y: np.ndarray) -> Bools:
    """(n,) rows that hold no label with IRLbl > MeanIR."""
    return np.asarray(~Y[:, minority(label_counts(Y))].any(1))


def _without(rows: Rows, dropped: Bools) -> Rows:
    """All rows but these; all where nothing would be left."""
    if dropped.all() or not dropped.any():
        return rows
    return rows.take(np.flatnonzero(~dropped))
