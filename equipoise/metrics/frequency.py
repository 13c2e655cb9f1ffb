"""Macro-F1 of frequent, medium and rare labels (head, medium and tail).

The bounds are those of Huang et al. 2021 (DOI 10.18653/v1/2021.emnlp-main.643): head n ≥ 35, medium 8 < n < 35, tail n ≤ 8,
where n is the label's number of positives in training. A label without any (n = 0) belongs to the tail. The rule for 0/0: the
mean runs over the group's labels with a positive and a negative in the scored rows, and **is NaN if there are none**.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Bools, label_matrix, mean_defined, train_matrix
from equipoise.core.errors import EquipoiseError
from equipoise.metrics.decision import checked, label_counts, scored_labels

HEAD = 35  # head labels have at least this many positives in training
TAIL = 8  # tail labels have at most this many


def frequency_groups(Y_train: ArrayLike, head: int = HEAD, tail: int = TAIL) -> dict[str, Bools]:
    """Masks (L,) of the "head", "medium" and "tail" labels; each label is in exactly one.

    Raises EquipoiseError unless tail < head.
    """
    if tail >= head:
        raise EquipoiseError(f"tail = {tail} and head = {head}; the tail bound must be below the head bound")
    counts = np.count_nonzero(label_matrix(Y_train, "Y_train"), axis=0)
    return {"head": counts >= head, "medium": (counts > tail) & (counts < head), "tail": counts <= tail}


def frequency_f1(
    Y_true: ArrayLike, Y_pred: ArrayLike, Y_train: ArrayLike, head: int = HEAD, tail: int = TAIL
) -> dict[str, float]:
    """Macro-F1 within each group as `head_f1`, `medium_f1` and `tail_f1`; NaN for a group without a scored label."""
    true, predicted = checked(Y_true, Y_pred)
    counts = label_counts(true, predicted)
    # Counts give F1 = 0 to a label that is predicted but absent; macro-F1 leaves such labels out, and those that are always on.
    scores = np.where(scored_labels(true), counts.f1(), np.nan)
    groups = frequency_groups(train_matrix(Y_train, true.shape[1]), head, tail)
    return {f"{name}_f1": mean_defined(scores[labels]) for name, labels in groups.items()}
