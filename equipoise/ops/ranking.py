"""The score of held-out rows that trainings are watched by."""

from __future__ import annotations

import numpy as np


def macro_average_precision(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mean average precision over labels with a positive: logits (…, n, L), targets (n, L) → (…).

    0 where no label has a positive, and for logits that are not finite. A ranking measure is what strategies can be compared
    by while they train: re-weighting a label's classes shifts its scores but, by itself, not their order. Equal scores count
    against the ranking: negatives come first among them, so that constant scores earn nothing.
    """
    scored = targets.any(0)
    if not scored.any():
        return np.zeros(logits.shape[:-2])
    order = _ordered(np.swapaxes(logits[..., scored], -1, -2))
    order <<= 1
    order |= targets.T[scored] == 0
    order.sort(axis=-1)
    hits = (order[..., ::-1] & 1) ^ 1
    precision = np.cumsum(hits, -1) / np.arange(1, hits.shape[-1] + 1)
    average = (precision * hits).sum(-1) / targets.T[scored].sum(-1)
    return np.where(np.isfinite(logits).all((-1, -2)), average.mean(-1), 0.0)


def _ordered(scores: np.ndarray) -> np.ndarray:
    """int64 in the order of float32 scores: sorting numbers that carry a label along beats sorting places."""
    bits = np.ascontiguousarray(scores + np.float32(0)).view(np.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
