"""Losses written out in NumPy."""

from __future__ import annotations

import numpy as np

N_POS, N = np.array([400, 100, 20, 5]), 500

Z = np.array([[2, -1, 0.5, -3], [-0.5, 0.25, -2, 1], [0, -0.75, 1.5, -1.25]])

Y = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [1, 1, 0, 1]], dtype=float)

P, PI = 1 / (1 + np.exp(-Z)), N_POS / N


def bce(z: np.ndarray, y: np.ndarray = Y) -> np.ndarray:
    p = 1 / (1 + np.exp(-z))
    return np.asarray(-y * np.log(p) - (1 - y) * np.log(1 - p))


def focal() -> np.ndarray:
    return np.asarray(0.5 * np.where(Y > 0, 1 - P, P) ** 2 * bce(Z))


def asl() -> np.ndarray:
    p_m = np.maximum(P - 0.05, 0)
    return np.asarray(-(Y * (1 - P) * np.log(P) + (1 - Y) * p_m**4 * np.log(1 - p_m)))
