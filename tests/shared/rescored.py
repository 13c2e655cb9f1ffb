"""A small sweep whose rows are scored again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from equipoise import metrics
from equipoise.api import choose
from equipoise.contracts.dataset import Dataset
from equipoise.experiment import versions
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import sweep

STRATEGIES = ("none", "ml_ros+temperature", "top_k", "scut")


@pytest.fixture(autouse=True)
def without_mlflow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "template" not in request.fixturenames:
        monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
        monkeypatch.setattr("equipoise.sweep.rescore.MlflowWriter", Mock())


def plan_of(*strategies: str, folds: int = 2) -> Plan:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(120, 6)).astype(np.float32)
    Y = (X[:, :3] + rng.normal(size=(120, 3)) > 0.8).astype(np.uint8)
    data = Dataset("numbers", X, Y, ("a", "b", "c"))
    tiny = {"trials": 2, "folds": folds, "epochs": 2}
    chosen = choose(None, ["numbers"], ["linear"], strategies, tiny, 1, None)
    return make_plan(chosen, device="cpu", data={"numbers": data})


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    folder = tmp_path_factory.mktemp("swept")
    plan = plan_of(*STRATEGIES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
        sweep(plan, Store(folder))
    return plan, folder


@pytest.fixture
def store(swept: tuple[Plan, Path], tmp_path: Path) -> Store:
    shutil.copytree(swept[1], tmp_path / "store")
    return Store(tmp_path / "store")


def another_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric more, as if its code had been added, and the version of the metrics that goes with it."""
    original = metrics.decision_metrics

    def more(Y_true: Any, Y_pred: Any, Y_train: Any) -> dict[str, float]:
        share = float(np.mean(Y_pred)) / float(np.mean(Y_train))
        return {**original(Y_true, Y_pred, Y_train), "predicted_per_trained": share}

    monkeypatch.setattr(metrics, "decision_metrics", more)
    monkeypatch.setattr(versions, "metrics_code", lambda: "f" * 16)
