"""The score that early stopping watches."""

from __future__ import annotations

import numpy as np


def macro_average_precision(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean average precision over labels with a positive, logits and targets (n, L); 0 where no label has one.

    A ranking measure is what strategies can be compared by while they train: re-weighting a label's classes shifts its
    scores but, by itself, not their order. Equal scores keep the order of the rows.
    """
    scored = targets.any(0)
    if not scored.any():
        return 0.0
    order = np.argsort(-logits.T[scored], axis=1, kind="stable")
    hits = np.take_along_axis(np.ascontiguousarray(targets.T[scored]), order, 1).astype(np.float64)
    precision = np.cumsum(hits, 1) / np.arange(1, len(logits) + 1)
    return float(((precision * hits).sum(1) / hits.sum(1)).mean())
