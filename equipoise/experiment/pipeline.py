"""The pipeline of one cell (dataset × backbone × strategy × outer split), from the data to the row, top to bottom."""

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
    """Run a cell; return its row, and the predictions to store with it.

    Args:
        report: called with the finished share of the cell, 0..1.
    """
    from equipoise.engine.device import repeatable, resolve

    with repeatable(resolve(cell.device)):
        return run_one(cell_steps(cell, data, report))


def cell_steps(
    cell: Cell, data: Dataset, report: Callable[[float], None] | None = None
) -> TrainingCoroutine[Result]:
    """Run a cell as a coroutine that yields the trainings it needs (`equipoise.engine.scheduler`).

    Test rows are read after everything is chosen. All randomness comes from streams named by the cell's role.
    """
    from equipoise.catalog.backbones import get_backbone
    from equipoise.catalog.registry import registry
    from equipoise.catalog.strategies import get_strategy, with_params
    from equipoise.engine.device import resolve
    from equipoise.experiment.cross_validation import CrossValidator
    from equipoise.experiment.decision import fit_decision_rule
    from equipoise.experiment.prepared import prepared
    from equipoise.experiment.record import cost_of, predictions, row_of
    from equipoise.experiment.search import search
    from equipoise.experiment.versions import require_planned_code

    if cell.plugin is not None:
        registry("strategy").add_file(cell.plugin)
    device = resolve(cell.device)
    strategy, backbone = get_strategy(cell.strategy), get_backbone(cell.backbone)
    require_planned_code(cell.code, strategy, backbone)
    ready = prepared(cell, data, backbone)
    began = time.perf_counter()  # after what all strategies share, which counts for none of them
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
    model = yield from bench.refitting(found.params, found.outcome.steps)
    clock.append(bench.work.spent(began))
    # The test rows are read here for the first time: nothing is chosen after this line.
    logits = bench.predict([model], ready.test_inputs.to(device), [np.arange(len(ready.test))])[0]
    kept = predictions(ready, found, decider, logits)
    clock.append(bench.work.spent(began))
    require_planned_code(cell.code, strategy, backbone, ran=True)  # a hook may have imported code just now
    return row_of(cell, ready, found, model, kept, cost_of(clock, bench.work, ready)), kept
