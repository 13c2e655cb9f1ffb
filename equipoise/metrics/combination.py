"""Recall of label combinations that training hardly ever (or never) saw: the metrics this field lacks.

They are original to equipoise, so they are defined here in full. A *combination* is a labelset, one distinct
row of Y, **with at least one label**: the empty labelset is no combination, because a model that predicts
nothing would be credited with it. A labelset of a single label is one.

- `rare_combination_recall(k)`, rcr@k: over the labelsets seen 1..k times in training that occur in the scored
  rows.
- `unseen_combination_recall`: the same over the labelsets that never occur in training.
- `rare_pair_recall(k)`, rpr@k: over unordered pairs of labels that co-occur 1..k times in training and at
  least once in the scored rows.

Averages: "macro", the mean over combinations of the share of their rows predicted exactly; "micro", the share
of all their rows predicted exactly; "soft", label by label: the mean over combinations of the mean over their
rows of the Jaccard index |true ∩ predicted| / |true ∪ predicted|. The Jaccard index is 1 exactly where the
labelset is predicted exactly, so soft ≥ macro, and naming every label earns little (a soft *recall* would
give it full marks).

One rule for 0/0: **no such combination in the scored rows → NaN**. The support, how many combinations and
rows a number rests on, comes with it.
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
    """What a recall rests on: distinct labelsets (or pairs), and their occurrences in the scored rows."""

    combinations: int
    rows: int


class Matched(NamedTuple):
    """Each scored row's labelset: its id (n,) and how many training rows hold it (n,), −1 if empty."""

    ids: Ints
    seen: Ints


def rare_combination_recall(
    Y_true: ArrayLike, Y_pred: ArrayLike, Y_train: ArrayLike, k: int = 10, average: Average = "macro"
) -> float:
    """rcr@k: recall of the labelsets seen 1..k times in Y_train, averaged as the module says; or NaN.

    Y_true, Y_pred (n, L) and Y_train (n_train, L) of 0/1. Raises EquipoiseError where shapes differ or k < 1.
    """
    true, predicted = checked(Y_true, Y_pred)
    matched = match(true, train_matrix(Y_train, true.shape[1]))
    return labelset_recall(true, predicted, matched, _rare(matched, k), average)


def rare_combination_support(Y_true: ArrayLike, Y_train: ArrayLike, k: int = 10) -> Support:
    """The labelsets seen 1..k times in Y_train that occur in Y_true, and their rows there."""
    true, _ = checked(Y_true, Y_true)
    matched = match(true, train_matrix(Y_train, true.shape[1]))
    return labelset_support(matched, _rare(matched, k))


def unseen_combination_recall(
    Y_true: ArrayLike, Y_pred: ArrayLike, Y_train: ArrayLike, average: Average = "macro"
) -> float:
    """Recall of the labelsets that never occur in Y_train, averaged as the module says; or NaN."""
    true, predicted = checked(Y_true, Y_pred)
    matched = match(true, train_matrix(Y_train, true.shape[1]))
    return labelset_recall(true, predicted, matched, matched.seen == 0, average)


def unseen_combination_support(Y_true: ArrayLike, Y_train: ArrayLike) -> Support:
    """The labelsets of Y_true that never occur in Y_train, and their rows."""
    true, _ = checked(Y_true, Y_true)
    matched = match(true, train_matrix(Y_train, true.shape[1]))
    return labelset_support(matched, matched.seen == 0)


def rare_pair_recall(Y_true: ArrayLike, Y_pred: ArrayLike, Y_train: ArrayLike, k: int = 10) -> float:
    """rpr@k: over label pairs that co-occur 1..k times in Y_train, the recall of predicting both.

    The mean over pairs of the share of their rows with both predicted; what else is predicted there does
    not matter. NaN where no such pair occurs in Y_true.
    """
    true, predicted = checked(Y_true, Y_pred)
    return Pairs(true, predicted, train_matrix(Y_train, true.shape[1])).recall(k)


def rare_pair_support(Y_true: ArrayLike, Y_train: ArrayLike, k: int = 10) -> Support:
    """The label pairs that rpr@k averages over, and how often they co-occur in Y_true."""
    true, _ = checked(Y_true, Y_true)
    return Pairs(true, true, train_matrix(Y_train, true.shape[1])).support(k)


