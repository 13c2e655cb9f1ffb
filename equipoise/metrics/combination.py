"""Recall of label combinations that are rare in training, or absent from it.

These metrics are original to equipoise, so they are defined here in full. A *combination* is a labelset, that is, a distinct
row of Y, **with at least one label**. The empty labelset does not count, because a model that predicts nothing would get it
right; a labelset of a single label does.

- `rare_combination_recall(k)`, rcr@k, runs over the labelsets that occur 1..k times in training and at least once in the scored
  rows.
- `unseen_combination_recall` runs over the labelsets of the scored rows that never occur in training.
- `rare_pair_recall(k)`, rpr@k, runs over unordered pairs of labels that co-occur 1..k times in training and at least once in
  the scored rows.

Averages: "macro" is the mean over combinations of the share of their rows that are predicted exactly. "micro" is the share of
all their rows that are predicted exactly. "soft" gives partial credit: the mean over combinations of the mean Jaccard index
|true ∩ predicted| / |true ∪ predicted| of their rows. The Jaccard index is 1 only for an exact prediction, so soft ≥ macro;
and it is low for a model that predicts every label, to which a soft *recall* would give full marks.

The rule for 0/0: **no such combination in the scored rows → NaN**. Each metric has a support: the number of combinations and
rows it is averaged over.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Bools, Floats, Ints, mean_defined, ratio, row_chunks, train_matrix
from equipoise.core.errors import EquipoiseError, unknown
from equipoise.measures import cooccurrence, labelset_ids
from equipoise.metrics.decision import checked

Average = Literal["macro", "micro", "soft"]


class Support(NamedTuple):
    """What a recall is averaged over: the number of labelsets (or pairs) and of scored rows in which they occur."""

    combinations: int
    rows: int


class Matched(NamedTuple):
    """Each scored row's labelset: its id (n,) and the number of training rows with it (n,), −1 for the empty labelset."""

    ids: Ints
    seen: Ints


def rare_combination_recall(
    Y_true: ArrayLike, Y_pred: ArrayLike, Y_train: ArrayLike, k: int = 10, average: Average = "macro"
) -> float:
    """rcr@k: recall of the labelsets that occur 1..k times in Y_train; NaN if Y_true has none.

    Y_true and Y_pred are (n, L), Y_train is (n_train, L), all of 0/1. The module describes `average`. Raises EquipoiseError if
    shapes differ or k < 1.
    """
    true, predicted = checked(Y_true, Y_pred)
    matched = match(true, train_matrix(Y_train, true.shape[1]))
    return labelset_recall(true, predicted, matched, _rare(matched, k), average)


def rare_combination_support(Y_true: ArrayLike, Y_train: ArrayLike, k: int = 10) -> Support:
    """Support of rcr@k: how many labelsets of Y_true occur 1..k times in Y_train, and in how many rows of Y_true."""
    true, _ = checked(Y_true, Y_true)
    matched = match(true, train_matrix(Y_train, true.shape[1]))
    return labelset_support(matched, _rare(matched, k))


def unseen_combination_recall(
    Y_true: ArrayLike, Y_pred: ArrayLike, Y_train: ArrayLike, average: Average = "macro"
) -> float:
    """Recall of the labelsets that never occur in Y_train; NaN if Y_true has none. The module describes `average`."""
    true, predicted = checked(Y_true, Y_pred)
    matched = match(true, train_matrix(Y_train, true.shape[1]))
    return labelset_recall(true, predicted, matched, matched.seen == 0, average)


def unseen_combination_support(Y_true: ArrayLike, Y_train: ArrayLike) -> Support:
    """How many labelsets of Y_true never occur in Y_train, and in how many rows of Y_true."""
    true, _ = checked(Y_true, Y_true)
    matched = match(true, train_matrix(Y_train, true.shape[1]))
    return labelset_support(matched, matched.seen == 0)


def rare_pair_recall(Y_true: ArrayLike, Y_pred: ArrayLike, Y_train: ArrayLike, k: int = 10) -> float:
    """rpr@k: recall of label pairs that co-occur 1..k times in Y_train.

    It is the mean over pairs of the share of their rows for which both labels are predicted; other predictions for these rows
    do not matter. NaN if no such pair occurs in Y_true.
    """
    true, predicted = checked(Y_true, Y_pred)
    return Pairs(true, predicted, train_matrix(Y_train, true.shape[1])).recall(k)


def rare_pair_support(Y_true: ArrayLike, Y_train: ArrayLike, k: int = 10) -> Support:
    """Support of rpr@k: the number of label pairs it averages over, and how often they co-occur in Y_true."""
    true, _ = checked(Y_true, Y_true)
    return Pairs(true, true, train_matrix(Y_train, true.shape[1])).support(k)


