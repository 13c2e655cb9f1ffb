"""The MLflow runs above the cells are written when they have to be, once each, with links that stay valid."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.store.store import Store
from equipoise.tracking import summarizer, writer
from equipoise.tracking.database import quiet
from equipoise.tracking.levels import PARENT
from equipoise.tracking.tracker import Tracker

from .shared import summarized as of_store
from .shared import tracked
from .shared.summarized import GAINS, experiment, named, rows
from .shared.tracked import all_runs, make_row, runs

store, summarized = tracked.store, of_store.summarized
#: The folder of the package.
ROOT = Path(summarizer.__file__).parent.parent


def test_nothing_is_written_twice_and_new_rows_keep_the_ids_of_the_runs(
    summarized: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = summarized(rows(splits=3))
    before = {name: run.info.run_id for name, run in named(store, "summary", "strategy").items()}
    assert not Tracker(store).lacks()
    with monkeypatch.context() as patched:
        patched.setattr(summarizer, "_folder", None)  # would be called if anything were written
        assert Tracker(store).summarize() == []
    store.append(rows(splits=4)[3])
    assert Tracker(store).lacks()
    summarized()
    after = named(store, "summary", "strategy")
    assert {name: run.info.run_id for name, run in after.items()} == before
    assert after["none · linear"].data.metrics["splits"] == 3  # the others lack the fourth
    (value,) = _history(store, before["none · linear"], "scores/map")
    assert value == pytest.approx(0.5, abs=0.02)


def test_a_summary_depends_on_every_file_that_says_something_in_it() -> None:
    names = {file.relative_to(ROOT).as_posix() for file in summarizer.code_files()}
    # The template, and modules in folders inside the room.
    assert {"page/page.html", "report/table.py", "report/verdicts/candidates.py"} <= names
    assert not [name for name in names if name.endswith(".pyc")]


def _history(store: Store, run_id: str, name: str) -> list[float]:
    with quiet():
        from mlflow import MlflowClient

        return [point.value for point in MlflowClient(Tracker(store).uri).get_metric_history(run_id, name)]


def test_a_kill_at_any_step_leaves_no_double_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for row in rows():
        store.append(row)
    Tracker(store).sync()
    real, calls = summarizer._fill, []

    def killed(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("killed")
        real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(summarizer, "_fill", killed)
        (problem,) = Tracker(store).summarize()
    assert "no summary of letters (OSError: killed)" in problem
    assert Tracker(store).lacks()
    assert Tracker(store).summarize() == []
    assert len(runs(store, "summary")) == 1
    assert sorted(named(store, "strategy")) == sorted(f"{name} · linear" for name in GAINS)
    assert {run.info.status for run in all_runs(store)} == {"FINISHED"}


def test_the_rows_alone_give_the_same_runs_again(
    summarized: Callable[..., Store], template: Path, tmp_path: Path
) -> None:
    store, again = summarized(rows()), Store(tmp_path / "again")
    again.path.mkdir()
    shutil.copyfile(template, again.path / "mlflow.db")
    shutil.copyfile(store.rows_file, again.rows_file)
    Tracker(again).sync()
    assert Tracker(again).summarize() == []
    both = [{run.info.run_name: run.data.metrics for run in all_runs(one)} for one in (store, again)]
    assert both[0] == both[1]
    assert len(both[0]) == 15 + 3 + 1


def test_runs_of_data_that_turn_out_to_be_generated_move_to_their_experiment(
    summarized: Callable[..., Store],
) -> None:
    skipped = make_row("bad", "skipped", strategy="broken", reason="no", metrics={}, generated=None)
    store = summarized([skipped])
    assert {run.info.experiment_id for run in all_runs(store)} == {experiment(store, "letters").experiment_id}
    summarized(rows(splits=3))
    assert {run.info.experiment_id for run in all_runs(store)} == {experiment(store).experiment_id}
    assert len(runs(store, "summary")) == 1


def test_a_sweep_has_summaries_at_its_end_and_seldom_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[int] = []

    def summarize(tracker: Tracker) -> list[str]:
        called.append(1)
        return []

    monkeypatch.setattr(Tracker, "summarize", summarize)
    writer._serve(store, io.StringIO("news\n" * 5), io.StringIO())
    assert called == []
    writer._serve(store, io.StringIO("news\nnews\nend\n"), io.StringIO())
    assert called == [1]


def test_a_run_that_is_moved_stands_below_its_strategy_again(summarized: Callable[..., Store]) -> None:
    store = summarized(rows(splits=3))
    with sqlite3.connect(store.path / "mlflow.db") as database:
        database.execute("UPDATE tags SET value = 'gone' WHERE key = ?", (PARENT,))
    store.append(rows(splits=4)[3])
    summarized()
    parents = {run.info.run_id for run in runs(store, "strategy")}
    assert {run.data.tags[PARENT] for run in runs(store)} <= parents
