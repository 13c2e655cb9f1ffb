"""All metrics of a result row at once: of 0/1 predictions, of scores, and per label."""

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

#: The k for which every result row has rcr@k and rpr@k.
RARE = (3, 10)


def decision_metrics(
    Y_true: ArrayLike, Y_pred: ArrayLike, Y_train: ArrayLike, ks: tuple[int, ...] = RARE
) -> dict[str, float]:
    """Metrics of 0/1 predictions by name, NaN where undefined; the modules of `metrics` define them.

    Y_true and Y_pred are (n, L); Y_train (n_train, L) determines which labels, labelsets and pairs are rare. `*_support` is the
    number of labelsets (rpr: pairs) that a metric averages over, `*_rows` the number of scored rows with them.
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
    """Metrics of logits (n, L) by name, NaN where undefined; Brier score and ECE are those of sigmoid(logits).

    Y_train must have the same labels. It is not used yet; a metric by training frequency would need it.
    """
    true = label_matrix(Y_true, "Y_true")
    logits = score_matrix(scores, true.shape)
    train_matrix(Y_train, true.shape[1])  # raises EquipoiseError if the labels do not match
    # Two sorts serve five metrics; calling these one by one would sort five times.
    labels, rows = ranking.by_label(true, logits), ranking.by_row(true, logits)
    chances = scipy.special.expit(logits)
    return {
        "map": mean_defined(ranking.scored_precision(true, logits, labels)),
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
    """Metrics of each label, as lists of L: n_train, n_test, precision, recall, f1, average_precision.

    n_train and n_test are numbers of positives. Recall, F1 and average precision are NaN for a label without a positive in
    Y_true, precision for a label that is never predicted. A label without a negative has values here, and is left out of the
    macro averages.
    """
    true, predicted = checked(Y_true, Y_pred)
    counts = label_counts(true, predicted)
    return {
        "n_train": np.count_nonzero(train_matrix(Y_train, true.shape[1]), axis=0).tolist(),
        "n_test": counts.true.tolist(),
        "precision": counts.precision().tolist(),
        "recall": counts.recall().tolist(),
        # As macro-F1 leaves such labels out: predicted, but without a positive to find.
        "f1": np.where(counts.true > 0, counts.f1(), np.nan).tolist(),
        "average_precision": ranking.average_precision_per_label(true, scores).tolist(),
    }
