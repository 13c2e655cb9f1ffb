"""The MLflow runs above the cells: who won, from the rows alone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from equipoise.report.comparison import compare
from equipoise.store.store import Store
from equipoise.tracking.database import quiet
from equipoise.tracking.levels import PARENT
from equipoise.tracking.tracker import Tracker

from .shared import summarized as of_store
from .shared import tracked
from .shared.summarized import experiment, named, rows
from .shared.tracked import all_runs, files, make_row, runs

store, summarized = tracked.store, of_store.summarized


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


def test_failed_and_skipped_strategies_are_named_with_their_reason(summarized: Callable[..., Store]) -> None:
    broken = make_row("bad", "failed", strategy="broken", error="boom", metrics={}, generated=None)
    store = summarized(rows(), [broken])
    # A failed row does not know that its data are generated, and is in their experiment all the same.
    run = named(store, "strategy")["broken · linear"]
    assert run.info.experiment_id == experiment(store).experiment_id
    assert run.info.status == "FAILED"
    assert "boom" in run.data.tags["mlflow.note.content"]
    assert experiment(store, "letters") is None


def test_spread_over_repeats_is_a_metric(summarized: Callable[..., Store]) -> None:
    spread = [row | {"spread": {"scores/map": 0.01 * (1 + row["split"])}} for row in rows(splits=3)]
    store = summarized(spread)
    assert named(store)["none · linear #1"].data.metrics["spread/scores/map"] == 0.02
    assert named(store, "strategy")["none · linear"].data.metrics["spread/scores/map"] == pytest.approx(0.02)