class Pairs:
    """Counts of each unordered pair of labels: in training, in the scored rows, and predicted correctly there."""

    def __init__(self, true: Bools, predicted: Bools, train: Bools) -> None:
        upper = np.triu_indices(true.shape[1], k=1)  # each pair once, without the labels' own counts
        # A pair occurs in a row if both labels are on; it is predicted correctly if both are also predicted.
        self.train: Ints = cooccurrence(train)[upper]
        self.true: Ints = cooccurrence(true)[upper]
        self.hits: Ints = cooccurrence(true & predicted)[upper]

    def recall(self, k: int) -> float:
        """rpr@k."""
        chosen = self._chosen(k)
        return mean_defined(ratio(self.hits[chosen], self.true[chosen]))

    def support(self, k: int) -> Support:
        """The number of pairs that rpr@k averages over, and their occurrences in the scored rows."""
        chosen = self._chosen(k)
        return Support(int(chosen.sum()), int(self.true[chosen].sum()))

    def _chosen(self, k: int) -> Bools:
        return (self.train >= 1) & (self.train <= _positive(k)) & (self.true > 0)


def match(true: Bools, train: Bools) -> Matched:
    """Look up each scored row's labelset in the training rows."""
    # Training and scored rows are numbered together, so that equal labelsets get equal ids.
    _, ids, _ = labelset_ids(np.concatenate([train, true]))
    seen = np.bincount(ids[: len(train)], minlength=len(train) + len(true))[ids[len(train) :]]
    return Matched(ids[len(train) :], np.where(true.any(axis=1), seen, -1))


def labelset_recall(true: Bools, predicted: Bools, matched: Matched, chosen: Bools, average: str) -> float:
    """Recall of the labelsets of the chosen rows; `chosen` (n,) must hold all rows of a labelset or none."""
    if average not in ("macro", "micro", "soft"):
        raise unknown("average", average, ["macro", "micro", "soft"])
    true, predicted = true[chosen], predicted[chosen]
    exact = (true == predicted).all(axis=1).astype(np.float64)
    credit = _jaccard(true, predicted) if average == "soft" else exact
    if average == "micro":
        return mean_defined(credit)
    # The mean within each labelset first, so that a labelset with many rows counts no more than one with few.
    _, groups = np.unique(matched.ids[chosen], return_inverse=True)
    return mean_defined(np.bincount(groups, weights=credit) / np.bincount(groups))


def labelset_support(matched: Matched, chosen: Bools) -> Support:
    """The number of labelsets and of rows among the chosen rows."""
    return Support(len(np.unique(matched.ids[chosen])), int(chosen.sum()))


def summary(true: Bools, predicted: Bools, train: Bools, ks: tuple[int, ...]) -> dict[str, float]:
    """All metrics of this module by their names in the result rows, with labelsets and pairs counted only once."""
    matched, pairs = match(true, train), Pairs(true, predicted, train)
    # The braces are filled with the kind of average: rcr_at_3, rcr_micro_at_3, …; unseen_recall, unseen_micro, ….
    chosen = {f"rcr{{}}_at_{k}": _rare(matched, k) for k in ks} | {"unseen{}": matched.seen == 0}
    metrics: dict[str, float] = {}
    for name, rows in chosen.items():
        macro = name.format("_recall" if name.startswith("unseen") else "")
        metrics[macro] = labelset_recall(true, predicted, matched, rows, "macro")
        for average in ("micro", "soft"):
            metrics[name.format(f"_{average}")] = labelset_recall(true, predicted, matched, rows, average)
        support = labelset_support(matched, rows)
        metrics |= {name.format("_support"): support.combinations, name.format("_rows"): support.rows}
    for k in ks:
        metrics |= {f"rpr_at_{k}": pairs.recall(k), f"rpr_support_at_{k}": pairs.support(k).combinations}
    return metrics


def _rare(matched: Matched, k: int) -> Bools:
    return (matched.seen >= 1) & (matched.seen <= _positive(k))


def _jaccard(true: Bools, predicted: Bools) -> Floats:
    """Jaccard index |true ∩ predicted| / |true ∪ predicted| of each row, (n,)."""
    jaccard = np.empty(len(true))
    for rows in row_chunks(*true.shape):
        both = np.count_nonzero(true[rows] & predicted[rows], axis=1)
        # The union is never empty: a chosen row has at least one true label.
        jaccard[rows] = both / np.count_nonzero(true[rows] | predicted[rows], axis=1)
    return jaccard


def _positive(k: int) -> int:
    if k < 1:
        raise EquipoiseError(f"k = {k}; rare means 1..k occurrences in training, so k must be at least 1")
    return k
