"""Numeric data with four labels of one frequency."""

from __future__ import annotations

import numpy as np

from equipoise.contracts.dataset import Dataset


def numbers(rows: int = 160) -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(rows, 6)).astype(np.float32)
    Y = (X[:, :4] + rng.normal(size=(rows, 4)) > 0.8).astype(np.uint8)
    return Dataset("numbers", X, Y, ("a", "b", "c", "d"))
