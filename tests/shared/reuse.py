"""Numeric data with four labels, and plans of several trials."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise.api import choose
from equipoise.contracts.dataset import Dataset
from equipoise.sweep.plan import Plan, make_plan


def numbers(rows: int = 140) -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(rows, 6)).astype(np.float32)
    Y = (X[:, :4] + rng.normal(size=(rows, 4)) > [0.3, 0.6, 0.9, 1.2]).astype(np.uint8)
    return Dataset("numbers", X, Y, ("a", "b", "c", "d"))


def plan_of(strategies: list[str], backbone: str = "mlp[hidden=7]", splits: int = 1, **settings: Any) -> Plan:
    given = {"trials": 4, "folds": 2, "epochs": 3, "trial_batch": 2, **settings}
    chosen = choose(None, ["numbers"], [backbone], strategies, given, splits, None)
    return make_plan(chosen, device="cpu", data={"numbers": numbers()})
