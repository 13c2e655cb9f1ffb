"""Times whole cells with a small search, from fitted features to the row: every strategy and backbone, and four larger ones.

What is not training is the overhead of the pipeline; its share is stored with the timing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import small_cells as small
import torch

from equipoise import Dataset, load_dataset
from equipoise.api import choose
from equipoise.engine.scheduler import run_one
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import run_alone, run_cell, trainer_for
from equipoise.ops.device import repeatable
from equipoise.sweep.plan import make_plan

SETTINGS = {"trials": 3, "folds": 2, "epochs": 12}  # a small search, so that what is not training shows
#: Key of a cell → the cost of its first run.
FIRST: dict[str, dict[str, Any]] = {}


def timed_cell(
    timed: Callable[..., dict[str, Any]], cell: Cell, run: Callable[[], dict[str, Any]], device: torch.device
) -> None:
    """Time a cell; its rows are those of all its trainings."""
    # The first run imports modules and measures population sizes. Later visits need none.
    first = FIRST.get(cell.key) or FIRST.setdefault(cell.key, run())
    costs: list[dict[str, Any]] = []
    facts = timed(
        lambda: costs.append(run()),
        group="cells",
        rows=first["steps"] * cell.settings.batch_size or None,
        device=device,
        lanes=first["lanes"],
        data=cell.dataset,
        unit=f"a cell of {cell.settings.trials} trials on {cell.settings.folds} folds",
    )
    outside = [1 - c["seconds_training"] / c["seconds_total"] for c in costs]
    facts["share_outside_training"] = float(np.median(outside))


def small_cell(
    strategy: str, backbone: str, timed: Callable[..., dict[str, Any]], device: torch.device
) -> None:
    """Time a small cell without its features; skip what does not fit together or is not installed, with its reason."""
    cell, why = small.cell_of(strategy, backbone, device.type)
    if cell is None:
        pytest.skip(why)
    prepared = small.prepared(cell)

    def run() -> dict[str, Any]:
        with repeatable(device):
            return run_one(run_cell(cell, prepared, trainer_for(cell, prepared)))[0]["cost"]

    timed_cell(timed, cell, run, device)


@pytest.mark.parametrize("strategy", small.names("strategy"))
def test_strategy(timed: Callable[..., dict[str, Any]], device: torch.device, strategy: str) -> None:
    small_cell(strategy, "mlp", timed, device)


@pytest.mark.parametrize("backbone", small.names("backbone"))
def test_backbone(timed: Callable[..., dict[str, Any]], device: torch.device, backbone: str) -> None:
    small_cell("none", backbone, timed, device)


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
    timed: Callable[..., dict[str, Any]], device: torch.device, backbone: str, kind: str, strategy: str
) -> None:
    """A larger cell with its features."""
    data = dataset(kind)
    suite = choose(None, [data.name], [backbone], [strategy], SETTINGS, 1, 0)
    (cell,) = make_plan(suite, device=device.type, data={data.name: data}).cells
    timed_cell(timed, cell, lambda: run_alone(cell, data)[0]["cost"], device)
