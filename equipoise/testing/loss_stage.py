"""Checks of `loss`: finite, unreduced, at every setting; of many lanes at once in `many_lanes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.contracts.hyperparameters import bind, tunables
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.seeds import stream
from equipoise.engine.lanes import continuous_fields
from equipoise.testing.exam import Exam, quietly
from equipoise.testing.many_lanes import check_many_lanes
from equipoise.testing.worlds import World

BATCH = 64


def check_loss(exam: Exam, worlds: list[World]) -> None:
    """The loss in every world, then what must hold anywhere once."""
    for world in worlds:
        exam.attempt("loss", world.name, partial(_check_world, exam, world))
    if any(exam.findings.failed(check, "loss") for check in ("raises", "shapes")):
        return
    for check in (_scale, _permuted, check_many_lanes):
        exam.attempt("loss", worlds[0].name, partial(check, exam, worlds[0]))


def batch(world: World, size: int = BATCH) -> tuple[Tensor, Tensor]:
    """(size, L) logits and targets from the world's rows."""
    rows = stream("batch", world.name).integers(0, len(world.Y), size)
    noise = stream("logits", world.name).normal(size=(size, world.n_labels))
    z = (2.0 * noise + world.Y[rows] - 0.5).astype(np.float32)
    return torch.from_numpy(z), torch.from_numpy(world.Y[rows].astype(np.float32))


def context(world: World, progress: float = 0.0) -> Context:
    """What a loss knows: counts of the training rows, as tensors."""
    n_pos = torch.from_numpy(world.Y.sum(0, dtype=np.int64)).float()
    return Context(n_pos, torch.tensor(float(len(world.Y))), progress=torch.tensor(progress))


def bound(strategy: Strategy, values: Mapping[str, Any] | None = None) -> Strategy:
    """As the engine calls it: floating-point tunables are scalar tensors."""
    own = {n: getattr(strategy, n) for n in tunables(strategy)} | dict(values or {})
    tensors = {n: torch.tensor(float(own[n])) for n in continuous_fields(strategy)}
    return bind(strategy, own | tensors)


def settings(world: World) -> Iterator[tuple[str, Tensor, Tensor, float]]:
    """Batches to try: usual logits early and late, ±80 right and wrong, half precision, and a view."""
    z, y = batch(world)
    right = (2 * y - 1) * 80.0
    yield "usual logits", z, y, 0.0
    yield "usual logits at the end", z, y, 1.0
    yield "logits of ±80, all right", right, y, 0.5
    yield "logits of ±80, all wrong", -right, y, 0.5
    yield "half precision", z.half(), y.half(), 0.5
    yield "half precision at ±80", -right.half(), y.half(), 1.0
    yield "bfloat16", z.bfloat16(), y.bfloat16(), 0.0
    yield "a view of another memory order", z.t().contiguous().t(), y.t().contiguous().t(), 0.0


def _check_world(exam: Exam, world: World) -> None:
    strategy, seen = bound(exam.strategy), {}
    quietly(lambda: strategy.loss(*batch(world), context(world)))
    for words, z, y, progress in settings(world):
        seen[words] = judged(exam, world, strategy, words, z, y, progress)
    demand = exam.findings.demand
    again = judged(exam, world, strategy, "", *batch(world), 0.0)
    if (usual := seen["usual logits"]) is None or again is None:
        return
    demand(
        torch.equal(usual, again), "deterministic", "loss", world.name, "two calls with the same batch differ"
    )
    view = seen["a view of another memory order"]
    alike = view is not None and torch.allclose(usual, view, rtol=1e-4, atol=1e-6)
    demand(alike, "deterministic", "loss", world.name, "another memory order gives another loss")


