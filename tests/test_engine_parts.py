"""The parts of the engine equal what they reimplement: torch.nn.LSTM, torch.optim.Adam, scikit-learn, plain random streams."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from equipoise.backbones.linear import Linear
from equipoise.backbones.lstm import LSTM
from equipoise.backbones.mlp import MLP
from equipoise.core.errors import EquipoiseError
from equipoise.core.seeds import seed_of, stream
from equipoise.engine.learning_rate import rate
from equipoise.engine.optimizer import Adam
from equipoise.engine.sampler import BatchSampler
from equipoise.ops.device import resolve
from equipoise.ops.dropout import Dropout
from equipoise.ops.inputs import Dense, Inputs, Tokens
from equipoise.ops.parameters import Parameters
from equipoise.ops.ranking import macro_average_precision

from .shared.lanes import CPU, a_lane, run


@pytest.mark.parametrize("shape", [(7, 3), (400, 50)], ids=str)
@pytest.mark.parametrize("on_host", [True, False], ids=["as on CPU", "as on CUDA"])
def test_adam_with_penalty_and_schedule_is_the_library_s(shape: tuple[int, int], on_host: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    lanes = [{n: torch.randn(shape, generator=generator) for n in ("w", "b")} for _ in range(3)]
    rates, penalties, steps = (1e-3, 1e-2, 0.3), (0.0, 1e-2, 1.0), (20, 40, 25)
    params = Parameters.of(lanes, CPU)
    optimizer = Adam(params, rates, penalties, steps, frozenset({"b"}))
    optimizer._on_host = on_host
    plain = [[lane[n].clone().requires_grad_() for n in ("w", "b")] for lane in lanes]
    theirs = [
        torch.optim.Adam([{"params": [w], "weight_decay": l2}, {"params": [b]}], lr=lr)
        for (w, b), lr, l2 in zip(plain, rates, penalties, strict=True)
    ]
    for step in range(20):
        slope = torch.randn(shape, generator=generator)
        params.zero_grad()
        ((params.stacked["w"] + params.stacked["b"]) * slope).sum().backward()
        optimizer.feed()
        optimizer.step()
        for (w, b), other, lr, total in zip(plain, theirs, rates, steps, strict=True):
            for group in other.param_groups:
                group["lr"] = lr * float(rate(np.array(step), np.array(total)))
            other.zero_grad()
            ((w + b) * slope).sum().backward()
            other.step()
    for k, (w, b) in enumerate(plain):
        assert not torch.equal(w, lanes[k]["w"])
        assert torch.allclose(params.stack.copy(k)["w"], w.detach(), atol=1e-5)
        assert torch.allclose(params.stack.copy(k)["b"], b.detach(), atol=1e-5)


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    total = 200
    shares = np.array([float(rate(np.array(done), np.array(total))) for done in range(total)])
    peak = int(shares.argmax())
    assert 0.04 * total <= peak <= 0.06 * total
    assert shares[peak] == pytest.approx(1.0, abs=0.01)
    assert (np.diff(shares[:peak]) > 0).all()
    assert (np.diff(shares[peak:]) < 0).all()
    assert shares[0] == pytest.approx(0.1)
    assert 0 < shares[-1] < 1e-3
    for few in (1, 2, 3):
        assert all(0 < float(rate(np.array(done), np.array(few))) <= 1 for done in range(few))


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 6), st.floats(0.02, 0.9))
def test_watched_score_is_scikit_learn_s_mean_average_precision(
    seed: int, n: int, n_labels: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.permutation(n * n_labels).reshape(n, n_labels).astype(np.float32)
    targets = (rng.random((n, n_labels)) < share).astype(np.uint8)
    seen = targets.any(0)
    expected = (
        average_precision_score(targets[:, seen], logits[:, seen], average="macro") if seen.any() else 0.0
    )
    assert macro_average_precision(logits, targets) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 50), st.lists(st.integers(1, 70), min_size=1, max_size=8), st.integers(0, 99))
def test_without_weights_every_pass_covers_every_row_once(n: int, takes: list[int], seed: int) -> None:
    own = BatchSampler(n, None, stream("batches", seed))
    drawn = np.concatenate([own.take(count) for count in takes])
    assert len(drawn) == sum(takes)
    for start in range(0, len(drawn), n):
        part = drawn[start : start + n]
        assert len(np.unique(part)) == len(part)
        assert set(part) <= set(range(n))
    whole = BatchSampler(n, None, stream("batches", seed)).take(sum(takes))
    assert np.array_equal(drawn, whole), "how a stream is cut must not change it"


def test_weights_are_respected() -> None:
    weights = np.array([0.0, 1.0, 3.0, 0.0, 6.0])
    drawn = BatchSampler(5, weights, stream("weights")).take(20_000)
    shares = np.bincount(drawn, minlength=5) / len(drawn)
    assert shares[[0, 3]].tolist() == [0.0, 0.0]
    assert np.allclose(shares, weights / 10, atol=0.02)


def test_a_stream_follows_its_role() -> None:
    assert np.array_equal(stream("a", 1).random(5), stream("a", 1).random(5))
    assert not np.array_equal(stream("a", 1).random(5), stream("a", 2).random(5))
    assert seed_of("ab", "c") != seed_of("a", "bc")
    assert 0 <= seed_of("x") < 2**64


def test_the_strategy_does_not_change_the_batches_nor_the_first_weights() -> None:
    Y = (np.random.default_rng(1).random((50, 3)) < 0.3).astype(np.uint8)
    inputs = Dense(torch.from_numpy(np.random.default_rng(2).normal(size=(50, 8)).astype(np.float32)))
    plain = run(a_lane(50, Y), inputs).params["weight"]
    flat = run(a_lane(50, Y, "pos_weight[power=0.0]"), inputs).params["weight"]
    assert torch.equal(plain, flat)
    assert not torch.equal(plain, run(a_lane(50, Y, role=("other",)), inputs).params["weight"])


@given(st.lists(st.floats(0.0, 0.9), min_size=1, max_size=4), st.integers(0, 999))
def test_dropout_is_each_lane_s_own_and_keeps_the_mean(rates: list[float], seed: int) -> None:
    roles = [("dropout", seed, k) for k in range(len(rates))]
    h = torch.ones(len(rates), 64, 33)
    out = Dropout(rates, roles, CPU).stacked()(h)
    for k, share in enumerate(rates):
        alone = Dropout([share], [roles[k]], CPU)
        assert torch.equal(alone.stacked()(h[k : k + 1])[0], out[k])
        assert torch.equal(Dropout([share], [roles[k]], CPU).of_lane(0)(h[k]), out[k])
        kept = out[k] != 0
        assert abs(kept.float().mean().item() - (1 - share)) < 0.06
        assert torch.allclose(out[k][kept], torch.tensor(1 / (1 - share)), rtol=1e-3)


@pytest.mark.parametrize(
    "backbone", [Linear(), MLP(hidden=64), LSTM(hidden=8, embedding=8, dropout=0.0)], ids=lambda b: b.name
)
def test_mixed_precision_learns_nearly_the_same(backbone: Any) -> None:
    rng = np.random.default_rng(0)
    Y = (rng.random((96, 3)) < 0.3).astype(np.uint8)
    inputs: Inputs = Dense.of(rng.normal(size=(96, 13)).astype(np.float32))
    if not backbone.batched:
        inputs = Tokens(torch.from_numpy(rng.integers(1, 20, (96, 7))), torch.full((96,), 7), 20)
    lane = dataclasses.replace(a_lane(96, Y, steps=12), backbone=backbone)
    full, mixed = (run(dataclasses.replace(lane, precision=p), inputs) for p in ("float32", "bfloat16"))
    for name, own in mixed.params.items():
        assert own.dtype == torch.float32
        assert torch.allclose(own, full.params[name], atol=0.03), name
    assert any(not torch.equal(p, full.params[n]) for n, p in mixed.params.items()), (
        "products were in float32"
    )


def test_devices_are_named_in_errors() -> None:
    assert resolve("cpu") == CPU
    with pytest.raises(EquipoiseError, match="auto, cpu or cuda"):
        resolve("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(EquipoiseError, match="--device cpu"):
            resolve("cuda")


def test_tokens_cannot_be_synthesised() -> None:
    with pytest.raises(ValueError, match="cannot be synthesised"):
        Tokens(torch.zeros(2, 3, dtype=torch.long), torch.ones(2, dtype=torch.long), 5).extended(
            [np.zeros((1, 3))]
        )
