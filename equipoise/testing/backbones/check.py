"""All checks of a backbone, and the short form that runs before a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from equipoise.contracts.backbone import Backbone
from equipoise.contracts.estimator import EstimatorBackbone
from equipoise.engine.estimators import rows_of
from equipoise.testing import twin
from equipoise.testing.backbones import declaration, estimators, learning, parts, plain
from equipoise.testing.backbones import forward as passes
from equipoise.testing.backbones.exam import BackboneExam
from equipoise.testing.backbones.worlds import BackboneWorld, suitable
from equipoise.testing.exam import Stopped, quietly
from equipoise.testing.findings import Finding
from equipoise.testing.guard import one_thread, unchanged

#: What is checked in every world, and what in the first world of each kind of input; each step presupposes those before.
_EVERYWHERE = (parts.check_features, parts.check_parameters, passes.check_forward)
_USUAL = (
    passes.check_dropout,
    passes.check_head,
    passes.check_label_inputs,
    plain.check_twin,
    learning.check_chained,
    learning.check_lanes,
    learning.check_gradients,
    learning.check_trains,
)
Check = Callable[[BackboneExam, BackboneWorld], None]


def check_backbone(backbone: Backbone) -> list[Finding]:
    """All findings about a backbone, [] if it conforms."""
    exam = BackboneExam(backbone)
    # The outer `unchanged` reports nothing; it restores global state that the backbone may have changed.
    with one_thread(), unchanged(lambda what: None):
        if declaration.check_declared(exam):
            with _repeated_elsewhere(exam):
                _check_worlds(exam)
                declaration.check_space(exam)
    return exam.findings.all()


def check_briefly(backbone: Backbone, kind: str) -> list[Finding]:
    """The findings of single passes over one small data set of a kind of input, "text" or "numeric"."""
    exam = BackboneExam(backbone)
    world = suitable(frozenset({kind}))[0]
    quietly(lambda: _first(backbone, world))
    steps = _EVERYWHERE if backbone.gradient else (parts.check_features, estimators.check_estimator)
    _in_turn(exam, world, steps)
    return exam.findings.all()


def _check_worlds(exam: BackboneExam) -> None:
    seen: set[str] = set()
    for world in suitable(exam.backbone.accepts):
        usual = world.kind not in seen
        seen.add(world.kind)
        # The first call may import libraries, whose side effects are not the backbone's.
        quietly(partial(_first, exam.backbone, world))
        if not exam.backbone.gradient:
            _in_turn(exam, world, (parts.check_features, estimators.check_estimator))
        elif _in_turn(exam, world, _EVERYWHERE) and usual:
            _in_turn(exam, world, _USUAL)


def _in_turn(exam: BackboneExam, world: BackboneWorld, checks: tuple[Check, ...]) -> bool:
    """Run checks one after the other until one finds something; returns whether none did."""
    for check in checks:
        before = len(exam.findings.all())
        exam.attempt(check.__name__.removeprefix("check_"), world.name, partial(check, exam, world))
        if len(exam.findings.all()) > before:
            return False
    return True


def _first(backbone: Backbone, world: BackboneWorld) -> None:
    """Compute features, and train for a step or fit a few rows."""
    exam = BackboneExam(backbone)
    exam.inputs(world)
    if isinstance(backbone, EstimatorBackbone):
        few = np.arange(16)
        backbone.fit(rows_of(exam.inputs(world), few), world.Y[few], None, 0, False)
    elif backbone.gradient:
        exam.train(world, [exam.lane(world, steps=1)])


@contextmanager
def _repeated_elsewhere(exam: BackboneExam) -> Iterator[None]:
    """Let a second process compute features, parameters and logits during the block, and note where they differ."""
    asked = twin.ask(exam.backbone, f"{__name__}:digests")
    yield
    found = (twin.answer() if asked else None) or {}
    for (hook, world), result in exam.results.items():
        if (hook, world) in found:
            equal = found[(hook, world)] == twin.digest(result)
            exam.findings.demand(
                equal, "deterministic", hook, world, "another process gives a different result"
            )


def digests(backbone: Backbone) -> twin.Digests:
    """The digests of features, parameters and logits in every world."""
    exam = BackboneExam(backbone)
    steps = _EVERYWHERE if backbone.gradient else (parts.check_features, estimators.check_estimator)
    with one_thread():
        for world in suitable(backbone.accepts):
            try:
                for step in steps:
                    step(exam, world)
            except Stopped:  # the main process notes failures
                continue
    return {key: twin.digest(result) for key, result in exam.results.items()}
