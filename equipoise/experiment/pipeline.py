"""One cell, dataset × backbone × strategy × outer split, from data to a row: the pipeline, top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.engine.scheduler import TrainingCoroutine, run_one
from equipoise.experiment.cell import Cell

Result: TypeAlias = "tuple[dict[str, Any], dict[str, np.ndarray]]"


def run_cell(cell: Cell, data: Dataset, report: Callable[[float], None] | None = None) -> Result:
    """Run a cell: its row, and the predictions to keep beside it.

    Args:
        report: called with the share that is done, 0..1.
    """
    from equipoise.ops.device import repeatable, resolve

    with repeatable(resolve(cell.device)):
        return run_one(cell_steps(cell, data, report))


def cell_steps(
    cell: Cell, data: Dataset, report: Callable[[float], None] | None = None
) -> TrainingCoroutine[Result]:
    """A cell from data to row, asking for the trainings it needs (`equipoise.engine.scheduler`).

    Test rows are read after everything is chosen. All randomness comes from streams named by the cell's role.
    """
    from equipoise.catalog.backbones import get_backbone
    from equipoise.catalog.registry import registry
    from equipoise.catalog.strategies import get_strategy, with_params
    from equipoise.experiment.budget import edges
    from equipoise.experiment.cross_validation import CrossValidator
    from equipoise.experiment.decision import fit_decision_rule
    from equipoise.experiment.prepared import prepared
    from equipoise.experiment.record import cost_of, predictions, row_of
    from equipoise.experiment.search import search, search_space
    from equipoise.experiment.versions import require_planned_code
    from equipoise.ops.device import resolve

    if cell.plugin is not None:
        registry("strategy").add_file(cell.plugin)
    device = resolve(cell.device)
    strategy, backbone = get_strategy(cell.strategy), get_backbone(cell.backbone)
    require_planned_code(cell.code, strategy, backbone)
    ready = prepared(cell, data, backbone)
    began = time.perf_counter()  # what all strategies share is no strategy's cost
    bench = CrossValidator(
        strategy,
        backbone,
        ready.on(device),
        ready.averaged,
        ready.nominal,
        ready.Y,
        ready.folds,
        ready.role,
        cell.settings,
        device,
    )
    clock: list[float] = []
    found = yield from search(bench, report)
    clock.append(bench.work.spent(began))
    oof = found.outcome.logits[found.rows]
    chosen = with_params(strategy, found.params)
    decider = fit_decision_rule(chosen, oof, bench.Y[found.rows], found.folds, bench.role)
    model = yield from bench.refitting(found.params)
    clock.append(bench.work.spent(began))
    logits = bench.predict([model], ready.test_inputs.to(device), [np.arange(len(ready.test))])[0]
    kept = predictions(ready, found, decider, logits)
    clock.append(bench.work.spent(began))
    require_planned_code(cell.code, strategy, backbone, ran=True)
    at_edges = edges(search_space(bench), found.params)
    return row_of(cell, ready, found, model, kept, at_edges, cost_of(clock, bench.work, ready)), kept
