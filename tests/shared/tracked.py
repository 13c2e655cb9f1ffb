"""Rows, predictions and a store with an empty MLflow database."""

from __future__ import annotations

import math
import shutil
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.store.store import Store
from equipoise.tracking import files as mlflow_files
from equipoise.tracking.database import quiet
from equipoise.tracking.levels import CELL, LEVEL
from equipoise.tracking.tracker import Tracker

from .made_rows import made_row

LABELS = ["existence", "property", "process"]

#: Training rows as an audit describes them.
SIDE = {"mean_ir": 3.0, "rows": 40, "scumble": 0.1, "duplicates": 0}


def make_row(key: str = "k0", status: str = "ok", **more: Any) -> dict[str, Any]:
    base = made_row(
        key,
        "ml_ros[p=0.25]+focal",
        1,
        {"fixed/macro_f1": 0.5, "tuned/macro_f1": 0.6, "fixed/rcr_at_3": math.nan},
        status=status,
        generated=True,
        settings={"trials": 4, "folds": 3},
        params={"lr": 0.01, "focal.gamma": 2.0},
        per_label={"fixed/f1": [0.1, 0.2, math.nan], "fixed/n_test": [5, 6, 0], "tuned/n_test": [5, 6, 0]},
        labels=LABELS,
        audit={"before": SIDE, "after": SIDE, "label_counts": [1, 2]},
        trials=[{"params": {"lr": 0.01}, "value": 0.5}],
        cost={"seconds_total": 90.0},
        error=None,
        created="2026-05-04T10:00:00+00:00",
    )
    return base | more


def make_predictions(n: int = 30) -> dict[str, np.ndarray[Any, Any]]:
    draw = np.random.default_rng(0)
    Y = (draw.random((n, 3)) < 0.4).astype(np.uint8)
    logits = (2.0 * Y - 1 + draw.normal(size=Y.shape)).astype(np.float32)
    return {"test_Y": Y, "test_logits": logits, "oof_Y": Y, "oof_logits": logits}


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Store:
    made = Store(tmp_path / "live store")  # a space: it must survive the URIs
    made.path.mkdir()
    shutil.copyfile(template, made.path / "mlflow.db")
    return made


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Replaces the plotting functions, and lists which figures are drawn."""
    calls: list[str] = []

    def drawer(name: str) -> Callable[..., Any]:
        def draw(*_args: Any, **_options: Any) -> Any:
            from matplotlib.figure import Figure

            calls.append(name)
            return Figure(figsize=(1, 1))

        return draw

    class Sheet:
        def write(self, file: Path, *_args: Any, **_options: Any) -> None:
            calls.append("pr_curves")
            file.touch()

    module: Any = types.ModuleType("equipoise.plots")
    for name in ("label_distribution", "cooccurrence"):
        setattr(module, name, drawer(name))
    module.CurveSheet = Sheet
    mlflow_files._sheet.cache_clear()
    monkeypatch.setitem(sys.modules, "equipoise.plots", module)
    yield calls
    mlflow_files._sheet.cache_clear()


def runs(store: Store, *levels: str) -> list[Any]:
    """The runs of these levels; by default those of rows."""
    wanted = levels or ("", CELL)
    return [run for run in all_runs(store) if run.data.tags.get(LEVEL, "") in wanted]


def all_runs(store: Store) -> list[Any]:
    with quiet():
        from mlflow import MlflowClient

        client = MlflowClient(Tracker(store).uri)
        experiments = [found.experiment_id for found in client.search_experiments()]
        return list(client.search_runs(experiments)) if experiments else []


def files(run: Any) -> dict[str, Path]:
    from mlflow.utils.file_utils import local_file_uri_to_path

    folder = Path(local_file_uri_to_path(run.info.artifact_uri))
    return {path.name: path for path in folder.iterdir()} if folder.exists() else {}
