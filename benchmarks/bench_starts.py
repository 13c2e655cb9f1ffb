"""Tests whether the start of output biases favours a family of losses: starts at its own optimum, at the log-odds, and at 0.

    pytest benchmarks/bench_starts.py -m slow         # a table for each budget, written to results/benchmarks/starts.md

Each cell is searched as in a suite, on enron-email with `linear`, with the suites' budget and with three times as many steps.
Rows are written to results/benchmarks/starts.jsonl when they are finished, so an interrupted run continues where it was. Rows
of other code are ignored.
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

from equipoise.api import choose
from equipoise.engine import first_weights
from equipoise.engine.lanes import Lane
from equipoise.engine.output_bias import prior
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import run_alone
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

    def measured(self, cell: Cell, data: Any, start: str) -> dict[str, Any]:
        """The row of a cell; it is run if there is none."""
        if (row := self.all().get((cell.key, start))) is not None:
            return row
        with starting_at(STARTS[start]):
            full, _ = run_alone(cell, data)
        row = {"key": cell.key, "start": start, "strategy": cell.strategy, "split": cell.split}
        row |= {name: full["metrics"][name] for name in MEASURES}
        row |= {"epochs": cell.settings.epochs, "seconds": full["cost"]["seconds_total"]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return row


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
    measured = [
        rows.measured(cell, data, start) for cell in sorted(cells, key=lambda c: c.split) for start in STARTS
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
        out[name] = tuple(scores.mean(0).tolist())
    return out  # type: ignore[return-value]
