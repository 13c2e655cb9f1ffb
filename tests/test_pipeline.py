"""The guarantees of the pipeline: no leaks, equal budgets, paired splits, and a reason for what does not fit."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise import load_dataset
from equipoise.contracts.dataset import Dataset
from equipoise.experiment import decision
from equipoise.experiment.pipeline import run_alone
from equipoise.splits import outer as splits
from equipoise.store.store import Store
from equipoise.sweep.run import sweep

from .shared.pipeline import EMAILS, TINY, by_strategy, lines_of, numbers, plan_of

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")


# --- what a cell may see
@pytest.mark.parametrize(
    ("data", "backbone", "strategy"),
    [
        (EMAILS, "linear", "ml_ros+focal+scut"),
        (EMAILS, "lstm[hidden=6,embedding=6]", "balanced_sampling"),
        (numbers(), "mlp[hidden=8]", "binary_relevance+global_threshold"),
    ],
    ids=["linear", "lstm", "mlp"],
)
def test_nothing_of_the_test_rows_is_seen_before_everything_is_chosen(
    monkeypatch: pytest.MonkeyPatch, data: str | Dataset, backbone: str, strategy: str
) -> None:
    plan = plan_of([strategy], data, backbone)
    cell, clean = plan.cells[0], next(iter(plan.data.values()))
    train, test = splits.outer_split(clean.Y, cell.split, cell.seed)
    X, Y = clean.X.copy(), clean.Y.copy()
    X[test] = "zebra giraffe okapi" * 9 if clean.kind == "text" else 1e6
    Y[test] = 1 - Y[test]
    fitted = []
    original = decision.fit_decision_rule

    def noting(*args: Any) -> Any:
        fitted.append(original(*args))
        return fitted[-1]

    monkeypatch.setattr(splits, "outer_split", lambda *_: (train, test))
    monkeypatch.setattr(decision, "fit_decision_rule", noting)
    row, kept = run_alone(cell, clean)
    decider = fitted[-1]
    dirty_row, dirty_kept = run_alone(cell, dataclasses.replace(clean, X=X, Y=Y))
    for field in ("params", "objective", "trials", "audit", "split_sha256"):
        assert dirty_row[field] == row[field], field
    for name in ("oof_rows", "oof_logits", "oof_Y", "oof_folds"):
        assert np.array_equal(dirty_kept[name], kept[name]), name
    grid = np.repeat(np.linspace(-6, 6, 4001, dtype=np.float32)[:, None], clean.n_labels, 1)
    clean_maps, dirty_maps = decider.all(grid), fitted[-1].all(grid)
    for name, decided in clean_maps.items():
        assert np.array_equal(decided, dirty_maps[name]), f"the map to {name} differs"
    assert not np.array_equal(dirty_kept["test_logits"], kept["test_logits"]), "the poison must act"
    assert set(kept["oof_rows"]) <= set(train)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(clean.n_rows))


def test_equal_budgets_the_first_trial_being_the_defaults(tmp_path: Path) -> None:
    names = ["none", "pos_weight", "ml_ros+focal[gamma=1.0]"]
    rows = by_strategy(plan_of(names, numbers(), "mlp[hidden=8]", trials=3), tmp_path)
    assert {len(row["trials"]) for row in rows.values()} == {3}
    shared = {"lr": 6e-2, "C": 2.0, "mlp.dropout": 0.2}
    assert rows["none"]["trials"][0]["params"] == shared
    assert rows["pos_weight"]["trials"][0]["params"] == {**shared, "pos_weight.power": 1.0}
    composed = rows["ml_ros+focal[gamma=1.0]"]
    assert composed["trials"][0]["params"] == {**shared, "ml_ros.p": 0.25, "focal.alpha": 0.5}
    assert all("focal.gamma" not in trial["params"] for trial in composed["trials"]), (
        "pinned, so not searched"
    )
    for row in rows.values():
        best = max(row["trials"], key=lambda trial: trial["value"])
        assert (row["params"], row["objective"]) == (best["params"], best["value"])
        assert 0 < row["settled"] <= 1
        assert {name.rsplit(" ", 1)[0] for name in row["edges"]} <= set(row["params"])
        assert len({json.dumps(t["params"]) for t in row["trials"]}) == 3


def test_strategies_are_paired(tmp_path: Path) -> None:
    rows = by_strategy(plan_of(["none", "pos_weight[power=0.0]", "focal", "scut"]), tmp_path)
    store = Store(tmp_path)
    kept = {name: store.predictions(row["key"]) for name, row in rows.items()}
    assert len({row["split_sha256"] for row in rows.values()}) == 1
    for name in ("oof_rows", "oof_folds", "test_rows"):
        assert all(np.array_equal(k[name], kept["none"][name]) for k in kept.values())
    off, none = rows["pos_weight[power=0.0]"], rows["none"]
    assert off["metrics"] == none["metrics"]
    assert np.array_equal(kept["pos_weight[power=0.0]"]["test_logits"], kept["none"]["test_logits"])
    assert rows["focal"]["metrics"] != none["metrics"]
    assert np.array_equal(kept["scut"]["test_own"], kept["scut"]["test_tuned"])


def test_metrics_are_those_of_the_predictions_that_are_kept(tmp_path: Path) -> None:
    from equipoise import metrics

    row = by_strategy(plan_of(["focal"]), tmp_path)["focal"]
    kept = Store(tmp_path).predictions(row["key"])
    assert row["metrics"]["tuned/macro_f1"] == metrics.macro_f1(
        kept["test_Y"], kept["test_tuned"].astype(bool)
    )
    assert np.array_equal(kept["test_fixed"], kept["test_logits"] > 0)
    assert row["metrics"]["fixed/macro_f1"] == metrics.macro_f1(kept["test_Y"], kept["test_logits"] > 0)


# --- what does not fit
@pytest.mark.parametrize(
    ("data", "backbone", "strategy", "reason"),
    [
        (numbers(), "lstm", "none", "lstm reads text; numbers has numeric inputs"),
        (numbers(1), "linear", "inverse_frequency_softmax", "needs two labels or more; numbers has one"),
        (
            numbers(rows=12),
            "linear",
            "none",
            "numbers has 12 rows; an outer split with 3 inner folds needs 15",
        ),
    ],
)
def test_a_pair_that_does_not_fit_is_a_row_with_its_reason(
    tmp_path: Path, data: Dataset, backbone: str, strategy: str, reason: str
) -> None:
    plan = plan_of([strategy], data, backbone, folds=3)
    assert plan.cells == ()
    sweep(plan, Store(tmp_path))
    sweep(plan, Store(tmp_path))
    (row,) = Store(tmp_path).rows()
    assert row["status"] == "skipped"
    assert reason in row["reason"]
    assert lines_of(tmp_path) == 1


# --- from Python
def test_run_takes_objects_and_gives_a_line_for_each_cell(tmp_path: Path) -> None:
    from equipoise import run

    frame = run(
        dataset=[load_dataset(EMAILS), numbers()],
        backbone=["linear", "lstm"],
        strategy="none",
        splits=1,
        results=tmp_path,
        device="cpu",
        **{**TINY, "epochs": 1},
    )
    assert len(frame) == 4
    assert frame["status"].value_counts().to_dict() == {"ok": 3, "skipped": 1}
    assert {"fixed/macro_f1", "tuned/macro_f1", "param/lr", "cost/seconds_total"} <= set(frame.columns)
    assert os.path.exists(tmp_path / "rows.jsonl")
