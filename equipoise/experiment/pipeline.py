"""The pipeline of one cell (dataset × backbone × strategy × outer split), from the data to the row, top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.equalities import equalities
from equipoise.catalog.lookup import load_plugins
from equipoise.catalog.strategies import get_strategy, with_params
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.strategy import Strategy
from equipoise.engine.scheduler import Trainer, run_one
from equipoise.experiment.budget import edges
from equipoise.experiment.cell import Cell
from equipoise.experiment.cross_validation import CrossValidator, FittedModel
from equipoise.experiment.decision import fit_decision_rule
from equipoise.experiment.external import External, external_of
from equipoise.experiment.heads import refitted_logits
from equipoise.experiment.prepared import Prepared, prepare
from equipoise.experiment.record import cost_of, predictions, row_of
from equipoise.experiment.search.trials import SearchResult, search, search_space
from equipoise.experiment.versions import require_planned_code
from equipoise.ops.device import repeatable, resolve

CellResult: TypeAlias = "tuple[dict[str, Any], dict[str, np.ndarray]]"
Report: TypeAlias = "Callable[[float], None] | None"


async def run_cell(cell: Cell, prepared: Prepared, trainer: Trainer, report: Report = None) -> CellResult:
    """Run a cell from its data to its row; returns the row and the predictions to store with it.

    A coroutine: it awaits each training, so that many cells can be trained side by side. The test rows are read only after
    everything has been chosen. All randomness comes from streams named by the cell's role.

    Args:
        prepared: the cell's split, features and folds. trainer: trains on the rows of `prepared`.
        report: called with the finished share of the search, 0 to 1.
    """
    strategy = _strategy(cell)
    require_planned_code(cell.code, strategy, prepared.backbone)
    # Before the training, so that a mistake in a plugin's declaration costs no time.
    same_as = equalities(strategy, prepared.backbone, prepared.Y.shape[1])
    began = time.perf_counter()
    external = external_of(strategy, cell, prepared)
    spent = time.perf_counter() - began
    if external is not None:
        trainer = replace(trainer, inputs=external.on(trainer.device))
    validator = _validator(strategy, cell, prepared, trainer, external)
    # The clock starts after the preparation: all strategies share it, so it is no strategy's cost; external rows are.
    began = time.perf_counter() - spent
    result, models, clock = await _fit(validator, report, began)
    arrays = _evaluate(strategy, validator, prepared, result, models)
    clock.append(trainer.cost.spent(began))
    # Checked again, because a hook may import a module only when it is called.
    require_planned_code(cell.code, strategy, prepared.backbone, ran=True)
    # Recorded for the report, which warns if the budget or a range decided what the search chose.
    at_edges = edges(search_space(validator), result.params)
    cost = cost_of(clock, trainer.cost, prepared)
    return row_of(cell, prepared, result, models[0], arrays, at_edges, same_as, cost), arrays


def run_alone(cell: Cell, data: Dataset, report: Report = None) -> CellResult:
    """Prepare one cell and run it by itself."""
    device = resolve(cell.device)
    with repeatable(device):
        load_plugins(cell.places)
        prepared = prepare(cell, data, get_backbone(cell.backbone))
        return run_one(run_cell(cell, prepared, trainer_for(cell, prepared), report))


def trainer_for(cell: Cell, prepared: Prepared) -> Trainer:
    """A trainer for one cell; trainers with the same `prepared` share its inputs, so their lanes can be trained together."""
    device = resolve(cell.device)
    return Trainer(prepared.on(device), cell.settings.batch_size, device)


def _strategy(cell: Cell) -> Strategy:
    # A worker process knows no plugins but those of its cells.
    load_plugins(cell.places)
    return get_strategy(cell.strategy)


def _validator(
    strategy: Strategy, cell: Cell, prepared: Prepared, trainer: Trainer, external: External | None
) -> CrossValidator:
    return CrossValidator(
        strategy,
        prepared.backbone,
        prepared.feature_array if external is None else external.feature_array,
        prepared.nominal,
        prepared.Y,
        prepared.folds,
        prepared.role,
        cell.settings,
        trainer,
        external,
        prepared.train_groups,
    )


async def _fit(
    validator: CrossValidator, report: Report, began: float
) -> tuple[SearchResult, list[FittedModel], list[float]]:
    """Search, then train the winner on all training rows, once or several times; returns both with the clock after each."""
    result = await search(validator, report)
    clock = [validator.trainer.cost.spent(began)]
    models = await validator.refits(result.params, validator.settings.repeats)
    return result, models, [*clock, validator.trainer.cost.spent(began)]


def _evaluate(
    strategy: Strategy,
    validator: CrossValidator,
    prepared: Prepared,
    result: SearchResult,
    models: Sequence[FittedModel],
) -> dict[str, np.ndarray]:
    """Fit the decisions on out-of-fold logits, then predict and decide the test rows; returns the arrays to store."""
    chosen = with_params(strategy, result.params)
    # Only these rows were held out and have logits.
    oof, Y = result.cv.logits[result.rows], validator.Y[result.rows]
    rule = fit_decision_rule(chosen, oof, Y, result.folds, validator.role)
    # The test rows are read here for the first time: nothing is chosen after this line.
    inputs = prepared.test_inputs.to(validator.trainer.device)
    by_model = validator.task_logits(models, inputs, [np.arange(len(prepared.test)) for _ in models])
    decided = []
    for model, task_logits in zip(models, by_model, strict=True):
        logits, votes = validator.merge(model, task_logits), validator.vote(model, task_logits)
        if "head" in strategy.stages:
            logits = refitted_logits(chosen, validator, model, inputs, logits)
        decided.append(rule.all(logits, votes))
    return predictions(prepared, result, rule, decided)
