"""`splits = "official"`: the split that comes with the data, from suite and command line to the report."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from equipoise.api import choose
from equipoise.contracts.dataset import DEV, TEST, TRAIN
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings
from equipoise.splits.outer import outer_split
from equipoise.sweep.estimate import Size, core_seconds
from equipoise.sweep.plan import make_plan
from equipoise.sweep.suite import Suite, parse_suite

from .shared.official import data

pytestmark = pytest.mark.usefixtures("without_mlflow")

TINY = {"trials": 1, "folds": 2, "epochs": 1}


def suite(splits: Any = "official", **settings: Any) -> Suite:
    return choose(None, ["mine"], ["linear"], ["none", "focal"], {**TINY, **settings}, splits, None)


# --- the split
def test_development_rows_train_and_test_rows_test() -> None:
    official = np.array([TEST, TRAIN, DEV, TEST, TRAIN])
    train, test = outer_split(np.zeros((5, 1)), "official", 0, official)
    assert (train.tolist(), test.tolist()) == ([1, 2, 4], [0, 3])


@pytest.mark.parametrize(
    ("split", "official", "says"),
    [
        ("official", None, "no official split"),
        ("official", [TRAIN, DEV], "no test rows"),
        ("official", [TEST, TEST], "no training rows"),
        ("offcial", [TRAIN, TEST], "0 or more, or 'official', not 'offcial'"),
    ],
)
def test_what_is_no_split_is_one_line(split: Any, official: Any, says: str) -> None:
    with pytest.raises(EquipoiseError, match=says):
        outer_split(np.zeros((2, 1)), split, 0, official)


# --- suite and plan
def test_a_suite_asks_for_it_in_one_block() -> None:
    text = (
        'datasets = ["toy"]\nbackbones = ["linear"]\nstrategies = ["none"]\nsplits = 2\n'
        '[[blocks]]\n[[blocks]]\nsplits = "official"\n'
    )
    numbered, official = parse_suite("mine", text, "mine.toml").blocks
    assert (numbered.outer_splits, official.outer_splits) == ((0, 1), ("official",))
    with pytest.raises(EquipoiseError, match="splits must be a whole number or \"official\", got 'offcial'"):
        parse_suite("mine", text.replace('"official"', '"offcial"'), "mine.toml")


def test_the_plan_has_one_cell_a_strategy_and_numbered_ones_keep_their_keys() -> None:
    mine = data()
    official = make_plan(suite(), data={"mine": mine}).cells
    numbered = make_plan(suite(2), data={"mine": mine}).cells
    assert [cell.split for cell in official] == ["official", "official"]
    assert [cell.split for cell in numbered] == [0, 0, 1, 1]
    assert len({cell.key for cell in (*official, *numbered)}) == 6
    without = make_plan(suite(2), data={"mine": dataclasses.replace(mine, official=None)}).cells
    assert [cell.key for cell in without] == [cell.key for cell in numbered]


def test_data_without_one_are_refused_with_the_names_of_those_that_have_one() -> None:
    for mine, says in (
        (dataclasses.replace(data(), official=None), "no official split"),
        (data((90, 10, 0)), "no test rows"),
    ):
        with pytest.raises(EquipoiseError) as caught:
            make_plan(suite(), data={"mine": mine})
        assert says in str(caught.value)
        assert str(caught.value).startswith("mine cannot run with splits official")
        assert "goemotions, reuters-21578, scene" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_too_few_rows_to_train_on_is_a_reason_to_skip() -> None:
    plan = make_plan(suite(folds=3), data={"mine": data((8, 3, 80))})
    assert not plan.cells
    assert "11 rows to train on; the official split with 3 inner folds needs 12" in plan.skipped[0][1]


def test_the_estimate_is_for_the_rows_that_train() -> None:
    size = Size.of(data((60, 20, 20)))
    assert size.official == 80
    cells = [Cell("d", "", "linear", "none", split, 0, Settings(), "cpu", "") for split in (0, "official")]
    assert core_seconds(cells[0], size) == core_seconds(cells[1], size)
    smaller = Size.of(data((20, 0, 80)))
    assert (core_seconds(cells[1], smaller) or 0) < (core_seconds(cells[0], smaller) or 0)
