"""Populations refill free slots, mix strategies, pause and resume lanes; none of this changes a lane's bits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equipoise.backbones.linear import Linear
from equipoise.backbones.lstm import LSTM
from equipoise.backbones.mlp import MLP
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.engine import capacity
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.population import Population
from equipoise.engine.train import Request, TrainingCost, train_requests
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Dense, Inputs, Tokens

CPU = torch.device("cpu")
ROWS, LABELS, BATCH = 150, 4, 32
STRATEGIES = ("none", "focal[gamma=1.5]", "pos_weight[power=0.5]", "none", "asl")
CASES: dict[str, Backbone] = {
    "linear": Linear(),
    "mlp": MLP(hidden=9, dropout=0.3),
    "lstm": LSTM(hidden=5, embedding=4, dropout=0.2),
}


def inputs_of(backbone: Backbone) -> Inputs:
    rng = np.random.default_rng(0)
    if backbone.batched:
        return Dense(torch.from_numpy(rng.normal(size=(ROWS, 11)).astype(np.float32)))
    lengths = rng.integers(1, 9, ROWS)
    ids = rng.integers(1, 20, (ROWS, 8)) * (np.arange(8) < lengths[:, None])
    return Tokens(torch.from_numpy(ids), torch.from_numpy(lengths), 20)


def lanes_of(backbone: Backbone, count: int, watched: bool = True) -> list[Lane]:
    """Lanes with different losses, budgets and learning rates; some share random streams, as the trials of a fold do."""
    rng = np.random.default_rng(1)
    Y = (rng.random((ROWS, LABELS)) < [0.5, 0.3, 0.2, 0.1]).astype(np.uint8)
    kept, held = np.arange(0, 110), np.arange(110, ROWS)
    targets, seen = Y[kept], Y[held]
    return [
        Lane(
            index=kept,
            targets=targets,
            n_pos=targets.sum(0, dtype=np.int64),
            n_rows=len(kept),
            strategy=get_strategy(STRATEGIES[k % len(STRATEGIES)]),
            backbone=backbone,
            lr=0.003 * (1 + k % 4),
            l2=0.001,
            role=("population", k // 3),
            steps=15 + 6 * (k % 3),
            held_out=held if watched else None,
            held_targets=seen if watched else None,
        )
        for k in range(count)
    ]


def trained(lanes: Sequence[Lane], inputs: Inputs, places: int | None = None) -> list[Trained]:
    with repeatable(CPU):
        return Population(lanes, inputs, BATCH, CPU, places).train()


def assert_same(a: Sequence[Trained], b: Sequence[Trained]) -> None:
    for one, other in zip(a, b, strict=True):
        assert (one.steps_run, one.score, one.settled) == (other.steps_run, other.score, other.settled)
        assert all(torch.equal(one.params[n], other.params[n]) for n in one.params)


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "unwatched"])
@pytest.mark.parametrize("case", CASES)
def test_a_place_is_filled_again_and_no_bit_changes(case: str, watched: bool) -> None:
    backbone, count = CASES[case], 11 if case != "lstm" else 5
    lanes, inputs = lanes_of(backbone, count, watched), inputs_of(backbone)
    together = trained(lanes, inputs)
    assert len({t.steps_run for t in together}) > 1, "all left at once: no place was free before the end"
    assert_same(trained(lanes, inputs, 3), together)
    assert_same([trained([lane], inputs)[0] for lane in lanes], together)


@pytest.mark.parametrize("case", CASES)
def test_a_lane_that_paused_goes_on_as_if_it_had_not(case: str) -> None:
    backbone = CASES[case]
    lanes, inputs = lanes_of(backbone, 4), inputs_of(backbone)
    straight = trained(lanes, inputs)
    done: dict[int, Trained] = {}
    state = dict(enumerate(lanes))
    for pause in (4, 9, None):  # not at looks, nor where batches are drawn
        paused = trained([dataclasses.replace(lane, pause=pause) for lane in state.values()], inputs, 3)
        for k, t in zip(list(state), paused, strict=True):
            if t.paused is None:
                done[k] = t
                del state[k]
            else:
                assert t.steps_run == pause
                state[k] = dataclasses.replace(state[k], resume=t.paused)
    assert not state
    assert_same([done[k] for k in range(len(lanes))], straight)


def test_a_state_can_be_gone_on_from_twice() -> None:
    backbone = CASES["mlp"]
    lanes, inputs = lanes_of(backbone, 3), inputs_of(backbone)
    halves = trained([dataclasses.replace(lane, pause=6) for lane in lanes], inputs)
    again = [dataclasses.replace(n, resume=t.paused) for n, t in zip(lanes, halves, strict=True)]
    assert_same(trained(again, inputs), trained(again, inputs))


def test_requests_are_answered_together_as_alone() -> None:
    backbone = CASES["mlp"]
    lanes, inputs = lanes_of(backbone, 9), inputs_of(backbone)
    work = [TrainingCost(), TrainingCost()]
    parts = [lanes[:4], lanes[4:]]
    with repeatable(CPU):
        requests = [Request(p, inputs, BATCH, CPU, w) for p, w in zip(parts, work, strict=True)]
        both = train_requests(requests)
        apart = [train_requests([r])[0] for r in requests]
    for a, b in zip(both, apart, strict=True):
        assert_same(a, b)
    assert [w.lanes for w in work] == [8, 10]
    assert work[0].steps == 2 * sum(t.steps_run for t in both[0])
    assert work[0].rows == BATCH * work[0].steps
    assert all(w.seconds > 0 for w in work)


def test_the_width_is_measured_within_the_memory_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = MLP(hidden=17)
    lanes, inputs = lanes_of(backbone, 40), inputs_of(backbone)
    with repeatable(CPU):
        assert 8 <= capacity.population_size(lanes, inputs, BATCH, CPU) <= 40
        monkeypatch.setattr(capacity, "free_memory", lambda: 10_000_000)
        few = capacity.population_size(lanes_of(MLP(hidden=18), 40), inputs, BATCH, CPU)
    assert 2 <= few == capacity.max_lanes(lanes[0], inputs, BATCH, 10_000_000) < 20


@pytest.mark.parametrize(("memory", "places"), [(80_000_000_000, 64), (50_000_000, 32), (1000, 2)])
def test_on_cuda_the_width_depends_on_the_device_alone(
    memory: int, places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = MLP(hidden=17)
    inputs, device = inputs_of(backbone), SimpleNamespace(total_memory=memory)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: device)
    for count in (1, 100):
        assert (
            capacity.population_size(lanes_of(backbone, count), inputs, BATCH, torch.device("cuda")) == places
        )
