"""MLflow shows each row exactly once, whatever happened before, and can be deleted and rebuilt."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import pytest

from equipoise.store.store import Store
from equipoise.tracking import files as mlflow_files
from equipoise.tracking.database import quiet
from equipoise.tracking.tracker import KEY, Tracker

from .shared import tracked
from .shared.tracked import files, make_predictions, make_row, runs

store = tracked.store
drawn = tracked.drawn


def test_a_row_becomes_one_finished_run_with_everything_on_it(store: Store, drawn: list[str]) -> None:
    store.append(make_row(), make_predictions())
    done = Tracker(store).sync()
    assert (done.written, done.present, done.problems) == (1, 0, [])
    (run,) = runs(store)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "ml_ros[p=0.25]+focal · linear #1"
    assert run.info.end_time - run.info.start_time == 90_000
    assert run.data.metrics["tuned/macro_f1"] == 0.6
    assert run.data.metrics["audit/before/mean_ir"] == 3.0
    assert "fixed/rcr_at_3" not in run.data.metrics  # undefined is absent, not 0
    assert run.data.params["focal.gamma"] == "2.0"
    assert run.data.params["setting/trials"] == "4"
    assert run.data.tags[KEY] == "k0"
    assert run.data.tags["generated"] == "true"
    assert run.data.tags["mlflow.note.content"] == "macro-F1 0.600 (tuned thresholds), 0.500 (threshold 0.5)"
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "letters"
    assert data.dataset.digest == ("ab" * 32)[:12]
    expected = {"per_label.csv", "trials.csv", "label_distribution.png", "cooccurrence.png", "pr_curves.png"}
    assert set(files(run)) == expected
    assert files(run)["per_label.csv"].read_text().splitlines() == [
        "label,fixed/f1,n_test",
        "existence,0.1,5",
        "property,0.2,6",
        "process,,0",
    ]


def test_generated_data_are_called_so_in_the_experiment(store: Store, drawn: list[str]) -> None:
    Tracker(store).sync([make_row("a"), make_row("b", generated=False)])
    with quiet():
        from mlflow import MlflowClient

        found = MlflowClient(Tracker(store).uri).search_experiments()
    assert {experiment.name for experiment in found} == {"letters (generated)", "letters"}


def test_syncing_again_writes_nothing_and_new_rows_are_added(store: Store, drawn: list[str]) -> None:
    tracker = Tracker(store)
    for number in range(3):
        store.append(make_row(f"k{number}", split=number), make_predictions())
    assert tracker.sync().written == 3
    assert (tracker.sync().written, tracker.sync().present) == (0, 3)
    store.append(make_row("k3"))
    done = Tracker(store).sync()  # another process, later
    assert (done.written, done.present) == (1, 3)
    assert sorted(run.data.tags[KEY] for run in runs(store)) == ["k0", "k1", "k2", "k3"]


def test_pictures_of_the_data_are_drawn_once_per_data_set(store: Store, drawn: list[str]) -> None:
    for number in range(3):
        store.append(make_row(f"k{number}", split=number), make_predictions())
    store.append(make_row("other", dataset="words", dataset_sha256="cd" * 32), make_predictions())
    Tracker(store).sync()
    assert drawn.count("label_distribution") == drawn.count("cooccurrence") == 2
    assert drawn.count("pr_curves") == 4
    assert all("cooccurrence.png" in files(run) for run in runs(store))


def test_pictures_of_the_data_show_all_training_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with one fold, whose out-of-fold rows are a quarter of them."""
    shown: list[int] = []
    monkeypatch.setattr(mlflow_files, "_draw_dataset", lambda Y, labels, cache: shown.append(len(Y)))
    kept = make_predictions(40)
    kept |= {"oof_Y": kept["oof_Y"][:10], "oof_logits": kept["oof_logits"][:10], "train_Y": kept["oof_Y"]}
    store.append(make_row("k0"), kept)
    Tracker(store).sync()
    assert shown == [80]


def test_a_row_redone_replaces_its_run(store: Store, drawn: list[str]) -> None:
    store.append(make_row(status="failed", error="CUDA out of memory", traceback="Traceback …", metrics={}))
    Tracker(store).sync()
    (failed,) = runs(store)
    assert failed.info.status == "FAILED"
    assert failed.data.tags["why"] == "CUDA out of memory"
    assert "Traceback …" in files(failed)["why.txt"].read_text(encoding="utf-8")
    store.append(make_row(), make_predictions())
    assert Tracker(store).sync().written == 1
    (run,) = runs(store)
    assert run.info.status == "FINISHED"
    assert files(failed) == {}


def test_a_skipped_cell_says_why_and_is_no_success(store: Store) -> None:
    Tracker(store).sync([make_row(status="skipped", reason="mlsmote needs numeric inputs", metrics={})])
    (run,) = runs(store)
    assert run.info.status == "KILLED"
    assert run.data.tags["mlflow.note.content"] == "mlsmote needs numeric inputs"
    assert run.info.run_name.startswith("skipped: ")


@pytest.fixture
def state() -> Callable[[], dict[str, Any]]:
    def read() -> dict[str, Any]:
        import mlflow

        levels = {name: logging.getLogger(name).level for name in ("mlflow", "alembic", "")}
        uris = (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), mlflow.active_run())
        return {"env": dict(os.environ), "levels": levels, "uris": uris}

    with quiet():
        import mlflow  # noqa: F401
    return read


def test_no_global_state_is_left_changed(
    store: Store, drawn: list[str], state: Callable[[], dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    before = state()
    store.append(make_row(), make_predictions())
    Tracker(store).sync()
    assert state() == before
    assert capfd.readouterr() == ("", "")
