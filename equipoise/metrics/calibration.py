"""Calibration metrics, which tell how far probabilities can be trusted: Brier score and expected calibration error.

Both take probabilities in [0, 1]; convert logits with `scipy.special.expit(logits)`. Both pool all n·L cells, including those
of labels without a positive. With sparse labels the many easy negatives therefore dominate, so read these metrics next to
mAP. The rule for 0/0: **no rows → NaN**.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.core.arrays import Bools, label_matrix, row_chunks, score_matrix
from equipoise.core.errors import EquipoiseError

BINS = 15  # the number of Guo et al. 2017


def brier(Y_true: ArrayLike, probabilities: ArrayLike) -> float:
    """Brier score, the mean of (p − y)² over all cells: 0 at best, 1 at worst.

    Always predicting the prevalence π scores π (1 − π). Source: Brier 1950, DOI
    10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2 (the one-sided form for a binary event).
    """
    true, chances = _checked(Y_true, probabilities)
    total = 0.0
    # In chunks: a float64 copy of all cells would take eight times the memory of the labels.
    for rows in row_chunks(*true.shape):
        total += float(np.square(chances[rows].astype(np.float64) - true[rows]).sum())
    return total / true.size if true.size else float("nan")


def ece(Y_true: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error: Σ_b (cells in b / cells) · |mean y − mean p| over equal-width bins b of p.

    The B bins are [0, 1/B), [1/B, 2/B), …, [(B−1)/B, 1] and hold the cells of all labels; empty bins add nothing. Raises
    EquipoiseError if `bins` is below 1.
    Source: Naeini, Cooper, Hauskrecht 2015, DOI 10.1609/aaai.v29i1.9602; B = 15 as Guo et al. 2017 (ICML).
    """
    true, chances = _checked(Y_true, probabilities)
    if bins < 1:
        raise EquipoiseError(f"bins = {bins}; the calibration error needs at least 1")
    # Σ (y − p) of each bin: its absolute value is (cells in b) · |mean y − mean p|, so counts are not needed.
    gaps = np.zeros(bins)
    for rows in row_chunks(*true.shape):
        p = chances[rows].astype(np.float64).ravel()
        bin_ids = np.minimum((p * bins).astype(np.int64), bins - 1)  # p = 1 belongs to the last bin
        gaps += np.bincount(bin_ids, weights=true[rows].ravel() - p, minlength=bins)
    return float(np.abs(gaps).sum() / true.size) if true.size else float("nan")


def _checked(Y_true: ArrayLike, probabilities: ArrayLike) -> tuple[Bools, NDArray[Any]]:
    true = label_matrix(Y_true, "Y_true")
    chances = score_matrix(probabilities, true.shape, "probabilities")
    if chances.size and (chances.min() < 0 or chances.max() > 1):
        raise EquipoiseError("probabilities must lie in [0, 1]; for logits pass scipy.special.expit(logits)")
    return true, chances
