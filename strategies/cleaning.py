"""Cleaning: frequent rows that differ in their labels from the rows around them are dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.options import option
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.arrays import Bools, Floats, Ints, is_sparse
from equipoise.measures import scumble
from equipoise.resampling.interpolation import Columns, neighbours
from equipoise.resampling.label_bags import label_counts, majority, minority, ratios


@dataclass(frozen=True)
class MLeNN(Strategy):
    """MLeNN: drop rows without rare labels whose labelset differs from those of at least half of their k nearest neighbours.

    A label is rare if IRLbl > MeanIR. Labelsets a and b differ if |a xor b| / (|a| + |b|) > threshold; two empty labelsets do
    not differ. At threshold 1 nothing differs, and no row is dropped.

    Variant: rows without any label may be dropped; neighbours are those in the original rows, not in the rows left so far; if
    all rows would be dropped, none is.
    """

    name: ClassVar[str] = "mlenn"
    changes: ClassVar[frozenset[str]] = frozenset({"rows"})
    reference: ClassVar[str] = (
        "Charte, Rivera, del Jesus & Herrera 2014, MLeNN: a first approach to heuristic multilabel undersampling, IDEAL, DOI "
        "10.1007/978-3-319-10840-7_1"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})
    off: ClassVar[Mapping[str, Any]] = {"threshold": 1.0}

    threshold: float = tunable(0.75, low=0.5, high=1.0, at_least=0, at_most=1)
    k: int = tunable(3, low=1, high=7, at_least=1)

    @property
    def clashes(self) -> Mapping[str, str]:
        return {"halves": HALVES}

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

    `threshold=0` derives the difference that makes a link from the data: .15 if 1/√MeanIR < .3, .3 if it is below .5, and .5
    otherwise. If all rows would be dropped, none is.

    Variants, which drop very different numbers of rows (yeast, standardised: 343, 1316 and 34 of 2417):

    - `pair`: two rows that are each other's nearest, the paper's definition of a link. Labelsets a and b differ by
      |a xor b| / (|a| + |b|), and rows with a label of IRLbl > MeanIR stay.
    - `nearest`: the same for each row and its nearest, whether or not it is the nearest of that row in turn.
    - `authors`: what the authors' program does. Each row and its nearest, where the distance covers inputs, scaled to a range
      of 1, *and labels*, so that a row's nearest mostly has the same labels. Labelsets differ by |a xor b| / |a or b|. Every row
      with a label of IRLbl < MeanIR may be dropped, also where it has a rare label as well; rows without labels never are. The
      threshold is .5 if SCUMBLE > .3.
    """

    name: ClassVar[str] = "mltl"
    changes: ClassVar[frozenset[str]] = frozenset({"rows"})
    reference: ClassVar[str] = (
        "Pereira, Costa & Silla 2020, MLTL: a multi-label approach for the Tomek link undersampling algorithm, "
        "Neurocomputing, DOI 10.1016/j.neucom.2019.11.076"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})
    off: ClassVar[Mapping[str, Any]] = {"threshold": 1.0}

    threshold: float = option(0.0, at_least=0, at_most=1)  # 0: derived from the data
    variant: str = option("pair", choices=("pair", "nearest", "authors"))

    @property
    def clashes(self) -> Mapping[str, str]:
        # With labels in the distance, halves are far from each other: on yeast, 27 of 817 split rows lose one, and none both.
        return {} if self.variant == "authors" else {"halves": HALVES}

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        if self.variant == "authors":
            return self._as_authors(rows)
        near = neighbours(rows.X, 1, rows.nominal)
        if not near.shape[1]:
            return rows
        nearest = near[:, 0]
        linked = label_distance(rows.Y, nearest) > (self.threshold or link_threshold(rows.Y))
        if self.variant == "pair":
            # The nearest of a row's nearest must be the row itself.
            linked &= nearest[nearest] == np.arange(len(rows))
        return _without(rows, _common(rows.Y) & linked)

    def _as_authors(self, rows: Rows) -> Rows:
        near = neighbours_with_labels(rows)
        if not near.shape[1]:
            return rows
        linked = union_distance(rows.Y, near[:, 0]) > (self.threshold or authors_threshold(rows.Y))
        return _without(rows, rows.Y[:, majority(label_counts(rows.Y))].any(1) & linked)


#: A half lies where its other half lies, and has other labels.
HALVES = "drops one half or both of most rows split by {other}: halves are nearest to each other and differ in their labels"


def neighbours_with_labels(rows: Rows) -> Ints:
    """The nearest other row of each row, (n, 1) or (n, 0), by inputs scaled to a range of 1 and by labels."""
    X, columns = rows.X, Columns.of(rows.nominal)
    low, high = X.min(axis=0), X.max(axis=0)
    span = np.asarray((high - low).todense() if is_sparse(X) else high - low, dtype=np.float64).ravel()
    scale = 1.0 / np.where(span > 0, span, 1.0)
    # One-hot columns of a category have their scale already.
    scale[columns.coded[np.repeat(columns.widths > 1, columns.widths)]] = 1.0
    width = rows.Y.shape[1]
    nominal = None if rows.nominal is None else np.pad(rows.nominal, (0, width))  # labels are no categories
    if not is_sparse(X):
        return neighbours(np.hstack([X * scale, rows.Y]), 1, nominal)
    parts: list[Any] = [scipy.sparse.csr_matrix(X).multiply(scale), scipy.sparse.csr_matrix(rows.Y)]
    return neighbours(scipy.sparse.csr_matrix(scipy.sparse.hstack(parts)), 1, nominal)


def label_distance(Y: np.ndarray, other: Ints) -> Floats:
    """Distance |a xor b| / (|a| + |b|) between row i of Y (n, L) and row `other[i]`, (n,); 0 where both are empty."""
    size = Y.sum(1, dtype=np.int64)
    both = size + size[other]
    differing = (Y[other] != Y).sum(1)
    return np.divide(differing, both, out=np.zeros(len(Y)), where=both > 0)


def union_distance(Y: np.ndarray, other: Ints) -> Floats:
    """Distance |a xor b| / |a or b| between row i of Y (n, L) and row `other[i]`, (n,); 0 where both are empty."""
    either = (Y | Y[other]).sum(1, dtype=np.int64)
    return np.divide((Y[other] != Y).sum(1), either, out=np.zeros(len(Y)), where=either > 0)


def authors_threshold(Y: np.ndarray) -> float:
    """The threshold of the authors' program: that of the paper, but .5 where SCUMBLE exceeds .3."""
    return 0.5 if scumble(Y) > 0.3 else link_threshold(Y)


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
