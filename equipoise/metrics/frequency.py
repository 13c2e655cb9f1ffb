"""F1 by how often a label occurs in training: head, medium and tail.

Bounds as in Huang et al. 2021 (DOI 10.18653/v1/2021.emnlp-main.643): head n ≥ 35, medium 8 < n < 35, tail n ≤
8, where n counts the label's training rows. A label that training never saw (n = 0) is a tail label. The rule
for 0/0: macro F1 over the group's labels with a positive among the scored rows; **NaN where the group has
none**.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Bools, label_matrix, mean_defined, train_matrix
from equipoise.core.errors import EquipoiseError
from equipoise.metrics.decision import checked, label_counts

HEAD = 35  # at least this many training rows
TAIL = 8  # at most this many


def frequency_groups(Y_train: ArrayLike, head: int = HEAD, tail: int = TAIL) -> dict[str, Bools]:
    """Which labels are "head", "medium" and "tail": three (L,) masks that together hold each label once.

    Raises EquipoiseError unless tail < head.
    """
    if tail >= head:
        raise EquipoiseError(f"tail = {tail} and head = {head}; the tail bound must lie below the head bound")
    counts = np.count_nonzero(label_matrix(Y_train, "Y_train"), axis=0)
    return {"head": counts >= head, "medium": (counts > tail) & (counts < head), "tail": counts <= tail}


def frequency_f1(
    Y_true: ArrayLike, Y_pred: ArrayLike, Y_train: ArrayLike, head: int = HEAD, tail: int = TAIL
) -> dict[str, float]:
    """`head_f1`, `medium_f1`, `tail_f1`: macro F1 within each group; NaN where none is scored."""
    true, predicted = checked(Y_true, Y_pred)
    counts = label_counts(true, predicted)
    scores = np.where(counts.true > 0, counts.f1(), np.nan)
    groups = frequency_groups(train_matrix(Y_train, true.shape[1]), head, tail)
    return {f"{name}_f1": mean_defined(scores[labels]) for name, labels in groups.items()}
