"""Measured effects over data sets: the same numbers as in a ranking, but over all data sets that a strategy has finished."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from equipoise import plots
from equipoise.core.errors import EquipoiseError
from equipoise.plots.effects import Estimate
from equipoise.rankings import effects
from equipoise.rankings.export import rank_rows
from equipoise.rankings.measured import MeasuredEffect, measured_effects
from equipoise.rankings.pictures import as_svg
from equipoise.report.comparison import compare

pytest.importorskip("statsmodels")
pytest.importorskip("baycomp")

DATA = [f"d{k}" for k in range(6)]


def rows_of(datasets: list[str] = DATA, backbone: str = "linear") -> list[dict[str, Any]]:
    """Four strategies with differences that grow with the data set, on five splits; focal has a decision of its own."""
    rng = np.random.default_rng(3)
    out = []
    for d, dataset in enumerate(datasets):
        for split in range(5):
            for k, strategy in enumerate(("none", "focal", "asl", "scut")):
                base = 0.5 + 0.02 * k * (d - 2) + rng.normal(0, 0.004) * (k > 0)
                metrics = {"scores/map": base, "tuned/macro_f1": base - 0.1, "fixed/macro_f1": base - 0.2}
                metrics["own/macro_f1"] = 0.7 if strategy == "focal" else metrics["tuned/macro_f1"]
                out.append(
                    {
                        "key": f"{backbone}{dataset}{strategy}{split}",
                        "status": "ok",
                        "dataset": dataset,
                        "dataset_sha256": dataset,
                        "backbone": backbone,
                        "strategy": strategy,
                        "split": split,
                        "seed": 0,
                        "settings": {},
                        "metrics": metrics,
                        "cost": {"seconds_total": 1.0 + k},
                    }
                )
    return out


def found(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], MeasuredEffect]:
    return {(one.backbone, one.strategy, one.metric): one for one in measured_effects(compare(rows))}


@pytest.mark.parametrize("metric", ["map", "tuned_macro_f1"])
def test_effects_are_those_of_a_ranking_where_all_is_complete(metric: str) -> None:
    (ranking,) = rank_rows(rows_of(), metric)
    measured = found(rows_of())
    for strategy in ranking.strategies:
        if strategy.effect is not None:
            one = measured["linear", strategy.strategy, metric]
            expected = (strategy.effect.mean, strategy.effect.low, strategy.effect.high)
            assert (one.mean, one.low, one.high) == pytest.approx(expected)
            assert one.low < one.mean < one.high
    assert ("linear", "none", metric) not in measured


def test_a_strategy_counts_on_every_data_set_that_it_has_finished() -> None:
    rows = [r for r in rows_of() if not (r["strategy"] == "asl" and r["dataset"] in ("d4", "d5"))]
    for row in rows:
        if row["strategy"] == "asl" and row["dataset"] == "d3" and row["split"] == 4:
            row |= {"status": "failed", "metrics": None, "error": "a fault"}
    measured = found(rows)
    one = measured["linear", "asl", "map"]
    assert one.datasets == ("d0", "d1", "d2")
    assert one.mean == pytest.approx(np.mean(one.differences))
    assert math.isnan(one.low), "no interval over three data sets"
    assert measured["linear", "focal", "map"].datasets == tuple(DATA)
    record = measured["linear", "focal", "map"].record()
    assert (record["best_dataset"], record["worst_dataset"], record["datasets"]) == ("d5", "d0", 6)
    assert record["best"] == pytest.approx(0.06, abs=0.01)


def test_settings_of_a_backbone_do_not_divide_its_data_sets() -> None:
    rows = rows_of(DATA[:3], "lstm[max_tokens=32]") + rows_of(DATA[3:], "lstm[max_tokens=96]")
    assert found(rows)["lstm", "focal", "map"].datasets == tuple(DATA)


def test_of_two_settings_on_one_data_set_the_more_complete_table_counts() -> None:
    few = [row for row in rows_of(DATA[:1], "lstm[max_tokens=96]") if row["strategy"] in ("none", "asl")]
    measured = found(rows_of(DATA, "lstm[max_tokens=32]") + few)
    assert measured["lstm", "focal", "map"].datasets == tuple(DATA)
    assert measured["lstm", "asl", "map"].datasets == tuple(DATA)


def test_an_own_decision_is_compared_with_tuned_none() -> None:
    measured = found(rows_of())
    assert measured["linear", "focal", "own_macro_f1"].mean == pytest.approx(0.3, abs=0.01)
    assert ("linear", "scut", "own_macro_f1") not in measured, "its decision is that of tuned thresholds"


def test_without_none_nothing_is_measured() -> None:
    assert measured_effects(compare([r for r in rows_of() if r["strategy"] != "none"])) == []


def test_an_unknown_variance_does_not_take_all_the_weight() -> None:
    """A data set with one split, such as an official one: its difference counts like the others."""
    differences, variances = np.array([0.02, 0.02, 0.02, 0.02, 0.02, -0.04]), np.full(6, 1e-4)
    variances[5] = math.nan
    mean, *_ = effects.random_effects(differences, variances)
    assert mean == pytest.approx(differences.mean())


def test_pictures_have_the_same_bytes_each_time() -> None:
    tables = compare(rows_of())
    ranked, measured = rank_rows(rows_of(), "map"), measured_effects(tables)
    made = as_svg(ranked, measured)
    assert sorted(made) == ["cost-map-linear.svg", "effects-linear.svg", "ranks-map-linear.svg"]
    assert made == as_svg(ranked, measured)
    one_set = measured_effects(compare(rows_of(DATA[:1])))
    assert as_svg([], one_set) == {}, "one data set has a table, and no picture over data sets"


def test_effects_are_drawn_in_the_order_of_their_means() -> None:
    panel = {
        "a": Estimate(-0.1, math.nan, math.nan, [-0.1, -0.2]),
        "b": Estimate(0.2, 0.1, 0.3, [0.1, 0.3]),
        "c": Estimate(0.0, -0.1, 0.1, [0.0]),
    }
    figure = plots.effect_sizes({"mAP": panel, "F1": {"a": panel["a"]}}, "linear")
    left, right = figure.axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["b", "c", "a"]
    intervals = [
        line for line in left.lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2
    ]
    drawn = [tuple(line.get_xdata()) for line in intervals if line.get_linewidth() == 1.6]
    assert drawn == [(0.1, 0.3), (-0.1, 0.1)], "a has no interval"
    assert len(right.collections) == 2, "the small marks and the dot of a"
    with pytest.raises(EquipoiseError, match="no measured effect"):
        plots.effect_sizes({"mAP": {}})
