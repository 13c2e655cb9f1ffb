"""Which lanes count as equal, and that equal ones are trained once."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from equipoise.backbones.mlp import MLP
from equipoise.catalog.strategies import get_strategy
from equipoise.engine.lanes import Lane
from equipoise.engine.reuse import Content, train_once
from equipoise.engine.train import Request
from equipoise.ops.inputs import Dense, Inputs

from .shared.reuse import plan_of

pytestmark = pytest.mark.usefixtures("own_catalogue")


# --- what counts as equal
def a_lane(**changed: Any) -> Lane:
    Y = (np.random.default_rng(0).random((40, 3)) < 0.4).astype(np.uint8)
    base = Lane(
        index=np.arange(32),
        targets=Y[:32],
        n_pos=Y[:32].sum(0, dtype=np.int64),
        n_rows=32,
        strategy=get_strategy("focal[gamma=1.0]"),
        backbone=MLP(hidden=5, pinned=frozenset({"hidden", "dropout"})),
        lr=0.01,
        l2=0.01,
        role=("reuse", 0),
        steps=6,
        held_out=np.arange(32, 40),
        held_targets=Y[32:],
    )
    return dataclasses.replace(base, **changed)


def a_request(lanes: list[Lane], inputs: Inputs, **more: Any) -> Request:
    return Request(lanes, inputs, batch_size=32, device=torch.device("cpu"), **more)


CHANGES: dict[str, Any] = {
    "index": np.arange(32)[::-1].copy(),
    "targets": np.zeros((32, 3), dtype=np.uint8),
    "n_pos": np.array([1, 2, 3]),
    "n_rows": 33,
    "trained_pos": np.array([1, 2, 3]),
    "trained_rows": 33,
    "strategy": get_strategy("focal[gamma=1.5]"),
    "backbone": get_strategy("none"),
    "lr": 0.02,
    "l2": 0.02,
    "role": ("reuse", 1),
    "steps": 7,
    "synthetic": sp.csr_array(np.eye(3, dtype=np.float32)),
    "weights": np.arange(32.0),
    "held_out": np.arange(8),
    "held_targets": np.ones((8, 3), dtype=np.uint8),
    "precision": "bfloat16",
    "pause": 3,
}


def test_lanes_are_equal_if_everything_is() -> None:
    inputs = Dense(torch.zeros((40, 4)))
    lanes = [a_lane(), a_lane(), *(a_lane(**{name: value}) for name, value in CHANGES.items())]
    request = a_request(lanes, inputs)
    content = Content()
    seen = [content.of_lane(request, lane) for lane in lanes]
    assert seen[0] == seen[1]
    assert len(set(seen)) == len(lanes) - 1
    for more in ({"batch_size": 64}, {"inputs": Dense(torch.zeros((40, 4)))}):
        assert content.of_lane(dataclasses.replace(request, **more), lanes[0]) != seen[0]
    unknown = (
        {f.name for f in dataclasses.fields(Lane)}
        - set(CHANGES)
        - {"label_inputs", "val_label_inputs", "resume"}
    )
    assert not unknown, f"say in CHANGES how lanes differ in {unknown}"


def test_equal_lanes_are_trained_once_and_reported_to_all() -> None:
    X = torch.from_numpy(np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32))
    inputs = Dense(X)
    heard: list[list[int]] = [[], [], []]
    asked = [[a_lane(), a_lane(lr=0.02)], [a_lane(lr=0.02), a_lane(lr=0.03)], [a_lane(), a_lane()]]
    requests = [a_request(lanes, inputs, on_step=heard[r].append) for r, lanes in enumerate(asked)]
    out = train_once(requests)
    assert [(r.cost.lanes, r.cost.reused) for r in requests] == [(2, 0), (1, 1), (0, 2)]
    assert [r.cost.steps for r in requests] == [12, 6, 0]
    assert requests[2].cost.seconds_reused > 0
    assert out[0][1] is out[1][0]
    assert out[0][0] is out[2][0] is out[2][1]
    assert [sum(own) for own in heard] == [12, 12, 12]
    alone = train_once([a_request(asked[1], inputs)])[0]
    for name, value in alone[0].params.items():
        assert torch.equal(value, out[1][0].params[name])


# --- what it saves is in the estimates
def test_networks_that_are_shared_are_counted_once() -> None:
    from equipoise.sweep.estimate import core_hours
    from equipoise.sweep.plan import describe

    alone, both = plan_of(["none", "focal"]), plan_of(["scut", "none", "platt", "focal", "focal+scut"])
    assert describe(both)["cells"] == 5
    assert describe(both)["trainings"] == describe(alone)["trainings"] == 2 * (4 * 2 + 1)
    (few, _), (many, _) = (core_hours(plan.cells, plan.data) for plan in (alone, both))
    assert few < many < few + 3 * 0.2 / 3600
    assert describe(plan_of(["scut", "platt"]))["trainings"] == 4 * 2 + 1, "somebody has to train them"
