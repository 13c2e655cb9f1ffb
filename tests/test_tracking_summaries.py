"""The MLflow runs above the cells: who won, from the rows alone, once each, with links that stay valid."""

from __future__ import annotations

import io
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.report.comparison import compare
from equipoise.store.store import Store
from equipoise.tracking import server, summarizer, writer
from equipoise.tracking.database import quiet
from equipoise.tracking.levels import PARENT
from equipoise.tracking.tracker import Tracker

from .shared import tracked
from .shared.tracked import all_runs, files, make_row, runs

store = tracked.store
#: The folder of the package.
ROOT = Path(summarizer.__file__).parent.parent
GAINS = {"none": 0.0, "focal": 0.05, "ml_ros[p=0.25]": -0.06}


COUNTS, SHARES = [40, 20, 9], [0.5, 0.4, 0.1]
PER_LABEL = {"fixed/n_train": COUNTS, "fixed/n_test": COUNTS, "fixed/f1": SHARES, "tuned/f1": SHARES}
PER_LABEL["fixed/average_precision"] = SHARES


def rows(splits: int = 5, **more: Any) -> list[dict[str, Any]]:
    """Finished rows of three strategies; split and strategy decide the scores."""
    made = []
    for place, (strategy, gain) in enumerate(GAINS.items()):
        for split in range(splits):
            base = 0.5 + gain + 0.01 * split + 0.001 * ((split + place) % 3)
            metrics = {"scores/map": base, "tuned/macro_f1": base, "fixed/macro_f1": base - 0.1}
            key = f"{strategy[:4]}{split}{more.get('backbone', '')}{more.get('dataset', '')}"
            made.append(
                make_row(key, strategy=strategy, split=split, metrics=metrics, per_label=PER_LABEL, **more)
            )
    return made


@pytest.fixture
def summarized(store: Store) -> Callable[..., Store]:
    def summarize(*listed: list[dict[str, Any]]) -> Store:
        for row in (row for part in listed for row in part):
            store.append(row)
        tracker = Tracker(store)
        tracker.sync()  # it says that there are no predictions to draw
        assert tracker.summarize() == []
        return store

    return summarize


def named(store: Store, *levels: str) -> dict[str, Any]:
    return {run.info.run_name: run for run in runs(store, *levels)}


def experiment(store: Store, name: str = "letters (generated)") -> Any:
    with quiet():
        from mlflow import MlflowClient

        return MlflowClient(Tracker(store).uri).get_experiment_by_name(name)


def test_a_strategy_has_the_means_of_the_report_and_its_cells_below_it(
    summarized: Callable[..., Store],
) -> None:
    store = summarized(rows())
    found = named(store, "strategy")
    (comparison,) = compare(store.rows())
    assert set(found) == {f"{result.strategy} · linear" for result in comparison.ranked}
    for result in comparison.ranked:
        data = found[f"{result.strategy} · linear"].data
        assert data.metrics["scores/map"] == pytest.approx(result.means["map"], abs=1e-4)
        assert data.metrics["rank"] == result.rank
        assert data.metrics["cost/seconds_per_cell"] == 90.0
    assert found["focal · linear"].data.metrics["gain/map"] == pytest.approx(0.05, abs=2e-3)
    assert found["focal · linear"].data.tags["versus none"].startswith("better in mAP")
    assert found["none · linear"].data.tags["versus none"] == "baseline"
    for cell in runs(store):
        assert cell.data.tags[PARENT] == found[f"{cell.data.tags['strategy']} · linear"].info.run_id


def test_mlflow_lists_the_summary_first_and_then_the_strategies_by_rank(
    summarized: Callable[..., Store],
) -> None:
    store = summarized(rows())
    by_start = sorted(all_runs(store), key=lambda run: -run.info.start_time)
    assert [run.info.run_name for run in by_start[:4]] == [
        "summary · linear",
        "focal · linear",
        "none · linear",
        "ml_ros[p=0.25] · linear",
    ]
    assert by_start[0].info.end_time - by_start[0].info.start_time == 15 * 90_000


def test_the_summary_has_the_ranking_the_page_and_pictures(summarized: Callable[..., Store]) -> None:
    (run,) = runs(summarized(rows()), "summary")
    table = json.loads(files(run)["ranking.json"].read_text(encoding="utf-8"))
    strategy = table["columns"].index("strategy")
    assert [line[strategy] for line in table["data"]] == ["focal", "none", "ml_ros[p=0.25]"]
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [{"path": "ranking.json", "type": "table"}]
    assert "<svg" in files(run)["report.html"].read_text(encoding="utf-8")
    assert files(run)["strategies.png"].stat().st_size > 1000
    # MLflow rejects the brackets of a strategy in the name of a metric.
    assert {name for name in run.data.metrics if name.startswith("map/")} == {
        "map/focal",
        "map/none",
        "map/ml_ros_p_0.25_",
    }


