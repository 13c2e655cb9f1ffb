"""Repeats of the refit: the first is that of a cell without repeats, each is paired over strategies, and metrics are averages."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

import equipoise
from equipoise.api import choose
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.engine.starts.first_weights import first_weights
from equipoise.experiment import versions
from equipoise.experiment.cross_validation import CrossValidator
from equipoise.experiment.evaluation import REPEATS, evaluate
from equipoise.experiment.pipeline import _validator, run_alone, trainer_for
from equipoise.experiment.prepared import prepare
from equipoise.experiment.settings import Settings
from equipoise.store.store import Store
from equipoise.sweep.estimate import passes
from equipoise.sweep.plan import Plan, describe, make_plan
from equipoise.sweep.rescore import rescore
from equipoise.sweep.run import sweep

Arrays = dict[str, np.ndarray]
#: A network, a convex model that repeats hardly change, a head, a vote of tasks with random parts, and an estimator.
CASES = (
    ("mlp[hidden=8]", "none"),
    ("linear", "ml_ros"),
    ("mlp[hidden=8]", "crt"),
    ("linear", "rakel_o"),
    ("extra_trees[trees=5]", "none"),
)


@pytest.fixture(autouse=True)
def _without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    monkeypatch.setattr("equipoise.sweep.rescore.MlflowWriter", Mock())


def numbers() -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(150, 6)).astype(np.float32)
    Y = (X[:, :4] + rng.normal(size=(150, 4)) > 0.8).astype(np.uint8)
    return Dataset("numbers", X, Y, ("a", "b", "c", "d"))


def plan_of(backbone: str, *strategies: str, repeats: int = 1) -> Plan:
    tiny = {"trials": 2, "folds": 2, "epochs": 3, "repeats": repeats}
    chosen = choose(None, ["numbers"], [backbone], strategies, tiny, 1, None)
    return make_plan(chosen, device="cpu", data={"numbers": numbers()})


def ran(backbone: str, strategy: str, repeats: int) -> tuple[dict[str, Any], Arrays]:
    plan = plan_of(backbone, strategy, repeats=repeats)
    return run_alone(plan.cells[0], plan.data["numbers"])


@pytest.mark.parametrize(("backbone", "strategy"), CASES)
def test_a_repeat_has_the_same_bits_whatever_their_number(backbone: str, strategy: str) -> None:
    (one_row, one), (_, two), (row, three) = (ran(backbone, strategy, repeats) for repeats in (1, 2, 3))
    assert not one.keys() & set(REPEATS.values()), "one refit is stored as ever"
    for name, values in one.items():
        assert np.array_equal(values, three[name], equal_nan=True), name
    for array in REPEATS.values():
        assert len(three[array]) == 2
        assert np.array_equal(two[array][0], three[array][0])
    assert not np.array_equal(three["test_logits"], three["repeat_logits"][0])
    assert not np.array_equal(three["repeat_logits"][0], three["repeat_logits"][1])
    assert (row["params"], row["objective"]) == (one_row["params"], one_row["objective"])
    assert one_row["key"] != row["key"]


def test_metrics_are_averages_and_their_spread_is_recorded() -> None:
    row, arrays = ran("mlp[hidden=8]", "none", 3)
    refits = [
        {**arrays, **({} if r < 0 else {f"test_{n}": arrays[a][r] for n, a in REPEATS.items()})}
        for r in (-1, 0, 1)
    ]
    alone = [
        evaluate({name: values for name, values in refit.items() if name not in REPEATS.values()})
        for refit in refits
    ]
    assert all(one["spread"] == {} for one in alone)
    for metric, value in row["metrics"].items():
        each = np.array([one["metrics"][metric] for one in alone])
        defined = each[~np.isnan(each)]
        assert math.isnan(value) if len(defined) == 0 else value == pytest.approx(defined.mean())
        if len(defined) > 1:
            assert row["spread"][metric] == pytest.approx(defined.std(ddof=1))
    assert row["spread"]["scores/map"] > 0
    assert row["spread"]["tuned/labels_scored"] == 0
    recall = np.array([one["per_label"]["tuned/recall"] for one in alone])
    assert row["per_label"]["tuned/recall"] == pytest.approx(recall.mean(0))
    assert row["per_label"]["tuned/n_test"] == alone[0]["per_label"]["tuned/n_test"]
    assert all(type(count) is int for count in row["per_label"]["tuned/n_test"])


def test_an_undefined_metric_is_averaged_over_the_refits_that_define_it() -> None:
    _, arrays = ran("linear", "none", 3)
    # Precision of a label is undefined where it is never predicted.
    arrays["test_fixed"][:, 0] = 0
    arrays["repeat_fixed"][0, :, 0] = arrays["test_Y"][:, 0]
    arrays["repeat_fixed"][1, :, 0] = 0
    assert evaluate(arrays)["per_label"]["fixed/precision"][0] == 1.0
    arrays["repeat_fixed"][0, :, 0] = 0
    assert math.isnan(evaluate(arrays)["per_label"]["fixed/precision"][0])


def validator_of(strategy: str) -> CrossValidator:
    plan = plan_of("mlp[hidden=8]", strategy)
    (cell,) = plan.cells
    prepared = prepare(cell, plan.data["numbers"], _backbone(cell.backbone))
    return _validator(get_strategy(strategy), cell, prepared, trainer_for(cell, prepared), None)


def _backbone(spec: str) -> Any:
    from equipoise.catalog.backbones import get_backbone

    return get_backbone(spec)


def test_all_strategies_start_a_repeat_from_the_same_weights() -> None:
    params = {"lr": 0.01, "C": 1.0}
    starts = {}
    for strategy in ("none", "focal"):
        jobs = [validator_of(strategy)._jobs.model(params, None, repeat) for repeat in range(3)]
        lanes = [lane for job in jobs for lane in job.lanes]
        assert len({lane.role for lane in lanes}) == 3  # type: ignore[union-attr]
        starts[strategy] = first_weights(lanes, 6, 64)  # type: ignore[arg-type]
        roles = [lane.role for lane in lanes]  # type: ignore[union-attr]
        starts[strategy].append({"roles": roles})  # type: ignore[dict-item]
    assert starts["none"].pop() == starts["focal"].pop(), "and the same batches"
    for none, focal in zip(starts["none"], starts["focal"], strict=True):
        assert np.array_equal(none["weight1"], focal["weight1"])
    assert not np.array_equal(starts["none"][0]["weight1"], starts["none"][1]["weight1"])


def test_rows_with_repeats_are_kept_resumed_and_rescored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of("linear", "none", "ml_ros", "scut", repeats=3)
    store = Store(tmp_path / "store")
    sweep(plan, store)
    fresh = {row["key"]: row for row in store.rows()}
    lines = store.rows_file.read_bytes()
    shutil.copytree(store.path, tmp_path / "other")
    sweep(plan, store)
    assert store.rows_file.read_bytes() == lines, "nothing runs twice"
    monkeypatch.setattr(versions, "metrics_code", lambda: "another")
    assert rescore(Store(tmp_path / "other")).rescored == 3
    for row in Store(tmp_path / "other").rows():
        for field in ("metrics", "spread", "per_label"):
            assert repr(row[field]) == repr(fresh[row["key"]][field])
    # `none` and `scut` train the same networks, in every repeat.
    of = {row["strategy"]: row for row in fresh.values()}
    assert of["none"]["metrics"]["scores/map"] == of["scut"]["metrics"]["scores/map"]
    assert of["none"]["spread"]["scores/map"] == of["scut"]["spread"]["scores/map"]


def test_side_by_side_and_alone_are_equal(tmp_path: Path) -> None:
    plan = plan_of("mlp[hidden=8]", "none", "pos_weight", repeats=2)
    store = Store(tmp_path)
    sweep(plan, store)
    for cell in plan.cells:
        row, arrays = run_alone(cell, plan.data["numbers"])
        kept = store.predictions(cell.key)
        assert all(np.array_equal(values, kept[name], equal_nan=True) for name, values in arrays.items())
        (stored,) = [r for r in store.rows() if r["key"] == cell.key]
        assert stored["metrics"] == pytest.approx(row["metrics"], nan_ok=True)


def test_the_spread_is_in_the_frame(tmp_path: Path) -> None:
    frame = equipoise.run(
        dataset=numbers(),
        backbone="linear",
        strategy="none",
        splits=1,
        results=tmp_path,
        trials=1,
        folds=2,
        epochs=2,
        repeats=2,
    )
    assert frame["spread/tuned/macro_f1"].notna().all()
    assert frame["setting/repeats"].tolist() == [2]


def test_plan_and_estimate_count_the_repeats() -> None:
    one, four = plan_of("linear", "none"), plan_of("linear", "none", repeats=4)
    assert describe(four)["trainings"] - describe(one)["trainings"] == 3
    assert passes(Settings(repeats=4), 100) - passes(Settings(), 100) == 3 * 30 * 100


@pytest.mark.parametrize("repeats", [0, -1, 1.5, 1001])
def test_impossible_repeats_are_refused(repeats: float) -> None:
    with pytest.raises(EquipoiseError, match=r"^repeats must be"):
        Settings.of({"repeats": repeats})
