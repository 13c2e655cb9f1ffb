"""Checks of short trainings by the engine: same bits for any company, gradients, and a loss that falls."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.contracts.backbone import Backbone
from equipoise.engine.lanes import Trained
from equipoise.engine.predict import forward
from equipoise.engine.starts.first_weights import first_weights
from equipoise.ops.parameters import Parameters
from equipoise.testing.backbones.exam import BATCH, CPU, BackboneExam
from equipoise.testing.backbones.worlds import TRAIN, BackboneWorld

#: Steps of the training whose loss is compared before and after.
_STEPS = 40
#: Length of the step by which a gradient is compared with the difference of two losses.
_EPSILON = 1e-2


def check_lanes(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check that a lane has the same bits alone, among many, and in another slot, in training and in prediction."""
    count = exam.most_lanes
    backbones = [exam.set_dropout((0.0, 0.3, 0.5)[k % 3]) for k in range(count)]
    lanes = [exam.lane(world, k, backbone=b) for k, b in enumerate(backbones)]
    at = count // 2
    alone = exam.train(world, [lanes[at]])[0]
    among = exam.train(world, lanes)
    turned = exam.train(world, lanes[::-1])[::-1]
    names = ("among others", among[at]), ("in another slot", turned[at])
    for words, other in names:
        exam.findings.demand(
            _equal(alone, other), "lane", "training", world.name, f"a lane learns other parameters {words}"
        )
    counts = [TRAIN - k % 5 for k in range(count)]
    (own,) = exam.predicted(world, [among[at]], [TRAIN])
    beside = exam.predicted(world, among, counts)[at]
    exam.findings.demand(
        own[: len(beside)].tobytes() == beside.tobytes(),
        "lane",
        "predict",
        world.name,
        "a lane has other logits among others than alone",
    )


def check_gradients(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check that all parameters move, and that gradients agree with differences of the loss."""
    lane = exam.lane(world, steps=4)
    (start,) = first_weights([lane], exam.inputs(world).width, BATCH)
    (end,) = exam.train(world, [lane])
    still = [name for name, p in end.params.items() if torch.equal(p, start[name])]
    exam.findings.demand(
        not still,
        "gradient",
        "training",
        world.name,
        f"{', '.join(still)}: the parameter never gets a gradient",
    )
    if not still:
        ratio = _ratio(exam, world, [start, start])
        exam.findings.demand(
            0.7 < ratio < 1.4,
            "gradient",
            "forward",
            world.name,
            f"along its gradient the loss grows {ratio:.2f} times as fast as the gradient says",
        )


def _ratio(exam: BackboneExam, world: BackboneWorld, lanes: Sequence[dict[str, Tensor]]) -> float:
    """The slope of the loss along the gradient by differences, divided by the length of the gradient."""
    rows = torch.arange(BATCH).expand(2, -1).contiguous()
    targets = torch.from_numpy(world.Y[:BATCH]).float().expand(2, -1, -1)
    params = Parameters.of(lanes, CPU)

    def loss(of: Parameters) -> Tensor:
        logits = forward(exam.backbone, of, exam.rows(world, rows), None)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")

    exam.run("gradient", world.name, lambda: loss(params).backward())
    grads = [params.gradient_of(name) for name in params.stacked]
    flat = {n: torch.zeros(()) if g is None else g for n, g in zip(params.stacked, grads, strict=True)}
    length = float(torch.stack([g.square().sum() for g in flat.values()]).sum().sqrt())
    ends = []
    for sign in (1.0, -1.0):
        moved = [
            {
                n: p + sign * _EPSILON * (flat[n][k] if flat[n].dim() else flat[n]) / length
                for n, p in lane.items()
            }
            for k, lane in enumerate(lanes)
        ]
        with torch.no_grad():
            ends.append(float(loss(Parameters.of(moved, CPU))))
    return (ends[0] - ends[1]) / (2 * _EPSILON) / length


def check_trains(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check that a short training at the default learning rate lowers the loss on its rows."""
    lane = exam.lane(world, steps=_STEPS)
    (start,) = first_weights([lane], exam.inputs(world).width, BATCH)
    (end,) = exam.train(world, [lane])
    before, after = (
        _loss(exam.predicted(world, [Trained(params, lane.backbone, 0)], [TRAIN])[0], world.Y[:TRAIN])
        for params in (start, end.params)
    )
    exam.findings.demand(
        after < before,
        "trains",
        "training",
        world.name,
        f"the mean loss is {before:.3f} before and {after:.3f} after {_STEPS} steps at lr={lane.lr:g}",
    )


def check_chained(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check that training without autograd has the same bits as with it, where the backbone says it may."""
    if not exam.backbone.chained:
        return
    own = exam.train(world, [exam.lane(world, 1)], "training without autograd")[0]
    usual = exam.train(world, [exam.lane(world, 1, backbone=_unchained(exam.backbone))])[0]
    exam.findings.demand(
        _equal(own, usual),
        "chained",
        "training",
        world.name,
        "training without autograd gives other parameters",
    )


def _unchained(backbone: Backbone) -> Backbone:
    """The same backbone, trained by autograd."""
    cls = type(backbone)
    other: Any = type(cls.__name__, (cls,), {"chained": False})
    return other(**{f.name: getattr(backbone, f.name) for f in dataclasses.fields(backbone)})


def _equal(a: Trained, b: Trained) -> bool:
    return a.params.keys() == b.params.keys() and all(
        a.params[n].numpy().tobytes() == b.params[n].numpy().tobytes() for n in a.params
    )


def _loss(logits: np.ndarray, Y: np.ndarray) -> float:
    """The mean cross-entropy of logits (n, L)."""
    z = logits.astype(np.float64)
    return float((np.logaddexp(0.0, z) - Y * z).mean())
