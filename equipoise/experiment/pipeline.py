"""The pipeline of one cell (dataset × backbone × strategy × outer split), from the data to the row, top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy, with_params
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.strategy import Strategy
from equipoise.engine.scheduler import Trainer, run_one
from equipoise.experiment.budget import edges
from equipoise.experiment.cell import Cell
from equipoise.experiment.cross_validation import CrossValidator, FittedModel
from equipoise.experiment.decision import fit_decision_rule
from equipoise.experiment.prepared import Prepared, prepare
from equipoise.experiment.record import cost_of, predictions, row_of
from equipoise.experiment.search import Found, search, search_space
from equipoise.experiment.versions import require_planned_code
from equipoise.ops.device import repeatable, resolve

Result: TypeAlias = "tuple[dict[str, Any], dict[str, np.ndarray]]"
Report: TypeAlias = "Callable[[float], None] | None"


async def run_cell(cell: Cell, prepared: Prepared, trainer: Trainer, report: Report = None) -> Result:
    """A cell from data to its row, and the predictions to keep beside it; it awaits the trainings that it needs.

    Test rows are read after everything is chosen. All randomness comes from streams named by the cell's role.

    Args:
        prepared: the cell's split, features and folds. trainer: trains on `prepared`'s rows.
        report: called with the share of the search that is done, 0..1.
    """
    strategy = _strategy(cell)
    require_planned_code(cell.code, strategy, prepared.backbone)
    validator = _validator(strategy, cell, prepared, trainer)
    began = time.perf_counter()  # what all strategies share is no strategy's cost
    found, model, clock = await _fit(validator, report, began)
    kept = _evaluate(strategy, validator, prepared, found, model)
    clock.append(trainer.cost.spent(began))
    require_planned_code(
        cell.code, strategy, prepared.backbone, ran=True
    )  # a hook may have imported code just now
    at_edges = edges(search_space(validator), found.params)
    cost = cost_of(clock, trainer.cost, prepared)
    return row_of(cell, prepared, found, model, kept, at_edges, cost), kept


def run_alone(cell: Cell, data: Dataset, report: Report = None) -> Result:
    """Prepare one cell and run it beside no other."""
    device = resolve(cell.device)
    with repeatable(device):
        prepared = prepare(cell, data, get_backbone(cell.backbone))
        return run_one(run_cell(cell, prepared, trainer_for(cell, prepared), report))


def trainer_for(cell: Cell, prepared: Prepared) -> Trainer:
    """A trainer for one cell; trainers of one `prepared` share its inputs, so that their lanes can train together."""
    device = resolve(cell.device)
    return Trainer(prepared.on(device), cell.settings.batch_size, device)


def _strategy(cell: Cell) -> Strategy:
    if cell.plugin is not None:
        registry("strategy").add_file(cell.plugin)
    return get_strategy(cell.strategy)


def _validator(strategy: Strategy, cell: Cell, prepared: Prepared, trainer: Trainer) -> CrossValidator:
    return CrossValidator(
        strategy,
        prepared.backbone,
        prepared.averaged,
        prepared.nominal,
        prepared.Y,
        prepared.folds,
        prepared.role,
        cell.settings,
        trainer,
    )


async def _fit(
    validator: CrossValidator, report: Report, began: float
) -> tuple[Found, FittedModel, list[float]]:
    """Search, then train the winner on all training rows; and the seconds since the cell began after each."""
    found = await search(validator, report)
    clock = [validator.trainer.cost.spent(began)]
    model = await validator.refit(found.params)
    return found, model, [*clock, validator.trainer.cost.spent(began)]


def _evaluate(
    strategy: Strategy, validator: CrossValidator, prepared: Prepared, found: Found, model: FittedModel
) -> dict[str, np.ndarray]:
    """Fit the decisions on out-of-fold rows, then read the test rows and decide them."""
    chosen = with_params(strategy, found.params)
    oof, Y = found.outcome.logits[found.rows], validator.Y[found.rows]
    decider = fit_decision_rule(chosen, oof, Y, found.folds, validator.role)
    # The test rows are read here for the first time: nothing is chosen after this line.
    inputs = prepared.test_inputs.to(validator.trainer.device)
    logits = validator.predict([model], inputs, [np.arange(len(prepared.test))])[0]
    return predictions(prepared, found, decider, logits)
