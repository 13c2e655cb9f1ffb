"""Losses that see the representation: their gradients, their lanes' bits, and the populations that they are trained in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from equipoise.backbones.embedding_bag import EmbeddingBag
from equipoise.backbones.gru import GRU
from equipoise.backbones.lstm import LSTM
from equipoise.backbones.mlp import MLP
from equipoise.backbones.sentence_embedding import SentenceEmbedding
from equipoise.backbones.textcnn import TextCNN
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.loss import _ONE_BY_ONE, PopulationLoss
from equipoise.engine.population import Population
from equipoise.engine.predict import forward, forward_in_two, predict
from equipoise.engine.train import TrainingCost, train
from equipoise.ops.device import repeatable
from equipoise.ops.dropout import Drop, Dropout
from equipoise.ops.inputs import Dense, Inputs, Tokens
from equipoise.ops.parameters import Parameters

CPU = torch.device("cpu")
ROWS, L, BATCH = 140, 4, 32
RNG = np.random.default_rng(9)
Y = (RNG.random((ROWS, L)) < [0.5, 0.3, 0.2, 0.1]).astype(np.uint8)


@dataclass(frozen=True)
class Pulled(Strategy):
    """Plain code for one lane, which `torch.vmap` batches."""

    name: ClassVar[str] = "pulled"
    sees_representation: ClassVar[bool] = True
    pull: float = tunable(0.1, low=0.0, high=1.0)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        own = bce(logits, targets)
        h = ctx.representation
        return own if h is None else own + self.pull * (h - h.mean(0)).square().sum(-1, keepdim=True)


@dataclass(frozen=True)
class OneByOne(Pulled):
    """The same, with an operation that vmap cannot batch."""

    name: ClassVar[str] = "one_by_one"

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        if ctx.representation is not None and float(ctx.representation.detach().sum()) == -1.0:
            raise AssertionError
        return super().loss(logits, targets, ctx)


def numbers() -> Dense:
    return Dense.of(np.random.default_rng(1).normal(size=(ROWS, 11)).astype(np.float32))


def words() -> Tokens:
    rng = np.random.default_rng(2)
    lengths = rng.integers(1, 9, ROWS)
    ids = rng.integers(1, 20, (ROWS, 8)) * (np.arange(8) < lengths[:, None])
    return Tokens(torch.from_numpy(ids), torch.from_numpy(lengths), 20)


CASES: dict[str, tuple[Backbone, Callable[[], Inputs]]] = {
    "mlp": (MLP(hidden=9), numbers),
    "sentence_embedding": (SentenceEmbedding(hidden=9), numbers),
    "lstm": (LSTM(hidden=5, embedding=4), words),
    "gru": (GRU(hidden=5, embedding=4, bidirectional=True), words),
    "textcnn": (TextCNN(filters=3, embedding=4), words),
    "embedding_bag": (EmbeddingBag(embedding=6), words),
}


def a_lane(k: int, backbone: Backbone, strategy: Strategy) -> Lane:
    kept = np.arange(0, 100) + k
    if hasattr(backbone, "dropout"):
        backbone = dataclasses.replace(backbone, dropout=(0.0, 0.3)[k % 2])
    return Lane(
        index=kept,
        targets=Y[kept],
        n_pos=Y[kept].sum(0, dtype=np.int64),
        n_rows=len(kept),
        strategy=strategy,
        backbone=backbone,
        lr=0.02 * (1 + k % 3),
        l2=0.001,
        role=("representation", k),
        steps=7 + k,
        held_out=np.arange(100, ROWS),
        held_targets=Y[100:],
    )


def run(lanes: list[Lane], inputs: Inputs) -> list[Trained]:
    with repeatable(CPU):
        return train(lanes, inputs, batch_size=BATCH, device=CPU, cost=TrainingCost())


def same(a: Trained, b: Trained) -> bool:
    return a.score == b.score and all(torch.equal(a.params[n], b.params[n]) for n in a.params)


def strategies() -> list[Strategy]:
    return [
        get_strategy("mulsupcon[weight=0.3]"),
        Pulled(),
        get_strategy("mulsupcon[weight=0.8,temperature=0.5]"),
        Pulled(0.4),
        OneByOne(),
        OneByOne(0.5),
    ]


@pytest.mark.parametrize("case", CASES)
def test_parts_make_up_the_forward_pass_and_the_head_is_named(case: str) -> None:
    backbone, inputs = CASES[case]
    trained = run([a_lane(k, backbone, Strategy()) for k in range(3)], inputs())
    rows = [np.arange(30 + k) for k in range(3)]
    with repeatable(CPU):
        logits = predict(trained, inputs(), rows, CPU)
        hidden = predict(trained, inputs(), rows, CPU, method="represent")
        alone = [
            predict([t], inputs(), [r], CPU, method="represent")[0]
            for t, r in zip(trained, rows, strict=True)
        ]
    for network, h, z, by_itself in zip(trained, hidden, logits, alone, strict=True):
        weight, bias = network.backbone.head_of(network.params)
        assert weight.shape == (h.shape[1], L)
        assert h @ weight + bias == pytest.approx(z, abs=1e-5)
        assert np.array_equal(h, by_itself)


@pytest.mark.parametrize("case", CASES)
def test_in_two_parts_the_logits_have_the_same_bits(case: str) -> None:
    backbone, inputs = CASES[case]
    lanes = [a_lane(k, backbone, Strategy()) for k in range(3)]
    params = Parameters.of([t.params for t in run(lanes, inputs())], CPU)
    x, roles = inputs().gather(torch.arange(96).view(3, 32)), [n.role for n in lanes]
    dropouts = [Dropout([0.0, 0.3, 0.5], roles, CPU, shared=backbone.stacks(CPU)) for _ in range(2)]
    whole = forward(backbone, params, x, dropouts[0])
    hidden, logits = forward_in_two(backbone, params, x, dropouts[1], None)
    assert torch.equal(whole, logits) and hidden.shape[:2] == (3, 32)  # noqa: PT018


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_the_whole_loss(case: str) -> None:
    backbone, inputs = CASES[case]
    lanes = [a_lane(k, backbone, s) for k, s in enumerate(strategies())]
    start = [t.params for t in run([dataclasses.replace(n, strategy=Strategy()) for n in lanes], inputs())]
    params, loss = Parameters.of(start, CPU), PopulationLoss(lanes, CPU)
    examples = torch.from_numpy(np.random.default_rng(3).integers(0, ROWS, (len(lanes), BATCH)))
    y = torch.from_numpy(Y)[examples].float()
    undropped = Dropout([0.0] * len(lanes), [n.role for n in lanes], CPU)
    params.zero_grad()
    hidden, logits = forward_in_two(backbone, params, inputs().gather(examples), undropped, None)
    found = loss.gradients(logits.detach(), hidden.detach(), y, np.full(len(lanes), 0.5))
    torch.autograd.backward((logits, hidden), found)
    for k, lane in enumerate(lanes):
        # Each lane by itself, with autograd through everything.
        one = (lambda p: p[None]) if backbone.batched else (lambda p: p)
        leaves = {n: one(p).clone().requires_grad_() for n, p in start[k].items()}
        x = inputs().gather(examples[[k]])
        h = backbone.represent(leaves, x if backbone.batched else x[0], Drop())
        z = backbone.classify(leaves, h)
        z, h = (z[0], h[0]) if backbone.batched else (z, h)
        ctx = Context(
            torch.tensor(lane.n_pos).float(), torch.tensor(float(lane.n_rows)), progress=0.5, representation=h
        )
        expected = torch.autograd.grad(
            lane.strategy.loss(z, y[k], ctx).mean(), list(leaves.values()), allow_unused=True
        )
        for name, ours, theirs in zip(leaves, params.gradient(k), expected, strict=True):
            if theirs is not None:
                assert ours is not None
                assert torch.allclose(ours.view(-1), theirs.reshape(-1), rtol=1e-3, atol=1e-6), (k, name)


@pytest.mark.parametrize("case", ["mlp", "lstm"])
def test_a_lane_has_the_same_bits_alone_and_among_others(case: str) -> None:
    backbone, inputs = CASES[case]
    mixed = [*strategies(), Strategy(), get_strategy("focal")]
    lanes = [a_lane(k, backbone, s) for k, s in enumerate(mixed)]
    together = run(lanes, inputs())
    assert OneByOne in _ONE_BY_ONE
    assert Pulled not in _ONE_BY_ONE
    for k, lane in enumerate(lanes):
        assert same(run([lane], inputs())[0], together[k]), lane.strategy.spec
    order = [5, 0, 7, 2, 6]
    for k, trained in zip(order, run([lanes[k] for k in order], inputs()), strict=True):
        assert same(trained, together[k])


def test_one_population_may_mix_losses_that_see_it_with_others() -> None:
    backbone, inputs = CASES["mlp"]
    mixed = [Strategy(), *strategies(), get_strategy("asl")]
    lanes = [a_lane(k, backbone, s) for k, s in enumerate(mixed)]
    apart = run(lanes, inputs())
    with repeatable(CPU):
        one = Population(lanes, inputs(), BATCH, CPU, width=4).train()
    assert all(same(a, b) for a, b in zip(one, apart, strict=True))
    assert len({lane.signature for lane in lanes}) == 2, "the engine itself keeps them apart"


def test_a_paused_lane_goes_on_with_the_same_bits() -> None:
    backbone, inputs = CASES["mlp"]
    lane = a_lane(3, backbone, get_strategy("mulsupcon"))
    first = run([dataclasses.replace(lane, pause=4)], inputs())[0]
    assert same(run([dataclasses.replace(lane, resume=first.paused)], inputs())[0], run([lane], inputs())[0])


@pytest.mark.parametrize("case", ["mlp", "lstm"])
def test_the_contrast_moves_the_representation_and_a_weight_of_zero_does_not(case: str) -> None:
    backbone, inputs = CASES[case]
    plain, off, on = (
        run([a_lane(1, backbone, get_strategy(s))], inputs())[0]
        for s in ("none", "mulsupcon[weight=0.0]", "mulsupcon[weight=1.0]")
    )
    assert same(plain, off)
    assert not same(plain, on)


def test_half_precision_trains() -> None:
    backbone, inputs = CASES["mlp"]
    lanes = [
        dataclasses.replace(a_lane(k, backbone, get_strategy("mulsupcon")), precision="bfloat16")
        for k in range(2)
    ]
    assert all(torch.isfinite(p).all() for t in run(lanes, inputs()) for p in t.params.values())


def test_the_start_of_the_output_bias_is_that_of_cross_entropy() -> None:
    from equipoise.engine.starts.output_bias import best_constant_logits

    lanes = [a_lane(0, MLP(hidden=5), s) for s in (Strategy(), get_strategy("mulsupcon"), Pulled())]
    plain, *others = best_constant_logits(lanes, BATCH)
    assert all(np.array_equal(plain, other) for other in others)
