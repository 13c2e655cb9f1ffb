"""Every registered loss is robust against extreme input, and a lane's loss has the same bits among any other lanes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from equipoise.backbones.linear import Linear
from equipoise.catalog.functional import StandaloneLoss, loss_names, loss_of
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.hyperparameters import bind, tunables
from equipoise.contracts.strategy import Strategy, bce
from equipoise.engine.lanes import Lane, Trained, continuous_fields
from equipoise.engine.loss import PopulationLoss
from equipoise.engine.population import Population
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Dense

CPU = torch.device("cpu")
NAMES = ["none", *loss_names()]
N = 500
#: label 0 never occurs, label 1 always does, label 2 once.
N_POS = np.array([0, N, 1, 40, 220])
L = len(N_POS)
#: Losses whose value is a function of the whole batch, and by how much at most repeating its rows may move it.
OF_THE_BATCH = {"two_way": 5 * np.log(2)}
#: Losses that share one unit of probability among a row's labels: they rank within rows.
SHARES = {"inverse_frequency_softmax"}


def batch(rows: int = 32, scale: float = 3.0) -> tuple[Tensor, Tensor]:
    """Logits and targets (rows, L); the first row has no label, the second has every possible label."""
    rng = np.random.default_rng(8)
    y = (rng.random((rows, L)) < N_POS / N).astype(np.float32)
    y[0], y[1] = 0.0, [0, 1, 1, 1, 1]
    return torch.from_numpy(rng.normal(scale=scale, size=(rows, L)).astype(np.float32)), torch.from_numpy(y)


def corners(name: str) -> Iterator[StandaloneLoss]:
    """The loss at its defaults, and with each field at each end of its range."""
    plain = get_strategy(name)
    settings: list[dict[str, Any]] = [{}]
    for field, t in tunables(plain).items():
        settings += [{field: v} for v in (t.choices or (t.low, t.high))]
    for own in settings:
        yield StandaloneLoss(bind(plain, own), N_POS, N)


def value_and_gradient(loss: Any, z: Tensor, y: Tensor, progress: float = 0.0) -> tuple[Tensor, Tensor]:
    leaf = z.detach().clone().requires_grad_()
    value = loss(leaf, y, progress=progress)
    return value.detach(), torch.autograd.grad(value.float().mean(), leaf)[0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_finite_however_sure_and_in_any_precision(name: str, dtype: torch.dtype) -> None:
    z, y = batch()
    worlds = [z, 80 * torch.sign(z), torch.full_like(z, 80.0), torch.full_like(z, -80.0), torch.zeros_like(z)]
    for loss in corners(name):
        for logits in worlds:
            for targets in (y, torch.zeros_like(y), torch.ones_like(y)):
                for progress in (0.0, 0.99):
                    found = value_and_gradient(loss, logits.to(dtype), targets.to(dtype), progress)
                    assert found[0].shape in ((32, L), (32,))
                    assert all(torch.isfinite(f).all() for f in found), loss


@pytest.mark.parametrize("name", NAMES)
def test_beyond_any_reason_still_finite(name: str) -> None:
    z, y = batch()
    for factor in (1e3, -1e3):
        assert all(
            torch.isfinite(f).all() for f in value_and_gradient(loss_of(name, N_POS, N), factor * z, y)
        )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_changed_and_layout_and_grad_mode_do_not_matter(name: str) -> None:
    z, y = batch()
    loss, before = loss_of(name, N_POS, N), (z.clone(), y.clone())
    value, _ = value_and_gradient(loss, z, y)
    assert torch.equal(z, before[0])
    assert torch.equal(y, before[1])
    with torch.no_grad():
        assert torch.equal(loss(z, y), value)
    for strange in (lambda t: t.T.contiguous().T, lambda t: torch.stack([t, -t], -1)[..., 0]):
        a, b = strange(z), strange(y)
        assert not a.is_contiguous()
        assert torch.allclose(loss(a, b), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_scale_does_not_depend_on_the_batch_size(name: str) -> None:
    z, y = batch()
    loss = loss_of(name, N_POS, N)
    once, often = (float(loss(z.repeat(k, 1), y.repeat(k, 1)).mean()) for k in (1, 4))
    allowed = 2 * OF_THE_BATCH.get(name, 0.0)
    assert abs(often - once) <= 1e-5 * abs(once) + allowed


@pytest.mark.parametrize("name", [n for n in NAMES if n not in SHARES])
def test_descent_separates_a_batch(name: str) -> None:
    """Gradient descent on the logits alone puts every label's positives above its negatives."""
    z, y = batch(scale=0.1)
    loss = loss_of(name, y.sum(0).numpy(), len(y))
    for _ in range(200):
        z = z - 0.1 * torch.sign(value_and_gradient(loss, z, y)[1])
    scored = (y.sum(0) > 0) & (y.sum(0) < len(y))
    margin = torch.where(y > 0, z, torch.inf).amin(0) - torch.where(y > 0, -torch.inf, z).amax(0)
    assert (margin[scored] > 0).all()


