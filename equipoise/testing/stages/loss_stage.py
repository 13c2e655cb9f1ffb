"""Checks of `loss`: finite, unreduced, deterministic. `many_lanes` checks the loss of many lanes at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
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

BATCH = 64  # rows


def check_loss(exam: Exam, worlds: list[World]) -> None:
    """Check the loss in every world, and general properties in the first one."""
    for world in worlds:
        exam.attempt("loss", world.name, partial(_check_loss_in, exam, world))
    if any(exam.findings.failed(check, "loss") for check in ("raises", "shapes")):
        return
    if exam.strategy.sees_representation:
        exam.attempt("loss", worlds[0].name, partial(_check_representation, exam, worlds[0]))
    for check in (_check_scale, _check_permuted, check_many_lanes):
        exam.attempt("loss", worlds[0].name, partial(check, exam, worlds[0]))


def batch(world: World, size: int = BATCH) -> tuple[Tensor, Tensor]:
    """A batch of logits and targets, (size, L) each, from random rows of the world."""
    rows = stream("batch", world.name).integers(0, len(world.Y), size)
    # Mostly noise, with a weak relation to the targets: right and wrong predictions both occur.
    noise = stream("logits", world.name).normal(size=(size, world.n_labels))
    z = (2.0 * noise + world.Y[rows] - 0.5).astype(np.float32)
    return torch.from_numpy(z), torch.from_numpy(world.Y[rows].astype(np.float32))


def context(world: World, progress: float = 0.0) -> Context:
    """The context of a loss: counts of the training rows and the progress, as tensors."""
    n_pos, n_rows = (
        torch.from_numpy(world.Y.sum(0, dtype=np.int64)).float(),
        torch.tensor(float(len(world.Y))),
    )
    # The rows trained on are fewer, and their counts not whole, as with sampling weights. Absent labels stay absent, and labels
    # of all rows stay that.
    return Context(
        n_pos,
        n_rows,
        progress=torch.tensor(progress),
        trained_pos=n_pos.sqrt(),
        trained_rows=n_rows.sqrt(),
    )


def representation(world: World) -> Tensor:
    """The representation (BATCH, UNITS) of the rows of `batch`."""
    rows = stream("batch", world.name).integers(0, len(world.Y), BATCH)
    return torch.from_numpy(world.hidden[rows])


def bound(strategy: Strategy, values: Mapping[str, Any] | None = None) -> Strategy:
    """The strategy as the engine calls it, with floating-point tunable fields as scalar tensors."""
    settings = {n: getattr(strategy, n) for n in tunables(strategy)} | dict(values or {})
    tensors = {n: torch.tensor(float(settings[n])) for n in continuous_fields(strategy)}
    return bind(strategy, settings | tensors)


def settings(world: World) -> Iterator[tuple[str, Tensor, Tensor, float]]:
    """Batches to try: (description, logits, targets, progress)."""
    z, y = batch(world)
    correct = (
        2 * y - 1
    ) * 80.0  # at ±80 a sigmoid is exactly 0 or 1 in float32, and naive logarithms are infinite
    yield "usual logits", z, y, 0.0
    yield "usual logits at the end of training", z, y, 1.0
    yield "logits of ±80, all correct", correct, y, 0.5
    yield "logits of ±80, all wrong", -correct, y, 0.5
    yield "half precision", z.half(), y.half(), 0.5
    yield "half precision at ±80", -correct.half(), y.half(), 1.0
    yield "bfloat16", z.bfloat16(), y.bfloat16(), 0.0
    yield "another memory order", z.t().contiguous().t(), y.t().contiguous().t(), 0.0


def _check_loss_in(exam: Exam, world: World) -> None:
    strategy, losses = bound(exam.strategy), {}
    quietly(lambda: strategy.loss(*batch(world), context(world)))
    for case, z, y, progress in settings(world):
        losses[case] = judged(exam, world, strategy, case, z, y, progress)
    demand = exam.findings.demand
    again = judged(exam, world, strategy, "", *batch(world), 0.0)
    if (usual := losses["usual logits"]) is None or again is None:
        return
    # A loss that is not finite is a finding of its own: NaN equals NaN here.
    demand(
        torch.equal(usual.nan_to_num(), again.nan_to_num()),
        "deterministic",
        "loss",
        world.name,
        "two calls with the same batch differ",
    )
    view = losses["another memory order"]
    alike = view is not None and torch.allclose(usual, view, rtol=1e-4, atol=1e-6, equal_nan=True)
    demand(alike, "deterministic", "loss", world.name, "another memory order changes the loss")


def judged(
    exam: Exam, world: World, strategy: Strategy, case: str, z: Tensor, y: Tensor, progress: float
) -> Tensor | None:
    """The loss of one batch after checking shape, finiteness, gradient and arguments; None if its shape is wrong.

    Args:
        case: a description of the batch, for findings.
    """
    ctx, demand = context(world, progress), exam.findings.demand
    h = representation(world)
    if strategy.sees_representation:
        ctx = replace(ctx, representation=h.clone())
    leaf = z.detach().clone().requires_grad_()
    counts = (ctx.n_pos, ctx.trained_pos)
    before, labels, counts_before = z.clone(), y.clone(), [c.clone() for c in counts]
    # A copy, since PyTorch itself forbids writing into a leaf: the hook would raise instead of showing its fault.
    logits = leaf * 1.0
    loss: Tensor = exam.run("loss", world.name, lambda: strategy.loss(logits, y, ctx))
    untouched = (
        torch.equal(logits, before)
        and torch.equal(y, labels)
        and all(map(torch.equal, counts, counts_before))
    )
    untouched &= ctx.representation is None or torch.equal(ctx.representation, h)
    demand(untouched, "in_place", "loss", world.name, f"logits, targets or ctx were changed ({case})")
    if not _valid_shape(exam, world, loss, z):
        return None
    finite = bool(torch.isfinite(loss).all())
    if demand(finite, "finite", "loss", world.name, f"the loss is not finite: {case}{_absent(world)}"):
        _check_gradient(exam, world, loss, leaf, case)
    with torch.no_grad():
        without_grad = exam.run("loss", world.name, lambda: strategy.loss(before, y, ctx))
    demand(
        bool(torch.equal(without_grad.nan_to_num(), loss.detach().nan_to_num())),
        "deterministic",
        "loss",
        world.name,
        "the loss is different under torch.no_grad()",
    )
    return loss.detach()


def _absent(world: World) -> str:
    """The usual reason for a division by zero, in a world where a label has no positive row."""
    present = bool(world.Y.any(0).all())
    return "" if present else "; a label may have no positive row (n_pos = 0): clamp(min=1)"


def _valid_shape(exam: Exam, world: World, loss: Any, z: Tensor) -> bool:
    valid = isinstance(loss, Tensor) and loss.shape in (z.shape, z.shape[:1]) and loss.is_floating_point()
    actual = f"{loss.dtype} {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
    return exam.findings.demand(
        valid,
        "shapes",
        "loss",
        world.name,
        f"returned {actual} for logits {tuple(z.shape)}, but floats (B, L) or (B,) are needed",
    )


def _check_gradient(exam: Exam, world: World, loss: Tensor, leaf: Tensor, case: str) -> None:
    demand = exam.findings.demand
    if not demand(loss.requires_grad, "finite", "loss", world.name, "no gradient reaches the logits"):
        return
    exam.run("loss", world.name, lambda: loss.float().mean().backward())
    # None if the loss ignores the logits.
    gradient = leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)
    demand(
        bool(torch.isfinite(gradient).all()),
        "finite",
        "loss",
        world.name,
        f"the gradient is not finite: {case}{_absent(world)}",
    )
    # Only here: without positives or negatives a zero gradient may be right.
    if case == "usual logits" and world.name == "usual":
        demand(bool(gradient.any()), "finite", "loss", world.name, "the gradient is zero everywhere")


def _check_representation(exam: Exam, world: World) -> None:
    """Check that a gradient reaches the representation, and that the loss works without one."""
    strategy, (z, y), demand = bound(exam.strategy), batch(world), exam.findings.demand
    h = representation(world).requires_grad_()
    seen = replace(context(world), representation=h * 1.0)
    loss = exam.run("loss", world.name, lambda: strategy.loss(z, y, seen))
    reached = torch.autograd.grad(loss.mean(), h, allow_unused=True)[0] if loss.requires_grad else None
    sent = reached is not None and bool(reached.any())
    demand(sent, "representation", "loss", world.name, "no gradient reaches the representation")
    finite = reached is None or bool(torch.isfinite(reached).all())
    demand(finite, "representation", "loss", world.name, "the gradient in the representation is not finite")
    try:
        alone = strategy.loss(z, y, context(world))
        works = isinstance(alone, Tensor) and alone.shape == loss.shape and bool(torch.isfinite(alone).all())
        problem = "without a representation the loss is not finite or has another shape"
    except Exception as error:
        works, problem = False, f"without a representation: {type(error).__name__}: {error}"
    demand(works, "representation", "loss", world.name, problem)


def _check_scale(exam: Exam, world: World) -> None:
    """Check that repeating each row eight times leaves the gradient of the mean loss about as large as before."""
    strategy, (z, y) = bound(exam.strategy), batch(world)
    sizes = []
    for times in (1, 8):
        leaf, targets = z.repeat(times, 1).requires_grad_(), y.repeat(times, 1)
        loss = exam.run("loss", world.name, partial(strategy.loss, leaf, targets, context(world)))
        if not loss.requires_grad:  # already noted by `_check_gradient`
            return
        sizes.append(float(torch.autograd.grad(loss.mean(), leaf)[0].abs().sum()))
    ratio = sizes[1] / max(sizes[0], 1e-12)
    # Wide bounds: batch statistics may change the gradient somewhat, but a sum over the batch would give a ratio of 8.
    exam.findings.demand(
        0.4 < ratio < 2.5,
        "scale",
        "loss",
        world.name,
        f"with 8 times as many rows the gradient of the mean loss is {ratio:.1f} times as large",
    )


def _check_permuted(exam: Exam, world: World) -> None:
    """Check that permuting the labels permutes the loss."""
    order = torch.arange(world.n_labels).roll(2)
    strategy, (z, y), ctx = bound(exam.strategy), batch(world), context(world, 0.5)
    permuted_ctx = replace(ctx, n_pos=ctx.n_pos[order], trained_pos=ctx.trained_pos[order])
    loss = exam.run("loss", world.name, lambda: strategy.loss(z, y, ctx))
    permuted = exam.run("loss", world.name, lambda: strategy.loss(z[:, order], y[:, order], permuted_ctx))
    loss = loss[:, order] if loss.dim() == 2 else loss
    exam.findings.demand(
        torch.allclose(loss, permuted, rtol=1e-4, atol=1e-5, equal_nan=True),
        "columns",
        "loss",
        world.name,
        "permuting the labels changes the loss",
    )
