"""`equipoise time` counts the rows of the official split where a cell trains on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from equipoise.api import choose
from equipoise.contracts.dataset import TEST, TRAIN, Dataset
from equipoise.sweep.plan import make_plan
from equipoise.timings.projection import estimate, records
from equipoise.timings.speeds import Speed

SPEED = Speed("d", "linear", "none", "cpu", 10.0, setup=0.0, rest=0.0, features=0.0, rows=100, epochs=1)


def data(training: int) -> Dataset:
    rng = np.random.default_rng(0)
    Y = (rng.random((100, 2)) < 0.4).astype(np.uint8)
    X = rng.normal(size=(100, 4)).astype(np.float32)
    official = np.where(np.arange(100) < training, TRAIN, TEST)
    return Dataset("d", X, Y, ("a", "b"), official=official)


@pytest.mark.parametrize("training", [20, 90])
def test_a_cell_of_the_official_split_costs_its_own_rows(training: int) -> None:
    settings = {"trials": 1, "folds": 2, "epochs": 1}
    chosen = choose(None, ["d"], ["linear"], ["none"], settings, "official", None)
    plan = make_plan(chosen, device="cpu", data={"d": data(training)})
    (official,) = plan.cells
    numbered = replace(official, split=0)
    # One trial on two folds sees all rows once, and so does the refit.
    assert SPEED.seconds(official, plan.data["d"]) == pytest.approx(2 * training / 10)
    assert SPEED.seconds(numbered, plan.data["d"]) == pytest.approx(2 * 80 / 10)
    assert estimate(plan, [SPEED], 1).core_seconds == pytest.approx(2 * training / 10)
    assert records(plan, [SPEED])[0]["seconds_per_cell"] == pytest.approx(2 * training / 10)
