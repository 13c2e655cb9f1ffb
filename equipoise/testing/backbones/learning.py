"""Checks of short trainings by the engine: same bits for any company, gradients, and a loss that falls."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.contracts.backbone import Backbone
from equipoise.core.errors import one_line
from equipoise.engine.lanes import Trained
from equipoise.engine.predict import forward
from equipoise.engine.starts.first_weights import first_weights
from equipoise.ops.parameters import Parameters
from equipoise.testing.backbones.exam import BATCH, CPU, BackboneExam
from equipoise.testing.backbones.worlds import TRAIN, BackboneWorld
from equipoise.testing.exam import Stopped

#: Steps of the training whose loss is compared before and after.
_STEPS = 40
#: By how much a loss is to change for a comparison with the gradient; and of how many parameters, at most about.
_CHANGE, _MOST = 0.05, 12


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
        _check_slopes(exam, world, start)


def _check_slopes(exam: BackboneExam, world: BackboneWorld, start: dict[str, Tensor]) -> None:
    """Compare the gradient of each parameter with the difference of two losses along it."""
    rows = torch.arange(BATCH).expand(2, -1).contiguous()
    targets = torch.from_numpy(world.Y[:BATCH]).double().expand(2, -1, -1)

    def loss(of: Parameters) -> Tensor:
        logits = forward(exam.backbone, of, exam.rows(world, rows), None).double()
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / 2

    params = Parameters.of([start, start], CPU)
    exam.run("gradient", world.name, lambda: loss(params).backward())
    every = max(1, len(start) // _MOST)
    for name in list(start)[::every]:
        grad = params.gradient_of(name)
        if grad is None or (ratio := _ratio(loss, start, name, grad[0] * 2)) is None:
            continue
        exam.findings.demand(
            0.7 < ratio < 1.4,
            "gradient",
            "forward",
            world.name,
            f"along its gradient by {name} the loss grows {ratio:.2f} times as fast as the gradient says",
        )


def _ratio(
    loss: Callable[[Parameters], Tensor], start: dict[str, Tensor], name: str, grad: Tensor
) -> float | None:
    """The slope of the loss along a gradient by differences, divided by its length; None where rounding is as large."""
    length = float(grad.norm())
    # Short enough for the loss to be nearly linear, and long enough to be seen in float32.
    size = min(_CHANGE / max(length, 1e-12), 0.05 * (float(start[name].norm()) + 0.1))
    if size * length < _CHANGE / 20:
        return None
    ends = []
    for sign in (1.0, -1.0):
        moved = {**start, name: start[name] + sign * size / length * grad}
        with torch.no_grad():
            ends.append(float(loss(Parameters.of([moved, moved], CPU))))
    return (ends[0] - ends[1]) / (2 * size * length)


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
    try:
        own = exam.fit(world, [exam.lane(world, 1)])[0]
    except Exception as error:
        exam.findings.note("chained", "training", world.name, one_line(error))
        raise Stopped from error
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
