"""Checks of a strategy as a whole: a short training, alone and at the settings `off`, and a second process."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import with_params
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.hyperparameters import bind
from equipoise.contracts.strategy import REPRESENTATION, Strategy
from equipoise.core.errors import EquipoiseError
from equipoise.engine.scheduler import Trainer, run_one
from equipoise.experiment.cross_validation import CrossValidator
from equipoise.experiment.decision import fit_decision_rule
from equipoise.experiment.heads import FoldNetworks, refitted_logits
from equipoise.experiment.settings import Settings
from equipoise.ops.inputs import Dense
from equipoise.splits.outer import stratified_folds
from equipoise.testing import twin
from equipoise.testing.exam import Exam, Stopped, quietly
from equipoise.testing.worlds import World, worlds

SETTINGS = Settings(trials=1, folds=2, epochs=2)  # the smallest cell that goes through every step


def check_training(exam: Exam) -> None:
    """Check that a short training succeeds, and that it equals training without a strategy at the settings `off`."""
    if "text" in exam.strategy.requires:  # the backbone used here takes numbers
        return
    world = worlds()["usual"]
    # Imports the engine, whose side effects are not the strategy's.
    backbone = _backbone(exam.strategy)
    quietly(lambda: trained(Strategy(), world, backbone))
    try:
        out = exam.run("training", world.name, lambda: _trained(exam, world, backbone))
    except Stopped:
        return
    valid = all(np.isfinite(z).all() and z.ndim == 2 and z.shape[1] == world.n_labels for z in out.values())
    exam.findings.demand(
        valid, "trains", "training", world.name, "logits are not finite or have the wrong shape"
    )
    if exam.strategy.off is not None:
        _check_off(exam, world)


def _trained(exam: Exam, world: World, backbone: Backbone) -> dict[str, np.ndarray]:
    try:
        return trained(exam.strategy, world, backbone)
    except Exception as error:
        # The engine refuses what a hook must not return, and the fault of the hook has been noted already.
        if exam.unusable or (isinstance(error, EquipoiseError) and exam.findings.all()):
            raise Stopped from error
        raise


def _check_off(exam: Exam, world: World) -> None:
    off = dict(exam.strategy.off or {})
    unknown = set(off) - {f.name for f in dataclasses.fields(exam.strategy)}
    if not exam.findings.demand(
        not unknown, "off", "strategy", "", f"`off` sets {sorted(unknown)}, which are not fields"
    ):
        return
    try:
        backbone = _backbone(exam.strategy)
        off_results = exam.run(
            "training", world.name, lambda: trained(bind(exam.strategy, off), world, backbone)
        )
    except Stopped:
        return
    baseline = trained(Strategy(), world, backbone)
    for name, value in baseline.items():
        exam.findings.demand(
            off_results[name].tobytes() == value.tobytes(),
            "off",
            "training",
            world.name,
            f"{name} differ from those without a strategy",
        )


def _backbone(strategy: Strategy) -> Backbone:
    """The simplest backbone on which a strategy runs."""
    name = "mlp" if any(REPRESENTATION in part.needs for part in strategy.parts) else "linear"
    backbone: Backbone = registry("backbone").get(name)()
    return backbone


def trained(
    strategy: Strategy,
    world: World,
    backbone: Backbone | None = None,
    settings: Settings = SETTINGS,
    C: float = 10.0,
) -> dict[str, np.ndarray]:
    """The results of a small cell, with the linear backbone if no other is given: out-of-fold logits, test scores, decisions.

    It goes through all steps of a cell: cross-validation, fitting the decision, refitting and predicting.
    """
    from equipoise.ops.device import repeatable

    cpu = torch.device("cpu")
    backbone = backbone or registry("backbone").get("linear")()
    X = np.asarray(world.shared[world.index])
    # The same role for every strategy: equal random streams are what makes `off` comparable bit for bit.
    role, folds = ("conformance",), stratified_folds(world.Y, settings.folds, 0)
    with repeatable(cpu):
        inputs = Dense(torch.from_numpy(X))
        validator = CrossValidator(
            strategy,
            backbone,
            X,
            None,
            world.Y,
            folds,
            role,
            settings,
            Trainer(inputs, settings.batch_size, cpu),
        )
        params = {"lr": 0.05, "C": C}
        result = run_one(validator.cross_validate([params]))[0]
        assert result is not None
        oof = result.logits
        if "head" in strategy.stages:
            oof = FoldNetworks.of(validator, result).out_of_fold(strategy)
        rule = fit_decision_rule(with_params(strategy, params), oof, world.Y, folds, role)
        model = run_one(validator.refit(params))
        test = Dense(torch.from_numpy(np.delete(world.shared, world.index, axis=0)))
        task_logits = validator.task_logits([model], test, [np.arange(len(test))])[0]
        logits, votes = validator.merge(model, task_logits), validator.vote(model, task_logits)
        if "head" in strategy.stages:
            logits = refitted_logits(strategy, validator, model, test, logits)
        predictions = rule.all(logits, votes)
    return {
        "out-of-fold logits": oof,
        **predictions,
    }


@contextmanager
def repeated_elsewhere(exam: Exam) -> Iterator[None]:
    """Let a second process call the hooks during the block, and note where its results differ from this process's."""
    # The loss is left out: `loss_stage` keeps no results of it to compare with.
    asked = bool(set(exam.strategy.stages) - {"loss"}) and twin.ask(exam.strategy)
    yield
    digests = (twin.answer() if asked else None) or {}
    for (hook, world), result in exam.results.items():
        if (hook, world) in digests:
            equal = digests[(hook, world)] == twin.digest(result)
            exam.findings.demand(
                equal, "deterministic", hook, world, "another process gives a different result"
            )
