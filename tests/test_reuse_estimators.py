"""The cost of estimators that are fitted once for several cells."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.engine.lanes import Lane
from equipoise.engine.reuse import train_once
from equipoise.engine.train import Request
from equipoise.ops.device import resolve
from equipoise.ops.inputs import Dense


def a_lane(X: np.ndarray, c: float) -> Lane:
    targets = (X[:, :2] > 0).astype(np.uint8)
    return Lane(
        index=np.arange(len(X)),
        targets=targets,
        n_pos=targets.sum(0, dtype=np.int64),
        n_rows=len(X),
        strategy=get_strategy("none"),
        backbone=get_backbone(f"logistic_regression[c={c}]"),
        lr=0.0,
        l2=0.0,
        role=("estimators",),
        steps=4,
    )


def test_a_reused_estimator_costs_what_fitting_it_took() -> None:
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    inputs = Dense.of(X)
    asked = [
        [a_lane(X, 1.0), a_lane(X, 2.0)],
        [a_lane(X, 2.0)],
        [a_lane(X, 1.0), a_lane(X, 2.0), a_lane(X, 3.0)],
    ]
    requests = [Request(lanes, inputs, 32, resolve("cpu")) for lanes in asked]
    first, second, third = (out for out in train_once(requests))
    costs = [request.cost for request in requests]
    assert [(cost.lanes, cost.reused) for cost in costs] == [(2, 0), (0, 1), (1, 2)]
    assert second[0] is first[1]
    assert all(trained.seconds > 0 for trained in (*first, *third))
    assert costs[0].seconds_reused == 0
    assert costs[1].seconds_reused == first[1].seconds
    assert costs[2].seconds_reused == pytest.approx(costs[0].seconds)
    assert costs[2].seconds == third[2].seconds, "only what it fitted itself"
