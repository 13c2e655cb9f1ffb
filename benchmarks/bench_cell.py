"""Times one whole cell, from data to row, with its search; the share outside of training is the overhead of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from equipoise import Dataset, load_dataset
from equipoise.api import choose
from equipoise.experiment.pipeline import run_alone
from equipoise.sweep.plan import make_plan

SETTINGS = {"trials": 3, "folds": 2, "epochs": 12}  # a small search, so that what is not training shows


def dataset(kind: str) -> Dataset:
    """Generated emails, or numbers of yeast's shape."""
    if kind == "text":
        return load_dataset("design-emails", rows=800)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 103)).astype(np.float32)
    noise = rng.normal(size=(1200, 14))
    Y = (X[:, :14] + noise > np.linspace(-0.7, 2.5, 14)).astype(np.uint8)
    return Dataset("numbers", X, Y, tuple(f"label{j}" for j in range(14)))


@pytest.mark.parametrize(
    ("backbone", "kind", "strategy"),
    [
        ("linear", "text", "none"),
        ("linear", "text", "ml_ros+focal+scut"),
        ("mlp", "numeric", "none"),
        ("mlp", "numeric", "binary_relevance"),
    ],
)
def test_cell(
    timed: Callable[..., float], facts: dict[str, Any], device: Any, backbone: str, kind: str, strategy: str
) -> None:
    """Rows a second: the rows of all trainings, divided by the time of the whole cell."""
    data = dataset(kind)
    suite = choose(None, [data.name], [backbone], [strategy], SETTINGS, 1, 0)
    (cell,) = make_plan(suite, device=device.type, data={data.name: data}).cells
    costs: list[dict[str, Any]] = []

    def work() -> None:
        costs.append(run_alone(cell, data)[0]["cost"])

    # The first run imports modules and measures population sizes; it is not counted.
    work()
    rows = costs[0]["steps"] * cell.settings.batch_size
    timed(work, rows=rows, device=device, rounds=2)
    outside = [1 - c["seconds_training"] / c["seconds_total"] for c in costs[1:]]
    facts["share_outside_training"] = float(np.median(outside))
    facts["lanes"] = costs[0]["lanes"]
