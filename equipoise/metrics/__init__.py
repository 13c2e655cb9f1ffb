"""Metrics of multilabel predictions, as functions of Y_true, Y_pred or scores, and Y_train.

Every metric states its rule for 0/0, and an undefined value is NaN, never 0. `decision_metrics`, `score_metrics` and
`per_label` compute all of them at once; each can also be called by itself::

    equipoise.metrics.rare_combination_recall(Y_true, Y_pred, Y_train, k=10)
"""

from equipoise.metrics.calibration import brier, ece
from equipoise.metrics.combination import (
    Support,
    rare_combination_recall,
    rare_combination_support,
    rare_pair_recall,
    rare_pair_support,
    unseen_combination_recall,
    unseen_combination_support,
)
from equipoise.metrics.decision import (
    f1,
    hamming_loss,
    labels_scored,
    macro_f1,
    micro_f1,
    precision,
    recall,
    samples_f1,
    subset_accuracy,
)
from equipoise.metrics.frequency import frequency_f1, frequency_groups
from equipoise.metrics.ranking import (
    auroc,
    auroc_per_label,
    average_precision_per_label,
    coverage,
    lrap,
    mean_average_precision,
    ranking_loss,
)
from equipoise.metrics.summary import decision_metrics, per_label, score_metrics

__all__ = [
    "Support",
    "auroc",
    "auroc_per_label",
    "average_precision_per_label",
    "brier",
    "coverage",
    "decision_metrics",
    "ece",
    "f1",
    "frequency_f1",
    "frequency_groups",
    "hamming_loss",
    "labels_scored",
    "lrap",
    "macro_f1",
    "mean_average_precision",
    "micro_f1",
    "per_label",
    "precision",
    "ranking_loss",
    "rare_combination_recall",
    "rare_combination_support",
    "rare_pair_recall",
    "rare_pair_support",
    "recall",
    "samples_f1",
    "score_metrics",
    "subset_accuracy",
    "unseen_combination_recall",
    "unseen_combination_support",
]
