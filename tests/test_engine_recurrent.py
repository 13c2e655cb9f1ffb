"""LSTM and GRU of many lanes equal the library's, lane by lane: states, gradients and whole trainings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from equipoise.backbones.embedding_bag import EmbeddingBag
from equipoise.backbones.gru import GRU
from equipoise.backbones.lstm import LSTM
from equipoise.backbones.textcnn import TextCNN
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.engine.lanes import Lane
from equipoise.engine.population import Population
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Tokens
from equipoise.ops.recurrent import gru, lstm

CPU = torch.device("cpu")


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(("lanes", "steps", "batch", "size", "hidden"), [(3, 7, 5, 4, 6), (1, 1, 2, 3, 3)])
def test_states_and_gradients_are_the_library_s(
    lanes: int, steps: int, batch: int, size: int, hidden: int, cell: str
) -> None:
    generator = torch.Generator().manual_seed(0)

    def made(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    rows = (4 if cell == "lstm" else 3) * hidden
    x, bias = made(lanes, steps, batch, size), made(lanes, rows)
    w_ih, w_hh = made(lanes, rows, size), made(lanes, rows, hidden)
    mix = torch.randn(lanes, steps, batch, hidden, generator=generator, dtype=torch.float64)
    ours = (lstm if cell == "lstm" else gru)(x, w_ih, w_hh, bias)
    zeros = torch.zeros(1, batch, hidden, dtype=torch.float64)
    theirs = torch.stack(
        [
            (torch.lstm if cell == "lstm" else torch.gru)(
                x[k], (zeros, zeros) if cell == "lstm" else zeros, [w_ih[k], w_hh[k], bias[k], torch.zeros_like(bias[k])],
                True, 1, 0.0, False, False, False,
            )[0]
            for k in range(lanes)
        ]
    )  # fmt: skip
    assert torch.allclose(ours, theirs, atol=1e-12)
    leaves = (x, w_ih, w_hh, bias)
    gradients = [torch.autograd.grad((out * mix).sum(), leaves) for out in (ours, theirs)]
    for mine, other in zip(*gradients, strict=True):
        assert torch.allclose(mine, other, atol=1e-10)


@pytest.mark.parametrize(
    "backbone",
    [
        LSTM(hidden=6, embedding=5),
        LSTM(hidden=6, embedding=5, bidirectional=True),
        GRU(hidden=6, embedding=5, bidirectional=True),
        EmbeddingBag(embedding=5),
        TextCNN(filters=4, embedding=5),
    ],
    ids=["lstm", "lstm-bidirectional", "gru-bidirectional", "embedding-bag", "textcnn"],
)
def test_trained_together_as_lane_by_lane(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code path of CUDA, run on the CPU; every batch has a text of full length, so that masks have equal shapes."""
    rng = np.random.default_rng(0)
    lengths = np.where(np.arange(64) < 33, 9, rng.integers(1, 9, 64))
    ids = rng.integers(1, 30, (64, 9)) * (np.arange(9) < lengths[:, None])
    inputs = Tokens(torch.from_numpy(ids), torch.from_numpy(lengths), 30)
    Y = (rng.random((64, 3)) < 0.4).astype(np.uint8)
    lanes = [
        Lane(
            index=np.arange(64),
            targets=Y,
            n_pos=Y.sum(0, dtype=np.int64),
            n_rows=64,
            strategy=get_strategy("focal"),
            backbone=replace(backbone, dropout=0.2 * (k % 2)),  # type: ignore[call-arg]
            lr=0.01,
            l2=0.001,
            role=("recurrent", k),
            steps=12,
            held_out=np.arange(40),
            held_targets=Y[:40],
        )
        for k in range(3)
    ]

    def trained() -> list[torch.Tensor]:
        with repeatable(CPU):
            population = Population(lanes, inputs, 32, CPU)
            population.advance(12)
            return [population._params.stack.copy(k)["weight"] for k in range(3)]

    apart = trained()
    monkeypatch.setattr(type(backbone), "batched", True)
    for mine, other in zip(trained(), apart, strict=True):
        assert torch.allclose(mine, other, atol=2e-4)
    with repeatable(CPU):
        looked = Population(lanes, inputs, 32, CPU).train()
    assert all(t.steps_run == 12 and t.settled in (0.25, 0.5, 0.75, 1.0) for t in looked)
