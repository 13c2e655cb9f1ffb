"""Tests whether the start of output biases favours a family of losses: starts at its own optimum, at the log-odds, and at 0.

    pytest benchmarks/bench_starts.py -m slow         # a table for each budget, written to results/benchmarks/starts.md

Each cell is searched as in a suite, on enron-email with `linear`, at the suites' budget and at three times as many steps; all
strategies of a split run side by side. Rows are written to results/benchmarks/starts.jsonl as they come: an interrupted run goes
on where it was; a row of other code is not used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenarios import emails
from story import markdown

from equipoise import Dataset
from equipoise.api import choose
from equipoise.engine.lanes import Lane
from equipoise.engine.starts import first_weights
from equipoise.engine.starts.loss_labels import prior
from equipoise.experiment.cell import Cell
from equipoise.experiment.prepared import Preparations
from equipoise.sweep.batches import attempt
from equipoise.sweep.plan import make_plan

pytestmark = pytest.mark.slow
STRATEGIES = (
    "none",
    "pos_weight",
    "focal",
    "asl",
    "balanced_sampling",
    "inverse_frequency_softmax",
    "zlpr",
    "sigmoid_f1",
)
BUDGETS = {"the suites' budget": 20, "three times that": 60}
SETTINGS = {"trials": 8, "folds": 2}
SPLITS = 3
MEASURES = ("tuned/macro_f1", "scores/map")

Starts = Callable[[Sequence[Lane], int], list[np.ndarray]]


def at_log_odds(lanes: Sequence[Lane], batch_size: int) -> list[np.ndarray]:
    """The log-odds of the labels among rows drawn with the sampling weights, whatever the loss."""
    out = []
    for lane in lanes:
        half = 0.5 / len(lane.targets)
        share = np.clip(prior(lane), half, 1 - half)
        out.append((np.log(share) - np.log1p(-share)).astype(np.float32))
    return out


def at_zero(lanes: Sequence[Lane], batch_size: int) -> list[np.ndarray]:
    """0 for every label."""
    return [np.zeros(lane.targets.shape[1], dtype=np.float32) for lane in lanes]


STARTS: dict[str, Starts] = {
    "own": first_weights.best_constant_logits,
    "log-odds": at_log_odds,
    "zero": at_zero,
}


@contextmanager
def starting_at(starts: Starts) -> Iterator[None]:
    """Within the block, trainings start from these biases."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_weights, "best_constant_logits", starts)
        yield


@dataclass
class Rows:
    """A file of measured cells, by the key of the cell and its start."""

    path: Path

    def all(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The rows in the file, without a line that was cut off."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        return {(row["key"], row["start"]): row for row in rows}

    def measured(
        self, cells: Sequence[Cell], data: Dataset, start: str, features: Preparations
    ) -> list[dict[str, Any]]:
        """The rows of cells of one split; those that are not there yet are run side by side."""
        there = self.all()
        missing = [cell for cell in cells if (cell.key, start) not in there]
        with starting_at(STARTS[start]):
            for cell, (row, _) in attempt(missing, {data.name: data}, features) if missing else ():
                assert row["status"] == "ok", row["error"]
                self._append(cell, start, row)
        there = self.all()
        return [there[cell.key, start] for cell in cells]

    def _append(self, cell: Cell, start: str, row: dict[str, Any]) -> None:
        own = {"key": cell.key, "start": start, "strategy": cell.strategy, "split": cell.split}
        own |= {name: row["metrics"][name] for name in MEASURES}
        own |= {"epochs": cell.settings.epochs, "seconds": row["cost"]["seconds_total"]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(own) + "\n")


@pytest.mark.parametrize("budget", BUDGETS)
def test_starts(budget: str, tell: Callable[[str, str, str], None], pytestconfig: pytest.Config) -> None:
    """With its own start, no loss is clearly worse than with another start."""
    data, why = emails()
    if data is None:
        pytest.skip(why.strip())
    rows = Rows(pytestconfig.rootpath / "results" / "benchmarks" / "starts.jsonl")
    settings = {**SETTINGS, "epochs": BUDGETS[budget]}
    suite = choose(None, [data.name], ["linear"], list(STRATEGIES), settings, SPLITS, 0)
    cells = make_plan(suite, device="cpu", data={data.name: data}).cells
    features = Preparations()
    measured = [
        row
        for split in range(SPLITS)
        for start in STARTS
        for row in rows.measured([c for c in cells if c.split == split], data, start, features)
    ]
    means = {start: _means([row for row in measured if row["start"] == start]) for start in STARTS}
    table = [
        (start, *(f"{f1:.3f} {ranked:.3f}" for f1, ranked in own.values())) for start, own in means.items()
    ]
    tell("starts", f"{budget}: tuned macro-F1, mAP", markdown(("start", *STRATEGIES), table))
    for name in STRATEGIES:
        best = np.max([means[start][name] for start in STARTS], 0)
        assert (np.array(means["own"][name]) > best - 0.03).all(), f"{name} is held back by its own start"


def _means(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """The means over splits, for each strategy."""
    out = {}
    for name in STRATEGIES:
        scores = np.array([[row[m] for m in MEASURES] for row in rows if row["strategy"] == name])
        f1, precision = scores.mean(0).tolist()
        out[name] = (f1, precision)
    return out
