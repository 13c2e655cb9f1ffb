"""Strategies that only map scores or decide: they take the networks of `none`, which are trained once for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.catalog.strategies import get_strategy, training_part
from equipoise.contracts.strategy import DECIDING, Strategy
from equipoise.experiment.decision import decision_score
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.prepared import Preparations
from equipoise.store.rows import fingerprint
from equipoise.sweep.batches import attempt
from equipoise.sweep.grouping import groups
from equipoise.sweep.plan import Plan

from .shared.reuse import plan_of

pytestmark = pytest.mark.usefixtures("own_catalogue")

ONLY_DECIDE = [
    "platt",
    "temperature[per_label=true]",
    "logit_adjustment",
    "scut",
    "top_k",
    "platt+expected_f1",
]


def beside(plan: Plan) -> dict[str, tuple[dict[str, Any], dict[str, np.ndarray] | None]]:
    return {cell.strategy: result for cell, result in attempt(plan.cells, plan.data, Preparations())}


# --- what is trained, and on what it is tuned
def test_what_only_decides_takes_the_networks_of_none() -> None:
    rows = beside(plan_of(["none", *ONLY_DECIDE]))
    base, kept = rows.pop("none")
    assert kept is not None
    for name, (row, own) in rows.items():
        assert row["status"] == "ok", row["error"]
        assert own is not None
        assert row["trials"] == base["trials"], name
        assert row["objective"] == base["objective"]
        assert {n: row["params"][n] for n in base["params"]} == base["params"]
        assert np.array_equal(own["oof_logits"], kept["oof_logits"])
        if "platt" not in name and "adjust" not in name and "temperature" not in name:
            assert np.array_equal(own["test_logits"], kept["test_logits"])


def test_what_is_added_to_a_loss_takes_the_networks_of_the_loss() -> None:
    rows = beside(plan_of(["focal", "focal+platt", "ml_ros+scut", "ml_ros"]))
    assert rows["focal+platt"][0]["trials"] == rows["focal"][0]["trials"]
    assert rows["ml_ros+scut"][0]["trials"] == rows["ml_ros"][0]["trials"]
    assert rows["focal+platt"][0]["metrics"] != rows["focal"][0]["metrics"]


def test_decision_settings_are_tuned_afterwards_on_what_they_can_change() -> None:
    names = ["none", "platt", "logit_adjustment", "platt[per_label=false]", "scut", "temperature"]
    rows = {name: row for name, (row, _) in beside(plan_of(names, trials=6)).items()}
    for name in ("none", "scut", "temperature", "platt[per_label=false]"):
        assert rows[name]["decision_trials"] == [], "nothing to be tuned"
    for name, default in (("platt.shrinkage", 1.0), ("logit_adjustment.tau", 1.0)):
        row = rows[name.split(".")[0]]
        tried = row["decision_trials"]
        assert len(tried) == 6
        assert tried[0]["params"] == {name: default}
        assert len({t["params"][name] for t in tried}) == 6
        assert len({t["value"] for t in tried}) > 1, "it can change what it is tuned on"
        best = max(tried, key=lambda t: t["value"])
        assert row["params"][name] == best["params"][name]


def test_scores_of_decisions_by_hand() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(90, 3)).astype(np.float32)
    Y = (z + rng.normal(size=z.shape) > 0.7).astype(np.uint8)
    folds = np.arange(90) % 3
    plain = float(np.mean(np.logaddexp(0.0, z.astype(float)) - Y * z))

    def score(strategy: Strategy) -> float:
        return decision_score(strategy, z, Y, folds, ("by hand",))

    assert score(Strategy()) == pytest.approx(-plain, rel=1e-12)
    assert score(get_strategy("platt")) > -plain, "cross-fitted, and still better than what was shifted"
    f1 = [2 * (Y[:, j] * (z[:, j] > 0)).sum() / (Y[:, j].sum() + (z[:, j] > 0).sum()) for j in range(3)]
    assert score(get_strategy("logit_adjustment[tau=0.0]")) == pytest.approx(np.mean(f1))
    assert score(get_strategy("platt+scut")) == score(get_strategy("scut+platt"))
    assert 0 < score(get_strategy("top_k[k=1]")) < 1


def test_training_parts() -> None:
    assert type(training_part(get_strategy("none"))) is Strategy
    assert type(training_part(get_strategy("platt+scut"))) is Strategy
    assert training_part(get_strategy("ml_ros+focal+platt+scut")).spec == "ml_ros+focal"
    assert training_part(get_strategy("focal[gamma=1.0]+scut")).spec == "focal[gamma=1.0]"
    for name in (
        "temperature",
        "platt",
        "logit_adjustment",
        "scut",
        "top_k",
        "global_threshold",
        "expected_f1",
    ):
        assert set(get_strategy(name).stages) <= DECIDING


# --- each network once
@pytest.mark.parametrize("pruning", [False, True])
@pytest.mark.parametrize("backbone", ["mlp[hidden=7]", "linear"])
def test_side_by_side_with_one_training_as_one_by_one(backbone: str, pruning: bool) -> None:
    plan = plan_of(
        ["scut", "none", "platt", "focal", "focal+top_k"], backbone, epochs=9, trials=6, pruning=pruning
    )
    rows = {name: row for name, (row, _) in beside(plan).items()}
    lanes = {name: (row["cost"]["lanes"], row["cost"]["lanes_reused"]) for name, row in rows.items()}
    most = 6 * 2 + 1
    assert lanes["none"] == lanes["focal"] == (most, 0)
    assert lanes["scut"] == lanes["platt"] == lanes["focal+top_k"] == (0, most)
    assert rows["scut"]["cost"]["steps"] == 0
    assert rows["none"]["cost"]["steps"] > 0
    for cell in plan.cells:
        alone, _ = run_alone(cell, plan.data["numbers"])
        assert fingerprint(alone) == fingerprint(rows[cell.strategy]), cell.strategy
        assert alone["cost"]["lanes"] == most
    assert rows["scut"]["cost"]["seconds_reused"] == pytest.approx(rows["none"]["cost"]["seconds_training"])


def test_cells_with_the_same_networks_are_in_one_group_and_count_as_one() -> None:
    names = ["none", "focal", "platt", "asl", "scut", "focal+scut", "ml_ros", "top_k"]
    plan = plan_of(names, splits=2)
    for workers in (1, 2, 8):
        made = groups(plan.cells, workers)
        assert sorted(cell.key for group in made for cell in group) == sorted(cell.key for cell in plan.cells)
        for group in made:
            families = {training_part(get_strategy(cell.strategy)).spec for cell in group}
            whole = [c for c in plan.cells if c.split == group[0].split]
            assert len(group) == sum(training_part(get_strategy(c.strategy)).spec in families for c in whole)
            assert [c for c in plan.cells if c in group] == list(group)
    assert len(groups(plan.cells, 8)) == 8


def test_a_decision_that_fails_leaves_the_others_their_networks(tmp_path: Path) -> None:
    (tmp_path / "raises.py").write_text(
        "from dataclasses import dataclass\n"
        "from equipoise.contracts.strategy import Strategy\n\n"
        "@dataclass(frozen=True)\n"
        "class Raises(Strategy):\n"
        "    'Fails to decide.'\n"
        "    name = 'raises'\n\n"
        "    def decide(self, logits, Y, ctx):\n"
        "        raise ValueError('undecided')\n"
    )
    plan = plan_of(["none", str(tmp_path / "raises.py"), "scut"])
    rows = {name: row for name, (row, _) in beside(plan).items()}
    assert [row["status"] for row in rows.values()].count("ok") == 2
    assert rows["scut"]["cost"]["lanes"] == 0
    alone, _ = run_alone(plan.cells[0], plan.data["numbers"])
    assert fingerprint(alone) == fingerprint(rows["none"])
