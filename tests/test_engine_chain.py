"""Trainings without autograd's graph, or with one lane's graph at a time, give the bits of trainings with the graph of all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import Tensor

from equipoise.backbones.linear import Linear
from equipoise.backbones.lstm import LSTM
from equipoise.backbones.mlp import MLP
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.loss import PopulationLoss
from equipoise.engine.population import Population
from equipoise.ops.affine import affine
from equipoise.ops.chain import Chain
from equipoise.ops.device import repeatable
from equipoise.ops.dropout import Drop
from equipoise.ops.inputs import Dense, Inputs, Sparse, Tokens
from equipoise.ops.parameters import Parameters

CPU = torch.device("cpu")
ROWS, WIDTH, LABELS = 90, 21, 5


def dense() -> Inputs:
    return Dense.of(np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype(np.float32))


def sparse() -> Inputs:
    rng = np.random.default_rng(0)
    return Sparse.of(sp.random(ROWS, WIDTH, 0.3, format="csr", random_state=rng, dtype=np.float32))


def tokens() -> Inputs:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 8, ROWS)
    ids = rng.integers(1, WIDTH, (ROWS, 8)) * (np.arange(8) < lengths[:, None])
    return Tokens(torch.from_numpy(ids), torch.from_numpy(lengths), WIDTH)


def lanes(backbone: Backbone, strategy: str, count: int = 3) -> list[Lane]:
    Y = (np.random.default_rng(1).random((ROWS, LABELS)) < 0.3).astype(np.uint8)
    return [
        Lane(
            index=np.arange(ROWS),
            targets=Y,
            n_pos=Y.sum(0, dtype=np.int64),
            n_rows=ROWS,
            strategy=get_strategy(strategy),
            backbone=backbone,
            lr=0.02 * (k + 1),
            l2=1e-3,
            role=("chain", k),
            steps=9 + 5 * k,
        )
        for k in range(count)
    ]


def train(some: list[Lane], inputs: Inputs, width: int | None = None) -> list[Trained]:
    with repeatable(CPU):
        return Population(some, inputs, 32, CPU, width).train()


def assert_same(a: list[Trained], b: list[Trained]) -> None:
    for one, other in zip(a, b, strict=True):
        for name, p in one.params.items():
            assert torch.equal(p, other.params[name]), f"{name} differs"


@pytest.mark.parametrize("strategy", ["none", "focal"])
@pytest.mark.parametrize("inputs", [dense, sparse])
@pytest.mark.parametrize("backbone", [Linear(), MLP(hidden=13), MLP(hidden=16, dropout=0.0)], ids=str)
def test_a_chain_has_the_bits_of_autograd(
    monkeypatch: pytest.MonkeyPatch, backbone: Backbone, inputs: Callable[[], Inputs], strategy: str
) -> None:
    used: list[bool] = []
    way_back = Chain.backward
    monkeypatch.setattr(Chain, "backward", lambda *a: (used.append(True), way_back(*a))[1])
    chained = train(lanes(backbone, strategy), inputs())
    assert len(used) == 19, "one chain for every step"
    monkeypatch.setattr(type(backbone), "chained", False)
    by_autograd = train(lanes(backbone, strategy), inputs())
    assert len(used) == 19
    assert_same(chained, by_autograd)


def test_lanes_in_turn_have_the_bits_of_lanes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = LSTM(hidden=7, embedding=5)
    in_turn = train(lanes(backbone, "none"), tokens())
    monkeypatch.setattr(PopulationLoss, "is_closed", False)
    assert_same(in_turn, train(lanes(backbone, "none"), tokens()))


@pytest.mark.parametrize("inputs", [dense, sparse])
def test_batches_that_were_gathered_ahead_are_dropped_when_a_lane_takes_a_slot(
    inputs: Callable[[], Inputs],
) -> None:
    many = lanes(MLP(hidden=13), "none", 7)
    assert_same(train(many, inputs()), train(many, inputs(), width=2))


@dataclasses.dataclass(frozen=True)
class Skipping(MLP):
    """Adds the first layer's output to its square, which is no chain."""

    def forward(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        hidden = affine(x, params["weight1"], params["bias1"])
        return affine(hidden + hidden * hidden, params["weight2"], params["bias2"])


@dataclasses.dataclass(frozen=True)
class Doubling(MLP):
    """Multiplies its logits by two after the last operation of the chain."""

    def forward(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        return super().forward(params, x, drop) * 2


@pytest.mark.parametrize("backbone", [Skipping(hidden=8), Doubling(hidden=8)], ids=lambda b: type(b).__name__)
def test_a_backbone_that_is_no_chain_is_refused_by_name_of_the_setting(
    monkeypatch: pytest.MonkeyPatch, backbone: Backbone
) -> None:
    with pytest.raises(RuntimeError, match="chained = False"):
        train(lanes(backbone, "none"), dense())
    monkeypatch.setattr(type(backbone), "chained", False)
    assert len(train(lanes(backbone, "none"), dense())) == 3


def test_after_an_error_within_a_chain_autograd_works_as_before() -> None:
    with pytest.raises(ZeroDivisionError), Chain():
        _ = 1 / 0
    own = [{"weight": torch.ones(3, 2), "bias": torch.zeros(1, 2)} for _ in range(2)]
    params = Parameters.of(own, CPU)
    affine(torch.ones(2, 4, 3), params.stacked["weight"], params.stacked["bias"]).sum().backward()
    assert torch.equal(params.gradient(1)[0], torch.full((3, 2), 4.0))  # type: ignore[arg-type]