def test_the_description_has_the_verdict_and_the_ranking_and_a_users_own_is_kept(
    summarized: Callable[..., Store],
) -> None:
    store = summarized(rows(), rows(backbone="mlp"))
    note = experiment(store).tags["mlflow.note.content"]
    assert note.startswith("*Generated data.*\n\n**What to do.** Use focal on ")
    assert "### linear, 5 splits" in note
    assert "### mlp, 5 splits" in note
    assert "| 1&ensp; | focal&ensp; |" in note
    assert len(note) <= 5000
    with quiet():
        from mlflow import MlflowClient

        client = MlflowClient(Tracker(store).uri)
        client.set_experiment_tag(experiment(store).experiment_id, "mlflow.note.content", "my own words")
    summarized(rows(splits=6))
    assert experiment(store).tags["mlflow.note.content"] == "my own words"


def test_saved_views_are_what_mlflows_page_reads(summarized: Callable[..., Store]) -> None:
    store = summarized(rows())
    found = {
        name.removeprefix("mlflow.sharedViewState."): json.loads(value)
        for name, value in experiment(store).tags.items()
        if name.startswith("mlflow.sharedViewState.")
    }
    assert {key: view["name"] for key, view in found.items()} == {
        "who-won": "Who won",
        "cells": "Cells",
        "cost": "Cost",
    }
    state = json.loads(found["who-won"]["state"])
    with quiet():
        from mlflow import MlflowClient

        listed = MlflowClient(Tracker(store).uri).search_runs(
            [experiment(store).experiment_id],
            filter_string=state["searchFilter"],
            order_by=[f"{state['orderByKey']} {'ASC' if state['orderByAsc'] else 'DESC'}"],
        )
    assert [run.data.tags["strategy"] for run in listed] == ["focal", "none", "ml_ros[p=0.25]"]
    known = {f"metrics.`{name}`" for name in listed[0].data.metrics}
    known |= {f"tags.`{name}`" for name in listed[0].data.tags}
    assert set(state["selectedColumns"]) <= known


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


def test_failed_and_skipped_strategies_are_named_with_their_reason(summarized: Callable[..., Store]) -> None:
    broken = make_row("bad", "failed", strategy="broken", error="boom", metrics={}, generated=None)
    store = summarized(rows(), [broken])
    # A failed row does not know that its data are generated, and is in their experiment all the same.
    run = named(store, "strategy")["broken · linear"]
    assert run.info.experiment_id == experiment(store).experiment_id
    assert run.info.status == "FAILED"
    assert "boom" in run.data.tags["mlflow.note.content"]
    assert experiment(store, "letters") is None


def test_runs_of_data_that_turn_out_to_be_generated_move_to_their_experiment(
    summarized: Callable[..., Store],
) -> None:
    skipped = make_row("bad", "skipped", strategy="broken", reason="no", metrics={}, generated=None)
    store = summarized([skipped])
    assert {run.info.experiment_id for run in all_runs(store)} == {experiment(store, "letters").experiment_id}
    summarized(rows(splits=3))
    assert {run.info.experiment_id for run in all_runs(store)} == {experiment(store).experiment_id}
    assert len(runs(store, "summary")) == 1


def test_spread_over_repeats_is_a_metric(summarized: Callable[..., Store]) -> None:
    spread = [row | {"spread": {"scores/map": 0.01 * (1 + row["split"])}} for row in rows(splits=3)]
    store = summarized(spread)
    assert named(store)["none · linear #1"].data.metrics["spread/scores/map"] == 0.02
    assert named(store, "strategy")["none · linear"].data.metrics["spread/scores/map"] == pytest.approx(0.02)


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


@pytest.mark.slow
def test_ui_first_brings_the_view_up_to_date_unless_a_sweep_does(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for row in rows(splits=3):
        store.append(row)
    with store.locked():
        server.refresh(store.path)
        assert server.pages(store.path) == []
    server.refresh(store.path)
    ((name, page),) = server.pages(store.path)
    assert name == "letters (generated)"
    assert page.startswith("#/experiments/1/runs?viewStateShareKey=who-won&")
    assert capsys.readouterr().out.startswith("updating the MLflow view")
    server.refresh(store.path)
    assert capsys.readouterr().out == "", "nothing was left to write"


def test_a_browser_is_opened_on_a_desktop_only_and_when_the_server_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(server.webbrowser, "open", opened.append)
    with (
        socket.socket() as listening,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as process,
    ):
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server.open_when_ready("127.0.0.1", listening.getsockname()[1], "the page", process)
        process.communicate(b"\n")
    server.open_when_ready("127.0.0.1", 1, "a page of a server that has ended", process)
    assert opened == ["the page"]
    assert not server.has_browser(), "no terminal"
