"""Metrics of scores, without a threshold: Y_true (n, L) of 0/1 and scores (n, L), higher = more likely.

Only the order of the scores matters, so logits and probabilities give the same numbers. Equal scores are
never put in an order they do not have: a positive stands at the *end* of its group of ties (AUROC: half a win
for a tie).

One rule for 0/0: **a label (mAP, AUROC) or a row (LRAP, ranking loss, coverage) whose value is undefined is
left out of the mean**; a mean of nothing is NaN. scikit-learn puts 0 or 1 there and loops over labels and
rows in Python; where both are defined the numbers are equal, which the tests check.
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


class Ranked(NamedTuple):
    """What one sort of each of m queries gives, all (m,) float64 and NaN where undefined."""

    precision: Floats  # mean over the positives of the precision at the end of their tie group
    wins: Floats  # share of positive–negative pairs in the right order, ties half
    losses: Floats  # share of such pairs in the wrong order, ties whole
    depth: Floats  # rank (from 1, end of tie group) of the lowest positive


def mean_average_precision(Y_true: ArrayLike, scores: ArrayLike) -> float:
    """mAP: mean over labels with at least one positive of the average precision; NaN where no label has one.

    AP = Σ over positives of the precision at their score, divided by the number of positives (no
    interpolation).
    Source: Buckley and Voorhees 2000, DOI 10.1145/345508.345543.
    """
    return mean_defined(average_precision_per_label(Y_true, scores))


def average_precision_per_label(Y_true: ArrayLike, scores: ArrayLike) -> Floats:
    """Average precision of each label, (L,); NaN without a positive, 1 without a negative."""
    return by_label(*_checked(Y_true, scores)).precision


def auroc(Y_true: ArrayLike, scores: ArrayLike) -> float:
    """Macro AUROC: mean over labels that have a positive and a negative of the share of pairs ordered right.

    A tie is half a win. Other labels are left out; NaN where none is left.
    Source: Fawcett 2006, DOI 10.1016/j.patrec.2005.10.010.
    """
    return mean_defined(auroc_per_label(Y_true, scores))


def auroc_per_label(Y_true: ArrayLike, scores: ArrayLike) -> Floats:
    """AUROC of each label, (L,); NaN for a label without a positive or without a negative."""
    return by_label(*_checked(Y_true, scores)).wins


def lrap(Y_true: ArrayLike, scores: ArrayLike) -> float:
    """Label ranking average precision: mean over rows with a true label; 1 for a row that has all labels.

    Per row: mean over its true labels of (true labels ranked as high or higher) / (labels ranked as high or
    higher).
    Source: Schapire and Singer 2000, DOI 10.1023/A:1007649029923.
    """
    return mean_defined(by_row(*_checked(Y_true, scores)).precision)


def ranking_loss(Y_true: ArrayLike, scores: ArrayLike) -> float:
    """Share of a row's (true, false) label pairs in the wrong order, a tie counting as wrong; mean over rows.

    Rows with no true or no false label have no pair and are left out; NaN where none is left.
    Source: Schapire and Singer 2000, DOI 10.1023/A:1007649029923.
    """
    return mean_defined(by_row(*_checked(Y_true, scores)).losses)


def coverage(Y_true: ArrayLike, scores: ArrayLike) -> float:
    """How many labels, from the top, cover all true ones: mean over rows with a true label.

    Counted from 1, as scikit-learn does (the source subtracts 1), so at best the cardinality; NaN where no
    row has a true label.
    Source: Schapire and Singer 2000, DOI 10.1023/A:1007649029923.
    """
    return mean_defined(by_row(*_checked(Y_true, scores)).depth)


def by_label(true: Bools, scores: NDArray[Any]) -> Ranked:
    """Rank the rows of each label."""
    return _in_chunks(true.T, scores.T)


def by_row(true: Bools, scores: NDArray[Any]) -> Ranked:
    """Rank the labels of each row."""
    return _in_chunks(true, scores)


def _in_chunks(true: Bools, scores: NDArray[Any]) -> Ranked:
    parts = [_rank(true[rows], scores[rows]) for rows in row_chunks(*true.shape)]
    return Ranked(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else _nothing()


def _nothing() -> Ranked:
    return Ranked(np.empty(0), np.empty(0), np.empty(0), np.empty(0))


def _rank(true: Bools, scores: NDArray[Any]) -> Ranked:
    if true.shape[1] == 0:  # no rows: every label is undefined
        return Ranked(*(np.full(len(true), np.nan) for _ in Ranked._fields))
    ordered, hit = descending(np.ascontiguousarray(scores), np.ascontiguousarray(true))
    rank = _tie_end(ends_of_ties(ordered)) + 1
    above = np.take_along_axis(
        np.cumsum(hit, axis=1, dtype=np.int32), rank - 1, axis=1
    )  # positives down to here
    positives, negatives = above[:, -1], true.shape[1] - above[:, -1]
    wrong = np.where(hit, rank - above, 0).sum(
        axis=1, dtype=np.float64
    )  # negatives at or above each positive
    beaten = np.where(hit, 0, positives[:, None] - above).sum(axis=1, dtype=np.float64)  # below each negative
    pairs = positives.astype(np.float64) * negatives
    depth = np.where(positives > 0, np.where(hit, rank, 0).max(axis=1), np.nan)
    precision = ratio(np.where(hit, above / rank, 0.0).sum(axis=1), positives)
    return Ranked(precision, 1.0 - ratio(wrong + beaten, 2 * pairs), ratio(wrong, pairs), depth)


def _tie_end(ends: Bools) -> NDArray[np.int32]:
    """Position of the last member of each score's tie group, (m, n)."""
    width = ends.shape[1]
    last = np.where(ends, np.arange(width, dtype=np.int32), np.int32(width))
    return np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]


def _checked(Y_true: ArrayLike, scores: ArrayLike) -> tuple[Bools, NDArray[Any]]:
    true = label_matrix(Y_true, "Y_true")
    return true, score_matrix(scores, true.shape)
