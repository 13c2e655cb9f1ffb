"""Checks of single forward passes: shapes, independence of rows and lanes, padding, dropout, label inputs, the last layer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.lanes import LABEL_WEIGHT
from equipoise.engine.predict import forward
from equipoise.ops.dropout import Dropout
from equipoise.ops.inputs import Tokens
from equipoise.ops.parameters import Parameters
from equipoise.testing.backbones.exam import BATCH, CPU, BackboneExam
from equipoise.testing.backbones.worlds import BackboneWorld
from equipoise.testing.guard import frozen, same

#: What sums in another order may differ by, relative to logits of size 1.
_CLOSE = 1e-4
_ROLES = (("dropout", 0), ("dropout", 1))


def check_forward(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check the logits of two lanes for a batch."""
    lanes = [exam.init(world, seed) for seed in (0, 1)]
    rows = torch.arange(BATCH).expand(2, -1).contiguous()
    logits = exam.logits(world, lanes, rows)

    def demand(ok: object, check: str, problem: str) -> bool:
        return exam.findings.demand(ok, check, "forward", world.name, problem)

    if not demand(isinstance(logits, Tensor), "shapes", f"it returns {type(logits).__name__}, not a tensor"):
        return
    wanted = (2, BATCH, world.n_labels)
    own, given = (wanted, tuple(logits.shape)) if exam.stacks else (wanted[1:], tuple(logits.shape[1:]))
    if not demand(tuple(logits.shape) == wanted, "shapes", f"logits have shape {given} instead of {own}"):
        return
    demand(logits.dtype == torch.float32, "shapes", f"logits are {logits.dtype} instead of float32")
    demand(torch.isfinite(logits).all(), "finite", "some logits are NaN or infinite")
    exam.results[("forward", world.name)] = logits.numpy()
    again = exam.logits(world, lanes, rows)
    if not demand(
        torch.equal(logits, again), "deterministic", "two passes over the same rows give different logits"
    ):
        return
    _check_unchanged(exam, world, lanes, rows)
    _check_rows(exam, world, lanes, rows, logits)
    _check_own_parameters(exam, world, lanes, rows, logits)
    _check_output(exam, world, lanes, rows, logits)
    if isinstance(inputs := exam.inputs(world), Tokens):
        longer = replace(inputs, ids=torch.nn.functional.pad(inputs.ids, (0, 7)))
        padded = exam.logits(world, lanes, rows, inputs=longer)
        demand(close(padded, logits), "padding", "logits change with the number of columns of padding")


def _check_unchanged(exam: BackboneExam, world: BackboneWorld, lanes: list[Any], rows: Tensor) -> None:
    """Check that a pass changes neither the rows nor the parameters."""
    x, params = exam.rows(world, rows), Parameters.of(lanes, CPU)
    before = frozen(x), params.stack.flat.clone()
    with torch.no_grad():
        forward(exam.backbone, params, x, None)
    for what, ok in (
        ("x", same(before[0], frozen(x))),
        ("the parameters", torch.equal(before[1], params.stack.flat)),
    ):
        exam.findings.demand(ok, "in_place", "forward", world.name, f"{what} changed during the pass")


def _check_rows(
    exam: BackboneExam, world: BackboneWorld, lanes: list[Any], rows: Tensor, logits: Tensor
) -> None:
    """Check that the logits of rows do not depend on what else is in the batch, nor on the place in it."""
    half, order = BATCH // 2, torch.arange(BATCH - 1, -1, -1)
    others = rows.clone()
    others[:, half:] += BATCH
    beside = exam.logits(world, lanes, others)
    turned = exam.logits(world, lanes, rows[:, order].contiguous())
    problems: tuple[tuple[str, bool], ...] = (
        ("beside other rows", close(beside[:, :half], logits[:, :half])),
        ("in another place of the batch", close(turned[:, order], logits)),
        ("in a batch of another size", close(exam.logits(world, lanes, rows[:, :half]), logits[:, :half])),
    )
    for row in range(0, half, 3):
        copies = exam.logits(world, lanes, rows[:, row : row + 1].expand(-1, BATCH).contiguous())
        problems += (("among copies of itself", close(copies[:, 0], logits[:, row])),)
    for problem, ok in problems:
        words = f"the logits of a row differ {problem}"
        exam.findings.demand(ok, "rows", "forward", world.name, words)


def _check_own_parameters(
    exam: BackboneExam, world: BackboneWorld, lanes: list[Any], rows: Tensor, logits: Tensor
) -> None:
    """Check that a lane's logits come from its own parameters, in either slot."""
    first, second = (moved(lane, seed) for seed, lane in enumerate(lanes))
    here = exam.logits(world, [first, second], rows)
    there = exam.logits(world, [lanes[1], first], rows)
    problems = (
        (not torch.equal(here[0], logits[0]), "logits do not depend on the parameters"),
        (torch.equal(there[1], here[0]), "a lane has other logits in another slot, beside another lane"),
    )
    for ok, problem in problems:
        exam.findings.demand(ok, "lane", "forward", world.name, problem)


