"""Made-up rows of many data sets, for the tests of rankings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.store.store import Store

from ..shared.made_rows import made_row

#: Gains over `none` in mAP; those in tuned macro-F1 are half of them.
GAINS = {"none": 0.0, "focal": 0.0, "ml_ros": 0.0, "hill": 0.002, "label_powerset": 0.05, "mlenn": -0.08}
Rows = list[dict[str, Any]]


@pytest.fixture
def make_rows() -> Callable[..., Rows]:
    """A function that makes rows of strategies on data sets; see `rows`."""
    return rows


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes rows into a new store and returns its folder."""

    def make(
        listed: Rows, name: str = "store", predictions: Mapping[str, np.ndarray[Any, Any]] | None = None
    ) -> Path:
        store = Store(tmp_path / name)
        with store.locked():
            for row in listed:
                store.append(row, predictions)
        return tmp_path / name

    return make


def rows(
    gains: Mapping[str, float] = GAINS,
    datasets: int | Sequence[str] = 8,
    backbones: Sequence[str] = ("linear",),
    splits: int = 5,
    seed: int = 0,
    **more: Any,
) -> Rows:
    """Rows with a level of each data set, noise common to its strategies, and small noise of each cell."""
    names = [f"set-{i}" for i in range(datasets)] if isinstance(datasets, int) else datasets
    rng = np.random.default_rng(seed)
    out = []
    for d, dataset in enumerate(names):
        for backbone in backbones:
            level = rng.uniform(0.3, 0.7)
            for strategy, gain in gains.items():
                own = gain + rng.normal(0, 0.004)
                for split in range(splits):
                    score = level + own + rng.normal(0, 0.004)
                    out.append(row(dataset, backbone, strategy, split, score, level + own / 2, d) | more)
    return out


def row(
    dataset: str, backbone: str, strategy: str, split: int, score: float, tuned: float, size: int
) -> dict[str, Any]:
    """One finished row. Data sets of a higher `size` have rarer labels."""
    counts = [100 * (size + 1), 40, 20]
    # A key holds no brackets.
    key = re.sub(r"[\[\]=]", "_", f"{dataset}-{backbone}-{strategy}-{split}")
    metrics = {"scores/map": score, "tuned/macro_f1": tuned, "fixed/macro_f1": tuned - 0.05}
    return made_row(
        key,
        strategy,
        split,
        metrics,
        dataset=dataset,
        backbone=backbone,
        per_label={
            "fixed/n_train": [c * 4 // 5 for c in counts],
            "fixed/n_test": [c // 5 for c in counts],
        },
        cost={"seconds_total": 10.0 + 5 * len(strategy)},
    )
