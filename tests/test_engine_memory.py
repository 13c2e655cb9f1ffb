"""Memory of the engine: where parameters and gradients are stored, and how much a training allocates."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from equipoise.backbones.mlp import MLP
from equipoise.catalog.strategies import get_strategy
from equipoise.engine.lanes import Lane
from equipoise.engine.optimizer import Adam
from equipoise.engine.population import Population
from equipoise.ops.affine import affine
from equipoise.ops.device import repeatable
from equipoise.ops.dropout import Drop, Dropout
from equipoise.ops.inputs import Dense, Sparse
from equipoise.ops.parameters import ParameterBuffer, Parameters

CPU = torch.device("cpu")
LANES, ROWS, WIDTH, OUT = 3, 32, 13, 5


def lanes_of(generator: torch.Generator) -> list[dict[str, Tensor]]:
    shapes = {"weight": (WIDTH, OUT), "bias": (1, OUT), "idle": (4,)}
    return [{n: torch.randn(shape, generator=generator) for n, shape in shapes.items()} for _ in range(LANES)]


@given(
    st.lists(st.lists(st.integers(1, 19), min_size=1, max_size=3), min_size=1, max_size=4), st.integers(1, 4)
)
def test_every_tensor_of_every_lane_is_aligned_and_its_own(shapes: list[list[int]], lanes: int) -> None:
    own = [{f"p{i}": torch.full(shape, 10.0 * k + i) for i, shape in enumerate(shapes)} for k in range(lanes)]
    stack = ParameterBuffer.of(own, CPU)
    for k, lane in enumerate(own):
        assert all(
            torch.equal(p, stack.data[n][k]) and torch.equal(p, stack.copy(k)[n]) for n, p in lane.items()
        )
        assert all(stack.data[n][k].data_ptr() % 64 == 0 for n in lane)
    for n, d in stack.data.items():
        assert d.shape[1:] == own[0][n].shape
        room = stack.wide[n][:, d.shape[1] :]
        assert not room.any(), "the room behind a matrix holds zeros"
    some = stack.take([lanes - 1, 0])
    stack.flat.zero_()
    assert all(torch.equal(some.data[n][0], p) for n, p in own[-1].items())


def uses(kind: str) -> tuple[object, object, Tensor]:
    """Two batches of inputs for all lanes, the first once more as one dense tensor with both behind each other."""
    rng = np.random.default_rng(0)
    if kind == "sparse":
        x = sp.random(50, WIDTH, density=0.3, format="csr", random_state=rng, dtype=np.float32)
        inputs, dense = Sparse.of(x), torch.from_numpy(x.toarray())
    else:
        x = rng.normal(size=(50, WIDTH)).astype(np.float32)
        inputs, dense = Dense.of(x), torch.from_numpy(x)
    rows = [torch.from_numpy(rng.integers(0, 50, (LANES, ROWS))) for _ in range(2)]
    rows[0][1] = rows[0][0]  # two lanes share a batch
    return inputs.gather(rows[0]), inputs.gather(rows[1]), torch.stack([dense[r] for r in rows])


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("use", ["once", "twice", "also by itself"])
def test_gradients_are_autograd_s_however_a_parameter_is_used(kind: str, use: str) -> None:
    own = lanes_of(generator := torch.Generator().manual_seed(0))
    mix = torch.randn(2, LANES, ROWS, OUT, generator=generator)
    params, first, second, dense = Parameters.of(own, CPU), *uses(kind)

    def loss(by: Callable[[int, Tensor, Tensor], Tensor], weight: Tensor, bias: Tensor) -> Tensor:
        total = (by(0, weight, bias) * mix[0]).sum()
        if use == "twice":
            total = total + (by(1, weight, bias) * mix[1]).sum()
        return total + (weight.sin().sum() + bias.cos().sum() if use == "also by itself" else 0)

    plain = {n: torch.stack([lane[n] for lane in own]).requires_grad_() for n in ("weight", "bias")}
    expected = torch.autograd.grad(
        loss(lambda i, w, b: dense[i] @ w + b, plain["weight"], plain["bias"]), list(plain.values())
    )
    for _ in range(2):  # the second time in memory that was used
        params.zero_grad()
        assert params.gradient(0) == [None, None, None]
        leaves = params.stacked
        loss(lambda i, w, b: affine((first, second)[i], w, b), leaves["weight"], leaves["bias"]).backward()
        for k in range(LANES):
            *found, idle = params.gradient(k)
            assert idle is None
            for own_gradient, whole in zip(found, expected, strict=True):
                assert torch.allclose(own_gradient, whole[k], atol=1e-4)
        assert torch.allclose(params.gradient_of("weight"), expected[0], atol=1e-4)


@pytest.mark.parametrize("on_host", [True, False], ids=["as on CPU", "as on CUDA"])
def test_the_optimizer_does_the_same_with_gradients_in_one_stack_and_apart(on_host: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    own = [{n: p for n, p in lane.items() if n != "idle"} for lane in lanes_of(generator)]
    x, dense = uses("dense")[0], uses("dense")[2][0]
    together, apart = Parameters.of(own, CPU), Parameters.of(own, CPU)
    steps = [
        Adam(p, (1e-3, 1e-2, 0.3), (0.0, 1e-2, 1.0), (40, 12, 11), frozenset({"bias"}))
        for p in (together, apart)
    ]
    for optimizer in steps:
        optimizer._on_host = on_host
    for _ in range(10):
        together.zero_grad()
        apart.zero_grad()
        affine(x, together.stacked["weight"], together.stacked["bias"]).square().sum().backward()
        (dense @ apart.stacked["weight"] + apart.stacked["bias"]).square().sum().backward()
        assert together.gradients() is not None
        assert apart.gradients() is None
        for optimizer in steps:
            optimizer.feed()
            optimizer.step()
    for name in own[0]:
        assert not torch.equal(together.stack.data[name], ParameterBuffer.of(own, CPU).data[name])
        assert torch.allclose(together.stack.data[name], apart.stack.data[name], atol=1e-4)
    assert not together.stack.wide["weight"][:, WIDTH:].any(), "what lies behind a matrix stays zero"


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.5, 0.2)])
def test_relu_and_dropout_in_one_are_the_two_one_after_the_other(rates: tuple[float, float]) -> None:
    h = torch.randn(2, 32, 7, generator=torch.Generator().manual_seed(0))
    mix = torch.randn(2, 32, 7, generator=torch.Generator().manual_seed(1))
    outs, slopes = [], []
    for at_once in (True, False):
        leaf = h.clone().requires_grad_()
        drop = Dropout(rates, [("a", 0), ("a", 1)], CPU).stacked()
        out = drop.relu(leaf * 1.0) if at_once else drop(torch.relu(leaf * 1.0))
        outs.append(out.detach().clone())
        (out * mix).sum().backward()
        slopes.append(leaf.grad)
    assert torch.equal(*outs)
    assert torch.equal(*slopes)
    assert torch.equal(Drop().relu(h), torch.relu(h))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("kind", ["numbers", "text"])
def test_a_long_training_needs_no_more_memory_than_a_short_one(kind: str) -> None:
    """Allocating large aligned blocks in every step made glibc's memory grow by a megabyte per step, as was observed."""
    rng = np.random.default_rng(0)
    Y = (rng.random((256, 14)) < 0.3).astype(np.uint8)
    if kind == "numbers":
        lanes, inputs = 64, Dense.of(rng.normal(size=(256, 103)).astype(np.float32))
    else:
        lanes = 8
        inputs = Sparse.of(
            sp.random(256, 5000, density=0.02, format="csr", random_state=rng, dtype=np.float32)
        )
    own = [
        Lane(
            index=np.arange(256),
            targets=Y,
            n_pos=Y.sum(0, dtype=np.int64),
            n_rows=256,
            strategy=get_strategy("none"),
            backbone=MLP(),
            lr=1e-3,
            l2=0.0,
            role=("memory", k),
            steps=10_000,
        )
        for k in range(lanes)
    ]
    with repeatable(CPU):
        population = Population(own, inputs, 64, CPU)
        population.advance(70)
        before = resident()
        population.advance(260)
    assert resident() - before < 40 << 20


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096
