"""Data with an official split, and rows of it."""

from __future__ import annotations

import numpy as np

from equipoise import Dataset
from equipoise.contracts.dataset import DEV, TEST, TRAIN


def data(parts: tuple[int, int, int] = (60, 10, 30)) -> Dataset:
    rng = np.random.default_rng(0)
    n = sum(parts)
    Y = (rng.random((n, 3)) < [0.5, 0.3, 0.2]).astype(np.uint8)
    official = rng.permutation(np.repeat([TRAIN, DEV, TEST], parts))
    return Dataset("mine", rng.normal(size=(n, 4)), Y, ("a", "b", "c"), official=official)