class Pairs:
    """How often each unordered pair of labels occurs in training, occurs in the scored rows, and is hit there."""

    def __init__(self, true: Bools, predicted: Bools, train: Bools) -> None:
        upper = np.triu_indices(true.shape[1], k=1)
        self.train: Ints = cooccurrence(train)[upper]
        self.true: Ints = cooccurrence(true)[upper]
        self.hits: Ints = cooccurrence(true & predicted)[upper]

    def recall(self, k: int) -> float:
        """rpr@k."""
        chosen = self._chosen(k)
        return mean_defined(ratio(self.hits[chosen], self.true[chosen]))

    def support(self, k: int) -> Support:
        """The pairs that rpr@k rests on and their occurrences."""
        chosen = self._chosen(k)
        return Support(int(chosen.sum()), int(self.true[chosen].sum()))

    def _chosen(self, k: int) -> Bools:
        return (self.train >= 1) & (self.train <= _positive(k)) & (self.true > 0)


def match(true: Bools, train: Bools) -> Matched:
    """Find each scored row's labelset in training."""
    _, ids, _ = labelset_ids(np.concatenate([train, true]))
    seen = np.bincount(ids[: len(train)], minlength=len(train) + len(true))[ids[len(train) :]]
    return Matched(ids[len(train) :], np.where(true.any(axis=1), seen, -1))


def labelset_recall(true: Bools, predicted: Bools, matched: Matched, chosen: Bools, average: str) -> float:
    """Recall over the chosen rows' labelsets (`chosen` is (n,) and holds whole labelsets)."""
    if average not in ("macro", "micro", "soft"):
        raise unknown("average", average, ["macro", "micro", "soft"])
    true, predicted = true[chosen], predicted[chosen]
    marks = (
        _jaccard(true, predicted) if average == "soft" else (true == predicted).all(axis=1).astype(np.float64)
    )
    if average == "micro":
        return mean_defined(marks)
    _, groups = np.unique(matched.ids[chosen], return_inverse=True)
    return mean_defined(np.bincount(groups, weights=marks) / np.bincount(groups))


def labelset_support(matched: Matched, chosen: Bools) -> Support:
    """How many labelsets and rows are chosen."""
    return Support(len(np.unique(matched.ids[chosen])), int(chosen.sum()))


def summary(true: Bools, predicted: Bools, train: Bools, ks: tuple[int, ...]) -> dict[str, float]:
    """All of this module under the names of the result rows, from one matching and one pair count."""
    matched, pairs = match(true, train), Pairs(true, predicted, train)
    chosen = {f"rcr{{}}_at_{k}": _rare(matched, k) for k in ks} | {"unseen{}": matched.seen == 0}
    found: dict[str, float] = {}
    for name, rows in chosen.items():
        exact = name.format("_recall" if name.startswith("unseen") else "")
        found[exact] = labelset_recall(true, predicted, matched, rows, "macro")
        for average in ("micro", "soft"):
            found[name.format(f"_{average}")] = labelset_recall(true, predicted, matched, rows, average)
        support = labelset_support(matched, rows)
        found |= {name.format("_support"): support.combinations, name.format("_rows"): support.rows}
    for k in ks:
        found |= {f"rpr_at_{k}": pairs.recall(k), f"rpr_support_at_{k}": pairs.support(k).combinations}
    return found


def _rare(matched: Matched, k: int) -> Bools:
    return (matched.seen >= 1) & (matched.seen <= _positive(k))


def _jaccard(true: Bools, predicted: Bools) -> Floats:
    """|∩| / |∪| of each row, (n,); every row has a true label, so the union is never empty."""
    marks = np.empty(len(true))
    for rows in row_chunks(*true.shape):
        both = np.count_nonzero(true[rows] & predicted[rows], axis=1)
        marks[rows] = both / np.count_nonzero(true[rows] | predicted[rows], axis=1)
    return marks


def _positive(k: int) -> int:
    if k < 1:
        raise EquipoiseError(f"k = {k}; rare means seen 1..k times in training, so k is at least 1")
    return k
