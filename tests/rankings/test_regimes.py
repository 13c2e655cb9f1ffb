"""Where which family wins: traits of data sets, their levels, and counts that are not claims."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.measures import mean_ir, rdep
from equipoise.rankings.export import rank_rows
from equipoise.rankings.families import OTHER, family
from equipoise.rankings.regimes import TRAITS, traits_of
from equipoise.rankings.traits import traits_of_stores
from equipoise.store.store import Store

pytest.importorskip("statsmodels")
pytest.importorskip("baycomp")
Make = Callable[..., list[dict[str, Any]]]
Stored = Callable[..., Path]


def test_traits_are_the_measures_of_the_labels(make_rows: Make) -> None:
    rows = make_rows(datasets=["a"], splits=1)
    counts = [30, 6, 15, 0]
    rows[0]["per_label"] = {"fixed/n_train": [24, 5, 12, 0], "fixed/n_test": [6, 1, 3, 0]}
    Y = np.zeros((30, 4), dtype=int)
    for label, n in enumerate(counts):
        Y[:n, label] = 1
    assert traits_of(rows) == {"a": {"mean_ir": pytest.approx(mean_ir(Y)), "labels": 4, "positives": 15}}


@pytest.mark.parametrize(
    "per_label", [None, {}, {"fixed/n_train": [1]}, {"fixed/n_train": [1, 2], "fixed/n_test": [1]}]
)
def test_rows_without_counts_have_no_traits(make_rows: Make, per_label: Any) -> None:
    assert traits_of([row | {"per_label": per_label} for row in make_rows(datasets=["a"])]) == {}


def test_predictions_give_the_measures_of_all_labels(make_rows: Make, make_store: Stored) -> None:
    rows, Y = make_rows(datasets=["a"], splits=1), np.random.default_rng(0).random((50, 4)) < 0.3
    store = Store(make_store(rows, predictions={"train_Y": Y[:40], "test_Y": Y[40:]}))
    assert traits_of_stores([(store, rows)]) == {
        "a": {
            "mean_ir": pytest.approx(mean_ir(Y)),
            "labels": 4,
            "positives": np.median(Y.sum(axis=0)),
            "rows": 50,
            "rdep": pytest.approx(rdep(Y)),
        }
    }


def test_damaged_and_absent_predictions_fall_back_to_counts(make_rows: Make, make_store: Stored) -> None:
    rows = make_rows(datasets=["a", "b"], splits=1)
    store = Store(make_store(rows))
    assert traits_of_stores([(store, rows)]) == traits_of(rows)
    store.predictions_dir.mkdir(exist_ok=True)
    for row in rows:
        (store.predictions_dir / f"{row['key']}.npz").write_bytes(b"no archive")
    assert traits_of_stores([(store, rows)]) == traits_of(rows)


def test_levels_cover_all_values_in_order() -> None:
    imbalance = TRAITS[0]
    assert [imbalance.level(v) for v in (1, 4.9, 5, 29.9, 30, math.inf)] == [
        "MeanIR below 5",
        "MeanIR below 5",
        "MeanIR 5 to 30",
        "MeanIR 5 to 30",
        "MeanIR from 30",
        "MeanIR from 30",
    ]


def test_the_family_of_the_best_strategy_wins(make_rows: Make) -> None:
    """Losses gain on the six rarer data sets, and resampling on the two others."""
    gains = {"none": 0.0, "focal": 0.05, "hill": 0.02, "ml_ros": 0.0}
    rows = make_rows(gains, datasets=[f"rare-{i}" for i in range(6)])
    for row in rows:
        row["per_label"] = {"fixed/n_train": [400, 8], "fixed/n_test": [100, 2]}
    for row in make_rows(gains | {"focal": 0.0, "hill": 0.0, "ml_ros": 0.05}, datasets=["even-0", "even-1"]):
        rows.append(row | {"per_label": {"fixed/n_train": [400, 320], "fixed/n_test": [100, 80]}})
    (ranking,) = rank_rows(rows)
    of = {regime.level: regime for regime in ranking.regimes if regime.trait == "imbalance"}
    even, rare = of["MeanIR below 5"], of["MeanIR 5 to 30"]
    assert (rare.families[0].family, rare.families[0].wins, rare.families[0].strategies) == ("loss", 6, 2)
    assert rare.families[0].by_chance == 3
    assert rare.families[0].low < 0.035 < rare.families[0].high
    assert (even.families[0].family, even.families[0].wins) == ("resample", 2)
    assert math.isnan(even.families[0].low)
    assert sum(one.wins for one in rare.families) == pytest.approx(6)
    assert sum(one.by_chance for one in rare.families) == pytest.approx(6)


def test_a_trait_with_one_level_says_nothing_and_backbones_are_regimes(make_rows: Make) -> None:
    whole, single, _ = rank_rows(make_rows(backbones=("linear", "mlp")))
    assert {regime.level for regime in whole.regimes if regime.trait == "backbone"} == {"linear", "mlp"}
    assert not [regime for regime in single.regimes if regime.trait in ("backbone", "labels")]


def test_families_are_stages_and_files_are_not_run() -> None:
    assert [family(name) for name in ("none", "focal", "ml_ros+focal")] == [
        "baseline",
        "loss",
        "resample+loss",
    ]
    assert family("no_such_strategy") == OTHER
    for place in ("./missing.py:mine", "no_such_package.module:Mine", "focal+./missing.py:mine"):
        assert family(place) == OTHER
