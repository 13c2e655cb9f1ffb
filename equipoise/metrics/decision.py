"""Metrics of 0/1 predictions: functions of Y_true and Y_pred, both (n, L) of 0/1.

The rule for 0/0: **a ratio with denominator 0 is NaN and is left out of the average**; an average of nothing is NaN. The
kinds of average:

- *macro* runs over labels with at least one positive and at least one negative in Y_true (`labels_scored` counts them): a label
  that is absent, or always on, cannot tell a good prediction from a constant one. F1 and recall are defined for all of these.
  Precision is undefined for a label that is never predicted, which is left out of macro precision only.
- *samples* runs over rows with at least one true label, by the same rule: a row for which nothing is predicted is left out of
  samples precision only. Predictions for rows without a true label count in the micro metrics, in Hamming loss and in subset
  accuracy.
- *micro* pools all cells, including those of labels and rows without a positive.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Bools, Floats, Ints, label_matrix, mean_defined, ratio, same_shape
from equipoise.core.errors import unknown

Average = Literal["micro", "macro", "samples"]


class Counts(NamedTuple):
    """Numbers of hits (positives that are predicted), of predictions and of positives, per label, per row or in total."""

    hits: Ints
    predicted: Ints
    true: Ints

    def of(self, scored: Bools) -> Counts:
        """The counts of some labels (or rows)."""
        return Counts(self.hits[scored], self.predicted[scored], self.true[scored])

    def pooled(self) -> Counts:
        """The sums over all labels (or rows), as arrays of length 1."""
        return Counts(*(np.atleast_1d(part.sum()) for part in self))

    def precision(self) -> Floats:
        """Precision hits / predicted; NaN where nothing is predicted."""
        return ratio(self.hits, self.predicted)

    def recall(self) -> Floats:
        """Recall hits / true; NaN where nothing is true."""
        return ratio(self.hits, self.true)

    def f1(self) -> Floats:
        """F1 = 2·hits / (predicted + true): 0 if there are no hits; NaN if nothing is predicted and nothing is true."""
        return ratio(2 * self.hits, self.predicted + self.true)


def checked(Y_true: ArrayLike, Y_pred: ArrayLike) -> tuple[Bools, Bools]:
    """Both matrices as bool. Raises EquipoiseError if they are not 0/1 or their shapes differ."""
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
    """Precision; labels (rows) for which nothing is predicted are left out. NaN if none remains.

    The module describes `average`. Source: Sokolova and Lapalme 2009, DOI 10.1016/j.ipm.2009.03.002.
    """
    return mean_defined(_averaged(Y_true, Y_pred, average).precision())


def recall(Y_true: ArrayLike, Y_pred: ArrayLike, average: Average = "macro") -> float:
    """Recall; NaN if there is no label (row) to score.

    The module describes `average`. Source: Sokolova and Lapalme 2009, DOI 10.1016/j.ipm.2009.03.002.
    """
    return mean_defined(_averaged(Y_true, Y_pred, average).recall())


def f1(Y_true: ArrayLike, Y_pred: ArrayLike, average: Average = "macro") -> float:
    """F1 = 2·hits / (predicted + true); "macro" is the mean of the labels' F1 (not the F1 of mean precision and recall).

    NaN if there is no label (row) to score; micro-F1 is NaN only if nothing is true and nothing is predicted. The module
    describes `average`.
    Source: Sokolova and Lapalme 2009, DOI 10.1016/j.ipm.2009.03.002.
    """
    return mean_defined(_averaged(Y_true, Y_pred, average).f1())


def micro_f1(Y_true: ArrayLike, Y_pred: ArrayLike) -> float:
    """F1 of all cells pooled: `f1(Y_true, Y_pred, "micro")`."""
    return f1(Y_true, Y_pred, "micro")


def macro_f1(Y_true: ArrayLike, Y_pred: ArrayLike) -> float:
    """Mean F1 of the labels: `f1(Y_true, Y_pred, "macro")`."""
    return f1(Y_true, Y_pred, "macro")


def samples_f1(Y_true: ArrayLike, Y_pred: ArrayLike) -> float:
    """Mean F1 of the rows: `f1(Y_true, Y_pred, "samples")`."""
    return f1(Y_true, Y_pred, "samples")


# Hamming loss and subset accuracy run over all cells and rows, also those without a positive, as their sources define them.


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


def scored_labels(true: Bools) -> Bools:
    """The labels that macro averages run over, (L,): those with a positive and a negative in Y_true (n, L)."""
    return np.asarray(true.any(axis=0) & ~true.all(axis=0))


def labels_scored(Y_true: ArrayLike) -> int:
    """The number of labels that macro averages run over, see `scored_labels`."""
    return int(scored_labels(label_matrix(Y_true, "Y_true")).sum())


def averages(true: Bools, predicted: Bools) -> dict[str, float]:
    """The nine combinations of micro/macro/samples with F1/precision/recall, by name."""
    # The cells are counted only once; calling the nine functions would count them nine times.
    labels, rows = label_counts(true, predicted), row_counts(true, predicted)
    kinds = {
        "micro": labels.pooled(),
        "macro": labels.of(scored_labels(true)),
        "samples": rows.of(rows.true > 0),
    }
    metrics: dict[str, float] = {}
    for kind, counts in kinds.items():
        metrics[f"{kind}_f1"] = mean_defined(counts.f1())
        metrics[f"{kind}_precision"] = mean_defined(counts.precision())
        metrics[f"{kind}_recall"] = mean_defined(counts.recall())
    return metrics


def _counts(true: Bools, predicted: Bools, axis: int) -> Counts:
    # `count_nonzero` is much faster on bool arrays than `sum`.
    hits = np.count_nonzero(true & predicted, axis=axis)
    return Counts(hits, np.count_nonzero(predicted, axis=axis), np.count_nonzero(true, axis=axis))


def _averaged(Y_true: ArrayLike, Y_pred: ArrayLike, average: str) -> Counts:
    true, predicted = checked(Y_true, Y_pred)
    if average == "micro":
        return label_counts(true, predicted).pooled()
    if average == "macro":
        return label_counts(true, predicted).of(scored_labels(true))
    if average == "samples":
        rows = row_counts(true, predicted)
        return rows.of(rows.true > 0)
    raise unknown("average", average, ["micro", "macro", "samples"])