def judged(
    exam: Exam, world: World, strategy: Strategy, words: str, z: Tensor, y: Tensor, progress: float
) -> Tensor | None:
    """Loss and gradient of one batch, finite, of the right shape, nothing changed; the loss, or None."""
    ctx, demand = context(world, progress), exam.findings.demand
    leaf, before, labels, counts = (
        z.detach().clone().requires_grad_(),
        z.clone(),
        y.clone(),
        ctx.n_pos.clone(),
    )
    logits = leaf * 1.0  # a hook that writes into a leaf gets PyTorch's own error; into this, only ours
    loss: Tensor = exam.run("loss", world.name, lambda: strategy.loss(logits, y, ctx))
    kept = torch.equal(logits, before) and torch.equal(y, labels) and torch.equal(ctx.n_pos, counts)
    demand(kept, "in_place", "loss", world.name, f"logits, targets or ctx were changed ({words})")
    if not _shaped(exam, world, loss, z):
        return None
    finite = bool(torch.isfinite(loss).all())
    if demand(finite, "finite", "loss", world.name, f"the loss is not finite: {words}"):
        _gradient(exam, world, loss, leaf, words)
    with torch.no_grad():
        silent = exam.run("loss", world.name, lambda: strategy.loss(before, y, ctx))
    demand(
        bool(torch.equal(silent.nan_to_num(), loss.detach().nan_to_num())),
        "deterministic",
        "loss",
        world.name,
        "under no_grad the loss is another",
    )
    return loss.detach()


def _shaped(exam: Exam, world: World, loss: Any, z: Tensor) -> bool:
    right = isinstance(loss, Tensor) and loss.shape in (z.shape, z.shape[:1]) and loss.is_floating_point()
    seen = f"{loss.dtype} {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
    return exam.findings.demand(
        right,
        "shapes",
        "loss",
        world.name,
        f"returned {seen} for logits {tuple(z.shape)}; needed: (B, L) or (B,)",
    )


def _gradient(exam: Exam, world: World, loss: Tensor, leaf: Tensor, words: str) -> None:
    demand = exam.findings.demand
    if not demand(loss.requires_grad, "finite", "loss", world.name, "no gradient reaches the logits"):
        return
    exam.run("loss", world.name, lambda: loss.float().mean().backward())
    gradient = leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)
    demand(
        bool(torch.isfinite(gradient).all()),
        "finite",
        "loss",
        world.name,
        f"the gradient is not finite: {words}",
    )
    if words == "usual logits" and world.name == "usual":
        demand(bool(gradient.any()), "finite", "loss", world.name, "the gradient is zero everywhere")


def _scale(exam: Exam, world: World) -> None:
    """Each row eight times: the mean loss must pull as hard as before, not eight times as hard."""
    strategy, (z, y) = bound(exam.strategy), batch(world)
    pulls = []
    for times in (1, 8):
        leaf, targets = z.repeat(times, 1).requires_grad_(), y.repeat(times, 1)
        loss = exam.run("loss", world.name, partial(strategy.loss, leaf, targets, context(world)))
        if not loss.requires_grad:  # noted already
            return
        pulls.append(float(torch.autograd.grad(loss.mean(), leaf)[0].abs().sum()))
    ratio = pulls[1] / max(pulls[0], 1e-12)
    exam.findings.demand(
        0.4 < ratio < 2.5,
        "scale",
        "loss",
        world.name,
        f"a batch of 8 times the rows pulls {ratio:.1f} times as hard",
    )


def _permuted(exam: Exam, world: World) -> None:
    order = torch.arange(world.n_labels).roll(2)
    strategy, (z, y), ctx = bound(exam.strategy), batch(world), context(world, 0.5)
    other = Context(ctx.n_pos[order], ctx.n_rows, progress=ctx.progress)
    plain = exam.run("loss", world.name, lambda: strategy.loss(z, y, ctx))
    again = exam.run("loss", world.name, lambda: strategy.loss(z[:, order], y[:, order], other))
    plain = plain[:, order] if plain.dim() == 2 else plain
    exam.findings.demand(
        torch.allclose(plain, again, rtol=1e-4, atol=1e-5),
        "columns",
        "loss",
        world.name,
        "with the labels in another order the loss is another",
    )
