"""Checks of a backbone's twin: the same network as a module of `torch.nn`, and the declared arithmetic of a row."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from equipoise.contracts.backbone import Backbone, Flops
from equipoise.core.errors import one_line
from equipoise.ops.dropout import Dropout
from equipoise.ops.inputs import Sparse
from equipoise.testing.backbones.exam import BATCH, CPU, BackboneExam
from equipoise.testing.backbones.forward import close, moved
from equipoise.testing.backbones.parts import arrays_of
from equipoise.testing.backbones.worlds import BackboneWorld

#: Entries of the row for which the arithmetic is asked.
_ENTRIES = 5


def check_twin(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check the twin, if the backbone declares one: logits, dropout, the order of its parameters; and the arithmetic."""
    try:
        # Modules of `torch.nn` draw their weights and their dropout from the global generator.
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            problem = _problem_of_flops(exam, world) or _problem(exam, world)
    except Exception as error:
        problem = one_line(error)
    exam.findings.demand(not problem, "twin", "plain", world.name, problem)


def _problem_of_flops(exam: BackboneExam, world: BackboneWorld) -> str:
    declared = exam.backbone.flops(_ENTRIES, world.n_labels)
    if declared is None:
        return ""
    sound = isinstance(declared, Flops) and all(math.isfinite(n) and n >= 0 for n in declared)
    if not sound or sum(declared) <= 0:
        return f"flops() returns {declared!r}; it must be Flops(first, later), not negative, not both zero"
    return ""


def _problem(exam: BackboneExam, world: BackboneWorld) -> str:
    """What is wrong with the twin, in words; "" if nothing is, or if there is none."""
    width, outputs = exam.inputs(world).width, world.n_labels
    twin = exam.backbone.plain(width, outputs)
    if twin is None:
        return ""
    if not isinstance(twin, nn.Module):
        return f"plain() returns {type(twin).__name__}, not a torch.nn.Module"
    lane, x = moved(exam.init(world), 0), _rows(exam, world)
    ours = exam.logits(world, [lane], torch.arange(BATCH)[None])[0]
    theirs = _loaded(exam.backbone, twin, lane)(x)
    if tuple(theirs.shape) != tuple(ours.shape):
        return f"the twin's logits have shape {tuple(theirs.shape)} instead of {tuple(ours.shape)}"
    if not close(theirs, ours):
        return f"with the same weights, the twin's logits differ by up to {(theirs - ours).abs().max():.2g}"
    if exam.backbone.output and not _ends_with_bias(twin, x, theirs):
        return "the last parameter of the twin is not the bias of the logits"
    return _problem_of_dropout(exam, world, lane, x)


def _rows(exam: BackboneExam, world: BackboneWorld) -> Tensor:
    """The first rows of a world as the twin takes them: dense (B, width), or ids (B, T) with 0 for padding."""
    inputs = exam.inputs(world)
    rows = arrays_of(inputs)[0][:BATCH]
    return torch.as_tensor(rows.toarray() if isinstance(inputs, Sparse) else rows)


def _loaded(backbone: Backbone, twin: nn.Module, lane: Mapping[str, Tensor]) -> nn.Module:
    """The twin with the parameters of a lane, in evaluation mode.

    Raises:
        RuntimeError: names or shapes of the state are not those of the module.
    """
    twin.load_state_dict(backbone.plain_state(lane))
    return twin.eval()


def _ends_with_bias(twin: nn.Module, x: Tensor, logits: Tensor) -> bool:
    last = list(twin.parameters())[-1]
    last.add_(1.0)
    raised = close(twin(x), logits + 1.0)
    last.sub_(1.0)
    return raised


def _problem_of_dropout(
    exam: BackboneExam, world: BackboneWorld, lane: Mapping[str, Tensor], x: Tensor
) -> str:
    """Check that the twin in training mode is random where the backbone is: with a dropout of 0.5, and not with 0."""
    rows = torch.arange(BATCH)[None]
    for rate in (0.0, 0.5):
        backbone = exam.set_dropout(rate)
        twin = backbone.plain(exam.inputs(world).width, world.n_labels)
        assert twin is not None
        _loaded(backbone, twin, lane)
        theirs = not torch.equal(twin.eval()(x), twin.train()(x))
        stream = Dropout([backbone.dropout_rate], (("dropout", 0),), CPU)
        ours = not torch.equal(
            exam.logits(world, [lane], rows), exam.logits(world, [lane], rows, dropout=stream)
        )
        if theirs != ours:
            verb = "is" if theirs else "is not"
            return f"with dropout={backbone.dropout_rate}, the twin {verb} random in training mode, unlike the backbone"
    return ""
