"""Metrics of a decision: Y_true and Y_pred, both (n, L) of 0/1.

One rule for 0/0 throughout: **a ratio without a denominator is NaN and is left out of the average**; an
average of nothing is NaN. Which labels and rows are averaged over:

- *macro*: labels with at least one positive among the rows (`labels_scored` counts them). F1 and recall are
  defined for each of them; a precision is not where nothing was predicted, and such a label is left out of
  macro precision only.
- *samples*: rows with at least one true label, by the same rule: F1 and recall are defined for each of them;
  a row with nothing predicted is left out of samples precision only. What is predicted on rows without a true
  label shows in the micro metrics, in Hamming loss and in subset accuracy.
- *micro*: all cells pooled, those of absent labels and of empty rows included.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Bools, Floats, Ints, label_matrix, mean_defined, ratio, same_shape
from equipoise.core.errors import unknown

Average = Literal["micro", "macro", "samples"]


class Counts(NamedTuple):
    """Hits, predicted and true ones along one axis, or over all cells."""

    hits: Ints
    predicted: Ints
    true: Ints

    def scored(self) -> Counts:
        """Only the labels (or rows) that have a true one."""
        kept = self.true > 0
        return Counts(self.hits[kept], self.predicted[kept], self.true[kept])

    def pooled(self) -> Counts:
        """All labels (or rows) added up."""
        return Counts(*(np.atleast_1d(part.sum()) for part in self))

    def precision(self) -> Floats:
        """hits / predicted; NaN where nothing is predicted."""
        return ratio(self.hits, self.predicted)

    def recall(self) -> Floats:
        """hits / true; NaN where nothing is true."""
        return ratio(self.hits, self.true)

    def f1(self) -> Floats:
        """2·hits / (predicted + true): 0 where something is true and nothing is hit; NaN where both are 0."""
        return ratio(2 * self.hits, self.predicted + self.true)


def checked(Y_true: ArrayLike, Y_pred: ArrayLike) -> tuple[Bools, Bools]:
    """Both matrices as bool, of one shape, or EquipoiseError."""
    true, predicted = label_matrix(Y_true, "Y_true"), label_matrix(Y_pred, "Y_pred")
    same_shape(predicted, true.shape, "Y_pred")
    return true, predicted


def label_counts(true: Bools, predicted: Bools) -> Counts:
    """Counts of each label, (L,)."""
    return _counts(true, predicted, axis=0)


def row_counts(true: Bools, predicted: Bools) -> Counts:
    """Counts of each row, (n,)."""
    return _counts(true, predicted, axis=1)


def precision(Y_true: ArrayLike, Y_pred: ArrayLike, average: Average = "macro") -> float:
    """Precision, averaged as the module says; left out where nothing is predicted; NaN if nothing is left.

    Source: Sokolova and Lapalme 2009, DOI 10.1016/j.ipm.2009.03.002.
    """
    return mean_defined(_averaged(Y_true, Y_pred, average).precision())


def recall(Y_true: ArrayLike, Y_pred: ArrayLike, average: Average = "macro") -> float:
    """Recall, averaged as the module says; NaN where Y_true holds no positive at all.

    Source: Sokolova and Lapalme 2009, DOI 10.1016/j.ipm.2009.03.002.
    """
    return mean_defined(_averaged(Y_true, Y_pred, average).recall())


def f1(Y_true: ArrayLike, Y_pred: ArrayLike, average: Average = "macro") -> float:
    """F1 = 2·hits / (predicted + true), averaged as the module says; macro is the mean of the labels' F1.

    NaN where no label (row) is scored; micro F1 is NaN only where nothing is true and nothing is predicted.
    Source: Sokolova and Lapalme 2009, DOI 10.1016/j.ipm.2009.03.002.
    """
    return mean_defined(_averaged(Y_true, Y_pred, average).f1())


def micro_f1(Y_true: ArrayLike, Y_pred: ArrayLike) -> float:
    """`f1(Y_true, Y_pred, "micro")`."""
    return f1(Y_true, Y_pred, "micro")


def macro_f1(Y_true: ArrayLike, Y_pred: ArrayLike) -> float:
    """`f1(Y_true, Y_pred, "macro")`."""
    return f1(Y_true, Y_pred, "macro")


def samples_f1(Y_true: ArrayLike, Y_pred: ArrayLike) -> float:
    """`f1(Y_true, Y_pred, "samples")`."""
    return f1(Y_true, Y_pred, "samples")


def hamming_loss(Y_true: ArrayLike, Y_pred: ArrayLike) -> float:
    """Share of all n·L cells that are wrong; NaN without rows.

    Source: Schapire and Singer 1999, DOI 10.1023/A:1007614523901.
    """
    true, predicted = checked(Y_true, Y_pred)
    return np.count_nonzero(true ^ predicted) / true.size if true.size else float("nan")


def subset_accuracy(Y_true: ArrayLike, Y_pred: ArrayLike) -> float:
    """Share of all rows whose labelset is predicted exactly, the empty labelset included; NaN without rows.

    Source: Zhu, Ji, Xu, Gong 2005, DOI 10.1145/1076034.1076082.
    """
    true, predicted = checked(Y_true, Y_pred)
    return mean_defined((true == predicted).all(axis=1))


def labels_scored(Y_true: ArrayLike) -> int:
    """How many labels have a positive among these rows: the ones that macro averages run over."""
    return int(label_matrix(Y_true, "Y_true").any(axis=0).sum())


def averages(true: Bools, predicted: Bools) -> dict[str, float]:
    """The nine of micro/macro/samples × F1/precision/recall, from one count of the cells."""
    labels, rows = label_counts(true, predicted), row_counts(true, predicted)
    kinds = {"micro": labels.pooled(), "macro": labels.scored(), "samples": rows.scored()}
    found: dict[str, float] = {}
    for kind, counts in kinds.items():
        found[f"{kind}_f1"] = mean_defined(counts.f1())
        found[f"{kind}_precision"] = mean_defined(counts.precision())
        found[f"{kind}_recall"] = mean_defined(counts.recall())
    return found


def _counts(true: Bools, predicted: Bools, axis: int) -> Counts:
    hits = np.count_nonzero(true & predicted, axis=axis)
    return Counts(hits, np.count_nonzero(predicted, axis=axis), np.count_nonzero(true, axis=axis))


def _averaged(Y_true: ArrayLike, Y_pred: ArrayLike, average: str) -> Counts:
    true, predicted = checked(Y_true, Y_pred)
    if average == "micro":
        return label_counts(true, predicted).pooled()
    if average == "macro":
        return label_counts(true, predicted).scored()
    if average == "samples":
        return row_counts(true, predicted).scored()
    raise unknown("average", average, ["micro", "macro", "samples"])
