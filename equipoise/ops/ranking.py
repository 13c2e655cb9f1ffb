"""The score of held-out rows during training."""

from __future__ import annotations

import numpy as np


def macro_average_precision(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mean average precision over the labels that have a positive, (…), of logits (…, n, L) for targets (n, L).

    It is 0 if no label has a positive, and for logits that are not finite. A ranking measure is used because strategies can be
    compared by it while they train: re-weighting a label's classes shifts its scores but, by itself, not their order. Among
    equal scores negatives count as first, so that constant scores earn nothing.
    """
    scored = targets.any(0)
    if not scored.any():
        return np.zeros(logits.shape[:-2])
    order = _ordered(np.swapaxes(logits[..., scored], -1, -2))
    # The lowest bit says whether the row is a negative. Sorting then moves the targets along with the scores.
    order <<= 1
    order |= targets.T[scored] == 0
    order.sort(axis=-1)
    hits = (order[..., ::-1] & 1) ^ 1
    precision = np.cumsum(hits, -1) / np.arange(1, hits.shape[-1] + 1)
    average = (precision * hits).sum(-1) / targets.T[scored].sum(-1)
    return np.where(np.isfinite(logits).all((-1, -2)), average.mean(-1), 0.0)


def _ordered(scores: np.ndarray) -> np.ndarray:
    """Integers (int64) in the same order as float32 scores."""
    # Bits of positive floats are ordered like integers; those of negative ones in reverse, so all but the sign are flipped.
    # Adding 0 turns −0 into +0, which must be equal.
    bits = np.ascontiguousarray(scores + np.float32(0)).view(np.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
