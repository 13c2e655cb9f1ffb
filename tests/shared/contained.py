"""Numeric data, and rows of cells run in this process, for the tests of what plugins do wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.store.store import Store


def numbers(rows: int = 120) -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(rows, 5)).astype(np.float32)
    Y = (X[:, :3] + rng.normal(size=(rows, 3)) > [0.3, 0.6, 0.9]).astype(np.uint8)
    return Dataset("numbers", X, Y, ("a", "b", "c"))


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in Store(folder).rows()}
