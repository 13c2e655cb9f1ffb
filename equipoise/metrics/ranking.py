"""Ranking metrics, which need scores but no threshold: Y_true (n, L) of 0/1 and scores (n, L), higher = more likely.

Only the order of the scores matters, so logits and probabilities give the same numbers. Ties are never broken: every member
of a group of equal scores gets the rank of the *last* one (in AUROC a tie is half a win).

mAP and AUROC run over labels with a positive and a negative in Y_true, like all macro averages.
The rule for 0/0: **a label (mAP, AUROC) or a row (LRAP, ranking loss, coverage) whose value is undefined is left out of the
mean**; a mean of nothing is NaN. scikit-learn puts 0 or 1 in such places; where its values are defined, they equal these, as
the tests check.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.core.arrays import (
    Bools,
    Floats,
    descending,
    ends_of_ties,
    label_matrix,
    mean_defined,
    ratio,
    row_chunks,
    score_matrix,
)
from equipoise.metrics.decision import scored_labels


class Ranked(NamedTuple):
    """Metrics of m rankings (of rows for each label, or of labels for each row), all (m,) and NaN where undefined.

    All of them come from one sort, which is by far the most expensive step.
    """

    precision: Floats  # average precision: the mean over the positives of the precision at their rank
    wins: Floats  # share of positive–negative pairs in the right order, ties counted half
    losses: Floats  # share of positive–negative pairs in the wrong order, ties counted fully
    depth: Floats  # rank of the lowest positive, from 1


def mean_average_precision(Y_true: ArrayLike, scores: ArrayLike) -> float:
    """mAP: the mean average precision of the labels with a positive and a negative; NaN if there is no such label.

    AP = the mean over a label's positives of the precision at their score (no interpolation).
    Source: Buckley and Voorhees 2000, DOI 10.1145/345508.345543.
    """
    return mean_defined(scored_precision(*_checked(Y_true, scores)))


def average_precision_per_label(Y_true: ArrayLike, scores: ArrayLike) -> Floats:
    """Average precision of each label, (L,); NaN without a positive, 1 without a negative."""
    return by_label(*_checked(Y_true, scores)).precision


def auroc(Y_true: ArrayLike, scores: ArrayLike) -> float:
    """Macro AUROC: the mean over labels of the share of positive–negative pairs of rows in the right order.

    A tie counts half. Labels without a positive or without a negative are left out; NaN if none remains.
    Source: Fawcett 2006, DOI 10.1016/j.patrec.2005.10.010.
    """
    return mean_defined(auroc_per_label(Y_true, scores))


def auroc_per_label(Y_true: ArrayLike, scores: ArrayLike) -> Floats:
    """AUROC of each label, (L,); NaN for a label without a positive or without a negative."""
    return by_label(*_checked(Y_true, scores)).wins


def lrap(Y_true: ArrayLike, scores: ArrayLike) -> float:
    """Label ranking average precision: the mean over rows with a true label; 1 for a row that has all labels.

    A row's value is the mean over its true labels of (true labels ranked as high or higher) / (labels ranked as high or
    higher).
    Source: Schapire and Singer 2000, DOI 10.1023/A:1007649029923.
    """
    return mean_defined(by_row(*_checked(Y_true, scores)).precision)


def ranking_loss(Y_true: ArrayLike, scores: ArrayLike) -> float:
    """Ranking loss: the share of a row's (true, false) label pairs in the wrong order, averaged over rows.

    A tie counts as wrong. Rows without a true or without a false label have no pair and are left out; NaN if none remains.
    Source: Schapire and Singer 2000, DOI 10.1023/A:1007649029923.
    """
    return mean_defined(by_row(*_checked(Y_true, scores)).losses)


def coverage(Y_true: ArrayLike, scores: ArrayLike) -> float:
    """Coverage: how far down a row's ranking one must go to find all its true labels; mean over rows with a true label.

    Ranks count from 1, as in scikit-learn (the source subtracts 1), so the best possible value is the label cardinality of
    these rows. NaN if no row has a true label. Source: Schapire and Singer 2000, DOI 10.1023/A:1007649029923.
    """
    return mean_defined(by_row(*_checked(Y_true, scores)).depth)


def scored_precision(true: Bools, scores: NDArray[Any], ranked: Ranked | None = None) -> Floats:
    """Average precision of the labels that mAP runs over; `ranked` is that of `by_label` if it is known already."""
    precision = (by_label(true, scores) if ranked is None else ranked).precision
    # A label that is always on has 1 whatever its scores are, which would only hide the others.
    return np.asarray(precision[scored_labels(true)])


def by_label(true: Bools, scores: NDArray[Any]) -> Ranked:
    """Rank the rows of each label."""
    return _in_chunks(true.T, scores.T)


def by_row(true: Bools, scores: NDArray[Any]) -> Ranked:
    """Rank the labels of each row."""
    return _in_chunks(true, scores)


def _in_chunks(true: Bools, scores: NDArray[Any]) -> Ranked:
    parts = [_rank(true[rows], scores[rows]) for rows in row_chunks(*true.shape)]
    if not parts:
        return Ranked(*(np.empty(0) for _ in Ranked._fields))
    return Ranked(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _rank(true: Bools, scores: NDArray[Any]) -> Ranked:
    """Metrics of m rankings of n items each, from `true` and scores (m, n)."""
    if true.shape[1] == 0:  # nothing to rank, so every metric is undefined
        return Ranked(*(np.full(len(true), np.nan) for _ in Ranked._fields))
    ordered, hit = descending(np.ascontiguousarray(scores), np.ascontiguousarray(true))
    rank = _tie_end(ends_of_ties(ordered)) + 1
    positives_above = np.take_along_axis(np.cumsum(hit, axis=1, dtype=np.int32), rank - 1, axis=1)
    positives, negatives = positives_above[:, -1], true.shape[1] - positives_above[:, -1]
    # For each positive the negatives ranked as high or higher, and for each negative the positives ranked strictly lower. A
    # wrong pair is in both sums and a tie only in the first, which is how a tie comes to count half among the wins.
    wrong = np.where(hit, rank - positives_above, 0).sum(axis=1, dtype=np.float64)
    positives_below = np.where(hit, 0, positives[:, None] - positives_above).sum(axis=1, dtype=np.float64)
    pairs = positives.astype(np.float64) * negatives
    depth = np.where(positives > 0, np.where(hit, rank, 0).max(axis=1), np.nan)
    precision = ratio(np.where(hit, positives_above / rank, 0.0).sum(axis=1), positives)
    wins = 1.0 - ratio(wrong + positives_below, 2 * pairs)
    return Ranked(precision, wins, ratio(wrong, pairs), depth)


def _tie_end(ends: Bools) -> NDArray[np.int32]:
    """Position of the last member of each score's group of ties, (m, n), from a mask of those last members."""
    width = ends.shape[1]
    # Scanned from the right, the running minimum is the position of the next end.
    last = np.where(ends, np.arange(width, dtype=np.int32), np.int32(width))
    return np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]


def _checked(Y_true: ArrayLike, scores: ArrayLike) -> tuple[Bools, NDArray[Any]]:
    true = label_matrix(Y_true, "Y_true")
    return true, score_matrix(scores, true.shape)
