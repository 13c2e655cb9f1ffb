"""Calibrated log-odds of labels from frequent to very rare."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from equipoise.contracts.strategy import Context


def world(n: int = 1200, labels: int = 6) -> tuple[np.ndarray, np.ndarray, Context]:
    """Calibrated log-odds (n, L) of labels from frequent to very rare, the labels drawn from them, the last one absent."""
    rng = np.random.default_rng(0)
    true = rng.normal(scale=2, size=(n, labels)) + logit(np.geomspace(0.4, 0.002, labels))
    Y = (rng.random((n, labels)) < expit(true)).astype(np.uint8)
    Y[:, -1] = 0
    return true.astype(np.float32), Y, Context(Y.sum(0), n, folds=np.arange(n) % 3)
