"""Runs cells side by side, so that one population trains the lanes of several strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.lookup import load_plugins
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError, one_line, trace_of
from equipoise.engine.scheduler import run_many
from equipoise.experiment import pipeline
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import run_cell, trainer_for
from equipoise.experiment.prepared import Preparations
from equipoise.ops.device import repeatable, resolve
from equipoise.sweep.grouping import adds_decision

Result = tuple[dict[str, Any], dict[str, np.ndarray] | None]


def attempt(
    cells: Sequence[Cell],
    data: Mapping[str, Dataset],
    preparations: Preparations,
    report: Callable[[Cell, float], None] = lambda cell, share: None,
) -> Iterator[tuple[Cell, Result]]:
    """Run cells side by side; yields each with its row and predictions when it ends. Any exception in a cell is a failed row."""
    # The first cell that requests a training bears its cost, so the plain strategies come before those that reuse theirs.
    ordered = sorted(cells, key=adds_decision)
    by_key = {cell.key: cell for cell in ordered}
    with repeatable(resolve(cells[0].device)):
        running = {
            key: _prepare_and_run(cell, data[cell.dataset], preparations, _reporter(cell, report))
            for key, cell in by_key.items()
        }
        for key, ended in run_many(running):
            cell = by_key[key]
            yield cell, (failed(cell, ended), None) if isinstance(ended, BaseException) else ended


async def _prepare_and_run(
    cell: Cell, data: Dataset, preparations: Preparations, report: Callable[[float], None]
) -> pipeline.CellResult:
    """Prepare and run a cell. Preparing inside the coroutine lets data that cannot be prepared fail this cell alone."""
    try:
        load_plugins(cell.places)
    except EquipoiseError as error:
        # It was loaded for the plan. Whoever saves a file may leave it half written for a moment.
        raise EquipoiseError(
            f"{error}; if it has changed after this cell was planned, the same command runs it anew"
        ) from error
    prepared = preparations.of(cell, data, get_backbone(cell.backbone))
    return await run_cell(cell, prepared, trainer_for(cell, prepared), report)


def failed(cell: Cell, error: BaseException) -> dict[str, Any]:
    """The row of a cell that ended with an exception."""
    return cell.row("failed", error=one_line(error), traceback=trace_of(error))


def in_words(cells: Sequence[Cell]) -> str:
    """The names of cells, for a log."""
    return ", ".join(f"{c.dataset} · {c.backbone} · {c.strategy} · split {c.split}" for c in cells)


def _reporter(cell: Cell, report: Callable[[Cell, float], None]) -> Callable[[float], None]:
    # A function of its own, because a lambda in a comprehension would see only the last cell.
    return lambda share: report(cell, share)