def _check_output(
    exam: BackboneExam, world: BackboneWorld, lanes: list[Any], rows: Tensor, logits: Tensor
) -> None:
    """Check that the bias of the logits is added to them last: training starts at the best constant logits through it."""
    name = exam.backbone.output
    if not name or exam.findings.failed("names", "init"):
        return
    raised = exam.logits(world, [{**lane, name: lane[name] + 1.0} for lane in lanes], rows)
    problem = f"raising `output` ({name}) by 1 does not raise the logits by 1: it must be added last"
    exam.findings.demand(close(raised, logits + 1.0), "names", "forward", world.name, problem)


def moved(params: Any, seed: int) -> dict[str, Tensor]:
    """Parameters as after some steps: none is zero, so that each has an influence."""
    generator = torch.Generator().manual_seed(seed)
    return {n: p + 0.1 * torch.randn(p.shape, generator=generator) for n, p in params.items()}


def check_dropout(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check that a field `dropout` has an effect in training, and that nothing else is random there."""
    lanes = [moved(exam.init(world, seed), seed) for seed in (0, 1)]
    rows = torch.arange(BATCH).expand(2, -1).contiguous()
    plain = exam.logits(world, lanes, rows)
    has_field = any(name == "dropout" for name in exam.backbone.__dataclass_fields__)
    dropped, again = (exam.logits(world, lanes, rows, Dropout([0.5, 0.5], _ROLES, CPU)) for _ in range(2))
    unused = Dropout([0.0, 0.0], _ROLES, CPU)
    problems = (
        (torch.equal(dropped, again), "deterministic", "with equal streams of dropout, logits differ"),
        (
            not has_field or not torch.equal(dropped, plain),
            "dropout",
            "the field `dropout` has no effect: forward does not call drop",
        ),
        (
            torch.equal(exam.logits(world, lanes, rows, unused), plain),
            "dropout",
            "with a dropout of 0, logits in training differ from those in prediction",
        ),
    )
    for ok, check, problem in problems:
        exam.findings.demand(ok, check, "forward", world.name, problem)


def check_head(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check the representation and the last layer of a backbone that has them."""
    if not exam.backbone.represents or exam.findings.failed("names", "init"):
        return
    lanes = [moved(exam.init(world, seed), seed) for seed in (0, 1)]
    rows = torch.arange(BATCH).expand(2, -1).contiguous()
    logits, hidden = exam.logits(world, lanes, rows), exam.logits(world, lanes, rows, method="represent")

    def demand(ok: object, problem: str) -> bool:
        return exam.findings.demand(ok, "head", "represent", world.name, problem)

    if not demand(
        hidden.shape[:2] == rows.shape and hidden.dim() == 3, f"its shape is {tuple(hidden.shape[1:])}"
    ):
        return
    for lane, h, z in zip(lanes, hidden.numpy(), logits.numpy(), strict=True):
        weight, bias = exam.run("head", world.name, partial(exam.backbone.head_of, lane))
        shapes = weight.shape == (h.shape[1], world.n_labels) and bias.shape == (world.n_labels,)
        if not demand(shapes, f"weight {weight.shape} and bias {bias.shape} do not fit {h.shape[1]} units"):
            return
        demand(
            np.allclose(h @ weight + bias, z, rtol=1e-3, atol=1e-3),
            "the logits are not representation · weight + bias",
        )


def check_label_inputs(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check that labels as inputs, which enter through the conditioning bias, act row by row."""
    bias = exam.backbone.conditioning_bias
    if not bias or exam.findings.failed("names", "init"):
        return
    lanes = [moved(exam.init(world, seed), seed) for seed in (0, 1)]
    for seed, lane in enumerate(lanes):
        shape = (2, lane[bias].shape[-1])
        lane[LABEL_WEIGHT] = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    rows = torch.arange(BATCH).expand(2, -1).contiguous()
    x, params = exam.rows(world, rows), Parameters.of(lanes, CPU)
    labels = torch.zeros(2, BATCH, 2)
    none, some = labels, labels.clone()
    some[:, ::2] = 1.0

    def compute(given: Tensor) -> Tensor:
        with torch.no_grad():
            return forward(exam.backbone, params, x, None, given)

    without, with_labels = (
        exam.run("label inputs", world.name, partial(compute, given)) for given in (none, some)
    )
    apart = (with_labels - without).abs().amax(-1) > 1e-6
    problems = (
        (bool(apart[:, ::2].any()), "labels as inputs have no effect on the logits"),
        (not bool(apart[:, 1::2].any()), "the labels of a row change the logits of other rows"),
    )
    for ok, problem in problems:
        exam.findings.demand(ok, "label_inputs", "forward", world.name, problem)


def close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(torch.allclose(a, b, rtol=_CLOSE, atol=_CLOSE))
