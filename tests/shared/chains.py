"""Random labels, from frequent to rare."""

from __future__ import annotations

import numpy as np

N, L = 150, 5


def labels(n: int = N, n_labels: int = L, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((n, n_labels)) < np.linspace(0.6, 0.1, n_labels)).astype(np.uint8)
