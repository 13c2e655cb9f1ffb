"""Checks of `loss` as the engine calls it, for many lanes at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.contracts.hyperparameters import bind, tunables
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.seeds import stream
from equipoise.engine.lanes import continuous_fields
from equipoise.engine.loss import PopulationLoss
from equipoise.testing.exam import Exam
from equipoise.testing.worlds import UNITS, World

ROWS = 64
#: With 5 labels, 31 lanes do not fill a whole number of vector registers, so the last lane is computed by other instructions.
LANES = 31


def check_many_lanes(exam: Exam, world: World) -> None:
    """Check that a lane's loss and gradient are the same, bit for bit, among other lanes and alone.

    Each lane has its own settings, counts and batch.
    """
    rng = stream("lanes")
    lanes = [_lane(exam.strategy, world, rng) for _ in range(LANES)]
    z = torch.from_numpy(rng.normal(size=(LANES, ROWS, world.n_labels)).astype(np.float32))
    y = torch.from_numpy((rng.random(z.shape) < 0.3).astype(np.float32))
    progress = np.linspace(0.0, 1.0, LANES)  # lanes of a population are at different steps of their trainings
    h = torch.from_numpy(np.maximum(rng.normal(size=(LANES, ROWS, UNITS)), 0.0).astype(np.float32))
    if not _works_with_vmap(exam, world, lanes, z, y, h, progress):
        return
    together = exam.run("loss", world.name, lambda: _loss_and_gradients(lanes, z, y, h, progress))
    # A vectorised loss is a second implementation of the same formula, so it is also compared with the plain one.
    if exam.strategy.vectorized:
        one_by_one = torch.stack([_loss(lane, z[k], y[k], h[k], progress[k]) for k, lane in enumerate(lanes)])
        exam.findings.demand(
            torch.allclose(together[0], one_by_one, rtol=1e-4, atol=1e-5, equal_nan=True),
            "lanes",
            "loss",
            world.name,
            "the loss of several lanes at once differs from the losses of the single lanes",
        )
    for k in range(LANES):
        own = slice(k, k + 1)
        alone = _loss_and_gradients(lanes[own], z[own], y[own], h[own], progress[own])
        # NaN has a rule of its own, and is the same as NaN here.
        same = all(
            torch.equal(a[k].nan_to_num(), b[0].nan_to_num()) for a, b in zip(together, alone, strict=True)
        )
        exam.findings.demand(
            same, "lane", "loss", world.name, "a lane has different bits among others than alone"
        )


def _lane(strategy: Strategy, world: World, rng: np.random.Generator) -> Any:
    """A stand-in for an engine lane, with what `PopulationLoss` reads: random settings and random counts."""
    ranges = {n: t for n, t in tunables(strategy).items() if n in continuous_fields(strategy)}
    values = {n: float(rng.uniform(t.low or 0.0, t.high or 1.0)) for n, t in ranges.items()}
    n_pos, trained_pos = (rng.integers(0, len(world.Y), world.n_labels) for _ in range(2))
    return SimpleNamespace(
        strategy=bind(strategy, values),
        n_pos=n_pos,
        n_rows=len(world.Y),
        trained_pos=0.75 * trained_pos,
        trained_rows=0.75 * len(world.Y),
    )


def _loss_and_gradients(
    lanes: list[Any], z: Tensor, y: Tensor, h: Tensor, progress: np.ndarray
) -> tuple[Tensor, ...]:
    """The losses, and their gradients in what they depend on: the logits, and the representation if they see it."""
    population = PopulationLoss(lanes, torch.device("cpu"))
    leaves = [t.clone().requires_grad_() for t in ((z, h) if population.sees_representation else (z,))]
    loss = population(leaves[0], y, progress, *leaves[1:])
    return loss.detach(), *torch.autograd.grad(loss.sum(), leaves)


def _seen(strategy: Strategy, h: Tensor) -> dict[str, Any]:
    return {"representation": h} if strategy.sees_representation else {}


def _loss(lane: Any, z: Tensor, y: Tensor, h: Tensor, progress: float) -> Tensor:
    """The mean loss of one lane from the plain hook, without the engine."""
    ctx = Context(
        torch.tensor(lane.n_pos).float(),
        torch.tensor(float(lane.n_rows)),
        progress=torch.tensor(progress).float(),
        trained_pos=torch.tensor(lane.trained_pos).float(),
        trained_rows=torch.tensor(float(lane.trained_rows)),
        **_seen(lane.strategy, h),
    )
    fields = {n: torch.tensor(getattr(lane.strategy, n)) for n in continuous_fields(lane.strategy)}
    return bind(lane.strategy, fields).loss(z, y, ctx).mean()


def _works_with_vmap(
    exam: Exam, world: World, lanes: list[Any], z: Tensor, y: Tensor, h: Tensor, progress: np.ndarray
) -> bool:
    """Whether the loss works under `torch.vmap`; a failure is noted."""
    # The engine would silently fall back to training lane by lane, which is slow, so the kit has to report it.
    first = lanes[0].strategy
    tunable = {n: torch.tensor([getattr(k.strategy, n) for k in lanes]) for n in continuous_fields(first)}
    n_pos = torch.tensor(np.stack([k.n_pos for k in lanes])).float()
    n_rows, done = torch.full((len(lanes),), float(len(world.Y))), torch.from_numpy(progress).float()

    def one(
        z: Tensor, y: Tensor, h: Tensor, n_pos: Tensor, n_rows: Tensor, done: Tensor, fields: Any
    ) -> Tensor:
        ctx = Context(n_pos, n_rows, progress=done, **_seen(first, h))
        return bind(first, fields).loss(z, y, ctx).mean()

    try:
        torch.vmap(one)(z, y, h, n_pos, n_rows, done, tunable)
    except Exception as error:
        exam.findings.note("vmap", "loss", world.name, str(error).split(". ")[0])
        return False
    return True
