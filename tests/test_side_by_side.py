"""Cells run side by side give the same rows as one by one; a failure does not affect others; hopeless trials can end early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.api import choose
from equipoise.engine.scheduler import run_many
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.prepared import Preparations
from equipoise.store.rows import fingerprint
from equipoise.sweep.batches import attempt
from equipoise.sweep.grouping import groups
from equipoise.sweep.plan import Plan, make_plan

from .shared.reuse import numbers

RAISES = """
from dataclasses import dataclass
from equipoise.contracts.strategy import Strategy

@dataclass(frozen=True)
class Raises(Strategy):
    "Fails as soon as it is asked for a loss."
    name = "raises"

    def loss(self, logits, targets, ctx):
        raise ValueError("no loss today")
"""


def plan_of(strategies: list[str], backbone: str = "mlp[hidden=7]", splits: int = 1, **settings: Any) -> Plan:
    given = {"trials": 3, "folds": 2, "epochs": 3, **settings}
    chosen = choose(None, ["numbers"], [backbone], strategies, given, splits, None)
    return make_plan(chosen, device="cpu", data={"numbers": numbers()})


MIXED = ["none", "focal", "ml_ros", "balanced_sampling", "binary_relevance", "classifier_chain", "scut"]


def test_side_by_side_as_one_by_one() -> None:
    plan = plan_of(MIXED)
    beside = {cell.key: row for cell, (row, _) in attempt(plan.cells, plan.data, Preparations())}
    assert {row["status"] for row in beside.values()} == {"ok"}
    for cell in plan.cells:
        alone, _ = run_alone(cell, plan.data[cell.dataset])
        assert fingerprint(alone) == fingerprint(beside[cell.key]), cell.strategy
    assert max(row["cost"]["lanes_side_by_side"] for row in beside.values()) > 6


def test_what_fails_is_a_row_and_stops_no_other(tmp_path: Path) -> None:
    plugin = tmp_path / "raises.py"
    plugin.write_text(RAISES)
    plan = plan_of(["none", f"{plugin}:raises", "focal"])
    rows = {row["strategy"]: row for _, (row, _) in attempt(plan.cells, plan.data, Preparations())}
    failed = rows.pop(next(name for name in rows if "raises" in name))
    assert failed["status"] == "failed"
    assert failed["error"] == "ValueError: no loss today"
    assert "in loss" in failed["traceback"]
    for cell in plan.cells:
        if cell.strategy in rows:
            alone, _ = run_alone(cell, plan.data["numbers"])
            assert fingerprint(alone) == fingerprint(rows[cell.strategy])


def test_groups_hold_neighbours_that_share_a_stage() -> None:
    plan = plan_of(["none", "focal", "asl", "scut", "ml_ros"], splits=2)
    made = groups(plan.cells)
    assert [cell for group in made for cell in group] == list(plan.cells)
    assert all(len({(c.dataset, c.backbone, c.split) for c in group}) == 1 for group in made)
    assert max(map(len, made)) > 1
    assert len(groups(plan.cells, workers=8)) >= 8, "no worker waits while another has several"


def test_an_exception_before_the_first_request_is_told() -> None:
    async def broken() -> int:
        raise KeyError("early")

    async def quick() -> int:
        return 5

    ended = dict(run_many({"broken": broken(), "quick": quick()}))
    assert isinstance(ended["broken"], KeyError)
    assert ended["quick"] == 5


def test_pruning_ends_trials_early_and_is_off_unless_asked_for() -> None:
    full = plan_of(["none"], trials=9, trial_batch=3, epochs=9)
    pruned = plan_of(["none"], trials=9, trial_batch=3, epochs=9, pruning=True)
    assert not full.cells[0].settings.pruning
    rows = [run_alone(p.cells[0], p.data["numbers"])[0] for p in (full, pruned, pruned)]
    assert fingerprint(rows[1]) == fingerprint(rows[2])
    ended = [t for t in rows[1]["trials"] if t.get("pruned")]
    assert 0 < len(ended) < 9
    assert all(np.isnan(t["value"]) for t in ended)
    assert rows[1]["cost"]["steps"] < rows[0]["cost"]["steps"]
    assert rows[1]["trials"][0] == rows[0]["trials"][0], (
        "the defaults come first and are compared with nobody"
    )
    assert rows[1]["objective"] == max(t["value"] for t in rows[1]["trials"] if not t.get("pruned"))


@pytest.mark.parametrize("strategy", ["none", "binary_relevance"])
def test_a_pruned_search_is_the_same_beside_others(strategy: str) -> None:
    plan = plan_of([strategy, "focal"], trials=6, trial_batch=3, epochs=9, pruning=True)
    beside = {cell.strategy: row for cell, (row, _) in attempt(plan.cells, plan.data, Preparations())}
    alone, _ = run_alone(plan.cells[0], plan.data["numbers"])
    assert fingerprint(alone) == fingerprint(beside[strategy])
