"""Rescoring: stored predictions give the row that a fresh run would have; what is current, missing or killed is handled."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from equipoise import thresholds
from equipoise.catalog.registry import registry
from equipoise.cli.main import app
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan
from equipoise.sweep.rescore import rescore

from .shared import rescored
from .shared.rescored import STRATEGIES, another_metric

_without_mlflow = rescored.without_mlflow
swept = rescored.swept
store = rescored.store


# --- what is stored
def test_the_thresholds_behind_every_decision_are_stored(swept: tuple[Plan, Path]) -> None:
    store = Store(swept[1])
    for row in store.rows():
        kept = store.predictions(row["key"])
        assert np.array_equal(kept["train_Y"], swept[0].data["numbers"].Y[kept["train_rows"]])
        names = {"fixed", "tuned", "own"} - ({"own"} if row["strategy"] == "top_k" else set())
        assert {n.removesuffix("_thresholds") for n in kept if n.endswith("_thresholds")} == names
        for name in names:
            decided = thresholds.predict(kept["test_logits"], kept[f"{name}_thresholds"])
            assert kept[f"{name}_thresholds"].shape == (3,)
            assert np.array_equal(decided, kept[f"test_{name}"]), (row["strategy"], name)


@pytest.mark.parametrize("name", ["global_threshold", "scut", "expected_f1"])
def test_strategies_that_decide_by_thresholds_say_which(name: str) -> None:
    from equipoise.contracts.strategy import Context

    rng = np.random.default_rng(0)
    Y = (rng.random((40, 3)) < 0.4).astype(np.uint8)
    logits = rng.normal(size=(40, 3)).astype(np.float32) + Y
    context = Context(Y.sum(0), 40, rng=rng, folds=np.arange(40) % 2)
    rule = registry("strategy").get(name)().decide(logits, Y, context)
    assert isinstance(rule, thresholds.ThresholdRule)
    assert np.array_equal(rule(logits), logits.astype(np.float64) > rule.values)


# --- the command, and MLflow
def test_the_command_says_what_it_did(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(*words: str) -> Any:
        return CliRunner().invoke(app, ["rescore", "--results", str(store.path), *words])

    assert "0 rows rescored, 4 were current" in command().stdout
    another_metric(monkeypatch)
    (store.predictions_dir / f"{store.rows()[0]['key']}.npz").unlink()
    found = command("--json")
    assert found.exit_code == 1
    said = json.loads(found.stdout)
    assert (said["rescored"], said["current"], len(said["problems"])) == (3, 0, 1)
    assert "no predictions for row" in found.stderr
    assert "1 could not be" in command().stdout


def test_mlflow_shows_the_new_metric_once_a_row(
    store: Store, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from equipoise.tracking.database import quiet
    from equipoise.tracking.tracker import Tracker

    shutil.copyfile(template, store.path / "mlflow.db")
    assert Tracker(store).sync().written == len(STRATEGIES)
    another_metric(monkeypatch)
    lines: list[str] = []
    began = time.monotonic()
    rescore(store, on_problem=lines.append)
    assert lines == [], f"after {time.monotonic() - began:.0f} s"
    with quiet():
        from mlflow import MlflowClient

        client = MlflowClient(Tracker(store).uri)
        found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    runs = [run for run in found if run.data.tags["level"] == "cell"]
    rows = {row["strategy"]: row for row in store.rows()}
    assert sorted(run.data.tags["strategy"] for run in runs) == sorted(rows)
    for run in runs:
        shown = run.data.metrics["tuned/predicted_per_trained"]
        assert shown == rows[run.data.tags["strategy"]]["metrics"]["tuned/predicted_per_trained"]
