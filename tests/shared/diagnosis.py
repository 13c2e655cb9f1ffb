"""Small data sets to diagnose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.contracts.dataset import Dataset


def made(Y: np.ndarray, **more: Any) -> Dataset:
    X = np.random.default_rng(0).normal(size=(len(Y), 3))
    return Dataset("made", X, Y, tuple("abcdefgh"[: Y.shape[1]]), **more)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.3f},{int(a > 0)},{int(b > 0.5)}" for a, b in rng.normal(size=(60, 2))]
    file = tmp_path / "my data.csv"
    file.write_text("\n".join(["speed,size,fast,large", *lines]) + "\n", encoding="utf-8")
    return file