@pytest.mark.parametrize("name", [n for n in loss_names() if get_strategy(n).off])
def test_switched_off_it_is_cross_entropy_bit_for_bit(name: str) -> None:
    plain = get_strategy(name)
    loss = StandaloneLoss(bind(plain, dict(plain.off or {})), N_POS, N)
    for scale in (1.0, 30.0):
        z, y = batch(64, scale)
        expected = value_and_gradient(lambda a, b, progress: bce(a, b), z, y)
        for progress in (0.0, 0.99):
            found = value_and_gradient(loss, z, y, progress)
            assert torch.equal(found[0], expected[0])
            assert torch.equal(found[1], expected[1])


def a_lane(k: int, strategy: Strategy, n_labels: int) -> Lane:
    """A lane with its own hyperparameters, rows and label statistics."""
    rng = np.random.default_rng(900 + k)
    targets = (rng.random((90, n_labels)) < np.geomspace(0.6, 0.03, n_labels)).astype(np.uint8)
    own = {n: t for n, t in tunables(strategy).items() if n in continuous_fields(strategy)}
    settings = {n: rng.uniform(t.low, t.high) for n, t in own.items() if t.low is not None}
    return Lane(
        index=rng.choice(120, 90, replace=False),
        targets=targets,
        n_pos=targets.sum(0, dtype=np.int64),
        n_rows=90,
        strategy=bind(strategy, settings),
        backbone=Linear(),
        lr=0.01 * (1 + k),
        l2=0.001,
        role=("survive", k),
        steps=6,
    )


def trained(lanes: list[Lane]) -> list[Trained]:
    x = np.random.default_rng(1).normal(size=(120, 19)).astype(np.float32)
    with repeatable(CPU):
        return Population(lanes, Dense(torch.from_numpy(x)), 32, CPU).train()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_labels", [1, 7, 33])
def test_a_lane_alone_has_the_bits_of_the_lane_among_many(name: str, n_labels: int) -> None:
    lanes = [a_lane(k, get_strategy(name), n_labels) for k in range(32)]
    together = trained(lanes)
    for k in (0, 13, 31):
        alone = trained([lanes[k]])[0]
        for field, value in alone.params.items():
            assert torch.equal(value, together[k].params[field]), (k, field)


@pytest.mark.parametrize("name", NAMES)
def test_lanes_go_through_vmap_and_each_gets_its_own_loss(name: str) -> None:
    lanes = [a_lane(k, get_strategy(name), 7) for k in range(5)]
    rng = np.random.default_rng(2)
    z = torch.from_numpy(rng.normal(size=(5, 32, 7)).astype(np.float32))
    y = torch.from_numpy((rng.random((5, 32, 7)) < 0.3).astype(np.float32))
    population = PopulationLoss(lanes, CPU)
    losses = population(z, y, np.linspace(0, 0.99, 5))
    assert population.at_once, "it fell back to one lane after the other"
    for k, lane in enumerate(lanes):
        own = StandaloneLoss(lane.strategy, lane.n_pos, lane.n_rows)
        assert float(losses[k]) == pytest.approx(
            float(own(z[k], y[k], progress=k * 0.99 / 4).mean()), rel=1e-4
        )
