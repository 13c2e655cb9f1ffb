"""What MLflow cannot take, interrupted runs and damaged files: the rows are safe, and the next sync mends the view."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from equipoise.core.errors import EquipoiseError
from equipoise.store.store import Store
from equipoise.tracking.database import quiet, relocate
from equipoise.tracking.tracker import KEY, Tracker

from .shared import tracked
from .shared.tracked import files, make_predictions, make_row, runs

store = tracked.store
drawn = tracked.drawn


def test_a_run_cut_off_half_way_becomes_exactly_one_finished_run(store: Store, drawn: list[str]) -> None:
    with quiet():
        from mlflow import MlflowClient

        client = MlflowClient(Tracker(store).uri)
        experiment = client.create_experiment("letters (generated)")
        client.create_run(experiment, tags={KEY: "k0"}, run_name="half")
    store.append(make_row(), make_predictions())
    assert Tracker(store).sync().written == 1
    (run,) = runs(store)
    assert run.info.status == "FINISHED"
    assert run.info.run_name != "half"


@pytest.mark.parametrize("step", ["log_batch", "log_inputs", "set_terminated"])
def test_a_failure_at_any_step_is_one_line_and_mends_itself(
    store: Store, drawn: list[str], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise OSError("disk\nfull")

    store.append(make_row(), make_predictions())
    tracker = Tracker(store)
    with monkeypatch.context() as patch:
        with quiet():
            patch.setattr(f"mlflow.MlflowClient.{step}", broken)
        (problem,) = tracker.sync().problems
    assert "MLflow lacks row k0 (OSError: disk full)" in problem
    assert tracker.sync().problems == []  # the same process
    assert Tracker(store).sync().present == 1  # and the next
    (run,) = runs(store)
    assert run.info.status == "FINISHED"


def test_names_and_values_mlflow_rejects_do_not_lose_the_run(store: Store) -> None:
    odd = {"a[b]": 1.0, "a(b)": 2.0, "x" * 400: 3.0, "µ/π": 4.0}
    long = {"note": "v" * 9000, **{f"p{number}": number for number in range(150)}}
    done = Tracker(store).sync(
        [make_row(status="failed", metrics=odd, params=long, dataset="my data/ü?.csv")]
    )
    assert done.problems == []
    (run,) = runs(store)
    assert {run.data.metrics["a_b_"], run.data.metrics["a_b__2"]} == {1.0, 2.0}
    assert run.data.metrics["µ/π"] == 4.0
    assert files(run)


def test_pictures_that_cannot_be_drawn_are_noted_and_the_run_is_kept(
    store: Store, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise RuntimeError("no\nfont")

    monkeypatch.setattr(sys.modules["equipoise.plots"].CurveSheet, "write", broken)
    store.append(make_row(), make_predictions())
    (problem,) = Tracker(store).sync().problems
    assert problem == "no pictures for row k0 (RuntimeError: no font)"
    (run,) = runs(store)
    assert run.info.status == "FINISHED"


def test_a_moved_store_finds_its_artifacts_again(store: Store, drawn: list[str], tmp_path: Path) -> None:
    store.append(make_row(), make_predictions())
    Tracker(store).sync()
    moved = Store(shutil.move(store.path, tmp_path / "moved"))
    done = Tracker(moved).sync()
    assert (done.written, done.present) == (0, 1)
    (run,) = runs(moved)
    assert "pr_curves.png" in files(run)
    assert (tmp_path / "moved") in files(run)["pr_curves.png"].parents
    assert not relocate(moved.path / "mlflow.db", moved.path / "mlartifacts")
    moved.append(make_row("k1"), make_predictions())
    Tracker(moved).sync()
    assert not store.path.exists()


def test_a_database_that_cannot_be_opened_is_one_line_and_the_rows_are_safe(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(make_row())
    (tmp_path / "mlflow.db").mkdir()
    done = Tracker(store).sync()
    assert done.written == 0
    (problem,) = done.problems
    assert "the rows are safe" in problem
    assert "\n" not in problem
    assert store.statuses() == {"k0": "ok"}


def test_nothing_to_write_makes_no_database(tmp_path: Path) -> None:
    assert Tracker(Store(tmp_path)).sync().problems == []
    assert not (tmp_path / "mlflow.db").exists()


def test_the_database_is_made_whole_in_wal_mode_with_no_empty_experiment(template: Path) -> None:
    connection = sqlite3.connect(template)
    try:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        active = "SELECT count(*) FROM experiments WHERE lifecycle_stage = 'active'"
        assert connection.execute(active).fetchone() == (0,)
    finally:
        connection.close()
    assert [
        path.name for path in template.parent.iterdir() if path.is_dir() and path.name != "mlartifacts"
    ] == []


def test_missing_predictions_of_a_finished_row_are_noted(store: Store) -> None:
    store.append(make_row())
    (problem,) = Tracker(store).sync().problems
    assert "no predictions for row 'k0'" in problem
    with pytest.raises(EquipoiseError):
        store.predictions("k0")
