"""What killed sweeps leave in a store is removed; missing and damaged parts of it are reported and made again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from equipoise.api import choose
from equipoise.store.store import MAKING, SPOOL, Store
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.pool import spooled
from equipoise.sweep.run import sweep
from equipoise.sweep.watching import Watcher
from equipoise.tracking.database import database_uri, is_damage, quiet
from equipoise.tracking.tracker import Tracker

TINY = {"trials": 1, "folds": 2, "epochs": 1}


def plan_of(strategies: Sequence[str], splits: int) -> Plan:
    chosen = choose(None, ["design-emails[rows=60]"], ["linear"], strategies, TINY, splits, None)
    return make_plan(chosen, device="cpu")


def row(key: str) -> dict[str, Any]:
    names = {"dataset": "letters", "backbone": "linear", "strategy": "none", "split": 0}
    return {"key": key, "status": "failed", "error": "E", "created": "2026-05-04T10:00:00+00:00", **names}


def runs(store: Store) -> int:
    with quiet():
        from mlflow import MlflowClient

        client = MlflowClient(Tracker(store).uri)
        return len(client.search_runs([found.experiment_id for found in client.search_experiments()]))


def test_copies_of_data_are_in_the_store_and_the_next_sweep_removes_those_of_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    store = Store(tmp_path / "store")
    plan = plan_of(["none"], 1)
    with spooled(plan.data, store.path) as files:
        assert all(file.is_file() and store.path in file.parents for file in files.values())
    assert list(store.path.iterdir()) == []
    for left in (f"{SPOOL}abc/0.pickle", f"{MAKING}abc/mlflow.db", "predictions/k0.part"):
        (store.path / left).parent.mkdir(parents=True)
        (store.path / left).write_bytes(b"left by a killed sweep")
    sweep(plan, store)
    assert not [
        file
        for file in store.path.rglob("*")
        if file.name.startswith((SPOOL, MAKING)) or file.suffix == ".part"
    ]


def test_a_store_removed_under_way_is_said_and_the_same_sweep_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    plan, store = plan_of(["none"], 3), Store(tmp_path / "store")
    problems: list[str] = []

    def remove_once(cell: Any, written: Any) -> None:
        if cell.split == 0:
            shutil.rmtree(store.path)

    sweep(plan, store, watcher=Watcher(on_row=remove_once, on_problem=problems.append))
    assert len(store.rows()) == 2
    (problem,) = problems
    assert "removed under way" in problem
    sweep(plan, Store(store.path))
    assert len(store.rows()) == 3


def test_missing_predictions_are_said_and_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    plan, store, problems = plan_of(["none"], 2), Store(tmp_path / "store"), []
    sweep(plan, store)
    before = {cell.key: store.predictions(cell.key) for cell in plan.cells}
    shutil.rmtree(store.predictions_dir)
    sweep(plan, store, watcher=Watcher(on_problem=problems.append))
    assert problems == [
        "the predictions of 2 rows of this plan are missing, so that new metrics cannot be computed for them; "
        "--redo all makes them again"
    ]
    sweep(plan, store, redo="all", watcher=Watcher(on_problem=problems.append))
    assert len(problems) == 1
    for key, arrays in before.items():
        np.testing.assert_array_equal(store.predictions(key)["test_logits"], arrays["test_logits"])


@pytest.mark.parametrize("content", [b"", b"not a database" * 100], ids=["empty", "garbage"])
def test_a_damaged_database_is_made_again_from_the_rows(
    content: bytes, tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "equipoise.tracking.connection.create_database",
        lambda path, artifacts: shutil.copyfile(template, path),
    )
    store = Store(tmp_path)
    for key in ("k0", "k1"):
        store.append(row(key))
    (tmp_path / "mlflow.db").write_bytes(content)
    done = Tracker(store).sync()
    (problem,) = done.problems
    assert problem.endswith(
        "was damaged, and has been made again from the rows; the damaged file is mlflow.damaged"
    )
    assert (done.written, runs(store)) == (2, 2)
    assert (tmp_path / "mlflow.damaged").read_bytes() == content
    assert Tracker(store).sync().problems == []


def test_a_path_with_percent_signs_holds_a_database(tmp_path: Path) -> None:
    store = Store(tmp_path / "100%20 of%41ll%" / "p%q")
    store.append(row("k0"))
    assert Tracker(store).sync().problems == []
    assert (store.path / "mlflow.db").is_file()
    assert (len(list(store.path.rglob("why.txt"))), runs(store)) == (1, 1)


def test_a_plain_path_is_in_the_uri_as_it_is(tmp_path: Path) -> None:
    assert database_uri(tmp_path / "mlflow.db") == f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"


def test_a_busy_or_full_disk_is_no_damage() -> None:
    import sqlite3

    assert is_damage(sqlite3.DatabaseError("file is not a database"))
    assert not is_damage(sqlite3.OperationalError("database is locked"))
    assert not is_damage(OSError("file is not a database"))
