"""Every metric of a result row at once: at a decision, of the scores, and label by label."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import ArrayLike

from equipoise.core.arrays import label_matrix, mean_defined, score_matrix, train_matrix
from equipoise.metrics import calibration, combination, ranking
from equipoise.metrics.decision import (
    averages,
    checked,
    hamming_loss,
    label_counts,
    labels_scored,
    subset_accuracy,
)
from equipoise.metrics.frequency import frequency_f1

RARE = (3, 10)  # the k of rcr@k and rpr@k that every row carries


def decision_metrics(
    Y_true: ArrayLike, Y_pred: ArrayLike, Y_train: ArrayLike, ks: tuple[int, ...] = RARE
) -> dict[str, float]:
    """Metrics of a 0/1 prediction by name, NaN where undefined; the rules stand in the modules of `metrics`.

    Y_true and Y_pred are (n, L), Y_train (n_train, L) says which labels, labelsets and pairs are rare.
    `*_support` counts labelsets (rpr: pairs) and `*_rows` the scored rows that hold them.
    """
    true, predicted = checked(Y_true, Y_pred)
    train = train_matrix(Y_train, true.shape[1])
    return {
        **averages(true, predicted),
        "hamming_loss": hamming_loss(true, predicted),
        "subset_accuracy": subset_accuracy(true, predicted),
        **frequency_f1(true, predicted, train),
        "labels_scored": labels_scored(true),
        **combination.summary(true, predicted, train, ks),
    }


def score_metrics(Y_true: ArrayLike, scores: ArrayLike, Y_train: ArrayLike) -> dict[str, float]:
    """Metrics of (n, L) logits by name, NaN where undefined; Brier and ECE are of sigmoid(logits).

    Y_train must fit in its labels and is not used otherwise yet: a metric of scores by training frequency
    would need it.
    """
    true = label_matrix(Y_true, "Y_true")
    logits = score_matrix(scores, true.shape)
    train_matrix(Y_train, true.shape[1])
    labels, rows = ranking.by_label(true, logits), ranking.by_row(true, logits)
    chances = scipy.special.expit(logits)
    return {
        "map": mean_defined(labels.precision),
        "auroc": mean_defined(labels.wins),
        "lrap": mean_defined(rows.precision),
        "ranking_loss": mean_defined(rows.losses),
        "coverage": mean_defined(rows.depth),
        "brier": calibration.brier(true, chances),
        "ece": calibration.ece(true, chances),
    }


def per_label(
    Y_true: ArrayLike, Y_pred: ArrayLike, scores: ArrayLike, Y_train: ArrayLike
) -> dict[str, list[int] | list[float]]:
    """A table with one entry per label: n_train, n_test, precision, recall, f1, average_precision.

    Recall, F1 and average precision are NaN for a label without a positive in Y_true, precision where it is
    never predicted.
    """
    true, predicted = checked(Y_true, Y_pred)
    counts = label_counts(true, predicted)
    return {
        "n_train": np.count_nonzero(train_matrix(Y_train, true.shape[1]), axis=0).tolist(),
        "n_test": counts.true.tolist(),
        "precision": counts.precision().tolist(),
        "recall": counts.recall().tolist(),
        "f1": np.where(counts.true > 0, counts.f1(), np.nan).tolist(),
        "average_precision": ranking.average_precision_per_label(true, scores).tolist(),
    }
