"""The path of devices other than the CPU, run on the CPU: numbers that are fed before a step train the same networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from equipoise.backbones.linear import Linear
from equipoise.backbones.lstm import LSTM
from equipoise.backbones.mlp import MLP
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.population import Population
from equipoise.ops.device import repeatable
from equipoise.ops.dropout import Dropout
from equipoise.ops.inputs import Dense, Inputs, Sparse, Tokens
from equipoise.ops.sparse import Stacked

CPU = torch.device("cpu")
ROWS, LABELS, BATCH = 96, 4, 32


def dense() -> Dense:
    return Dense.of(np.random.default_rng(1).normal(size=(ROWS, 13)).astype(np.float32))


def tokens() -> Tokens:
    rng = np.random.default_rng(2)
    lengths = np.full(ROWS, 7)
    return Tokens(torch.from_numpy(rng.integers(1, 20, (ROWS, 7))), torch.from_numpy(lengths), 20)


def lanes(backbone: Backbone, count: int = 5) -> list[Lane]:
    """Lanes that differ in learning rate, penalty, length, dropout, stream and loss; some share a stream."""
    Y = (np.random.default_rng(0).random((ROWS, LABELS)) < (0.5, 0.3, 0.2, 0.1)).astype(np.uint8)
    rates = {} if isinstance(backbone, Linear) else {"dropout": 0.0}
    return [
        Lane(
            index=np.arange(ROWS),
            targets=Y,
            n_pos=Y.sum(0, dtype=np.int64),
            n_rows=ROWS,
            strategy=get_strategy(("none", "focal[gamma=1]", "ldam")[k % 3]),
            backbone=dataclasses.replace(backbone, **dict.fromkeys(rates, 0.15 * k)),
            lr=0.01 * (k + 1),
            l2=0.001 * k,
            role=("feed", k // 2),
            steps=70 + 9 * k,
        )
        for k in range(count)
    ]


def fed(some: list[Lane], inputs: Inputs, width: int | None = None, on_host: bool = False) -> list[Trained]:
    with repeatable(CPU):
        population = Population(some, inputs, BATCH, CPU, width)
        population._optimizer._on_host = population._dropout._on_host = on_host
        return population.train()


def assert_close(a: list[Trained], b: list[Trained]) -> None:
    for mine, other in zip(a, b, strict=True):
        assert mine.steps_run == other.steps_run
        for name in mine.params:
            assert torch.allclose(mine.params[name], other.params[name], atol=2e-3, rtol=2e-3), name


CASES: dict[str, tuple[Backbone, Callable[[], Inputs]]] = {
    "linear": (Linear(), dense),
    "mlp": (MLP(hidden=6), dense),
    "lstm": (LSTM(hidden=4, embedding=5), tokens),
}


@pytest.mark.parametrize("width", [None, 3])
@pytest.mark.parametrize("case", CASES)
def test_fed_as_from_the_host(case: str, width: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when lanes wait for a slot, leave theirs, and run past a table of 64 steps."""
    backbone, inputs = CASES[case]
    monkeypatch.setattr(type(backbone), "batched", True)
    some = lanes(backbone)
    assert_close(fed(some, inputs(), width), fed(some, inputs(), width, on_host=True))


def test_a_pause_changes_nothing() -> None:
    some = lanes(MLP(hidden=6))
    paused = [dataclasses.replace(lane, pause=30 + k) for k, lane in enumerate(some)]
    resumed = [
        dataclasses.replace(lane, resume=t.paused) for lane, t in zip(some, fed(paused, dense()), strict=True)
    ]
    assert_close(fed(resumed, dense()), fed(some, dense()))


def test_masks_are_the_same_however_their_numbers_come() -> None:
    rates, roles = [0.2, 0.0, 0.5], [("a",), ("a",), ("b",)]
    host, device = (Dropout(rates, roles, CPU, shared=True) for _ in range(2))
    device._on_host = False
    for _ in range(3):
        device.feed()
        for shape in ((3, 4), (3, 2, 5)):
            assert torch.equal(host.mask(shape), device.mask(shape))
    # A step whose masks have other shapes draws new numbers, and the next one is fed with as many.
    for _ in range(2):
        device.feed()
        assert [device.mask(shape).shape for shape in ((3, 4), (3, 6), (3, 6))] == [(3, 4), (3, 6), (3, 6)]
        assert [numbers.shape for numbers in device._fed] == [(2, 4), (2, 6), (2, 6)]


def test_sparse_rows_with_memory_for_more_entries_are_the_same_rows() -> None:
    matrix = sp.random(40, 30, density=0.2, format="csr", random_state=np.random.default_rng(3))
    # Two steps of three lanes; row 39 is empty, and the last row of the lanes in one of them.
    dense_rows = matrix.toarray()
    dense_rows[39] = 0
    x, generator = Sparse.of(sp.csr_matrix(dense_rows)), torch.Generator().manual_seed(0)
    steps = torch.randint(0, 39, (3, 2, 8), generator=generator)
    steps[:, 1, -1] = 39
    counts = (x.indptr[steps + 1] - x.indptr[steps]).sum((0, 2)).tolist()
    assert x.most_entries(steps) == max(counts)
    assert counts[0] != counts[1]
    weight = torch.randn(3, 30, 5, generator=generator)
    entries = (x.indices, x.values, x.indptr)
    for rows in steps.unbind(1):
        dense = torch.from_numpy(x.matrix.toarray())[rows]
        for capacity in (None, x.most_entries(steps), 1000):
            leaf = weight.clone().requires_grad_()
            bags = Stacked.of(entries, 30, rows, capacity)
            assert capacity is None or len(bags.values) == capacity
            out = bags.times(leaf)
            assert torch.allclose(out, dense @ weight, atol=1e-5)
            out.square().sum().backward()
            assert leaf.grad is not None
            expected = dense.transpose(1, 2) @ (2 * (dense @ weight))
            assert torch.allclose(leaf.grad, expected, atol=1e-4)
