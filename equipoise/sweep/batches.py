"""Cells that are run side by side, so that one population trains the lanes of several strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.catalog.backbones import get_backbone
from equipoise.contracts.dataset import Dataset
from equipoise.engine.scheduler import run_many
from equipoise.experiment import pipeline
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import run_cell, trainer_for
from equipoise.experiment.prepared import Preparations
from equipoise.ops.device import repeatable, resolve
from equipoise.sweep.grouping import follows

Result = tuple[dict[str, Any], dict[str, np.ndarray] | None]


def attempt(
    cells: Sequence[Cell],
    data: Mapping[str, Dataset],
    preparations: Preparations,
    report: Callable[[Cell, float], None] = lambda cell, share: None,
) -> Iterator[tuple[Cell, Result]]:
    """Run cells side by side: each with its row and predictions as it ends; whatever goes wrong becomes a failed row."""
    ordered = sorted(cells, key=follows)  # the first to ask for a training is who paid for it
    by_key = {cell.key: cell for cell in ordered}
    with repeatable(resolve(cells[0].device)):
        running = {
            key: _prepared_and_run(cell, data[cell.dataset], preparations, _reporter(cell, report))
            for key, cell in by_key.items()
        }
        for key, ended in run_many(running):
            cell = by_key[key]
            yield cell, (failed(cell, ended), None) if isinstance(ended, Exception) else ended


async def _prepared_and_run(
    cell: Cell, data: Dataset, preparations: Preparations, report: Callable[[float], None]
) -> pipeline.Result:
    """Prepares inside the coroutine, so that data which cannot be prepared fail this cell and no other."""
    prepared = preparations.of(cell, data, get_backbone(cell.backbone))
    return await run_cell(cell, prepared, trainer_for(cell, prepared), report)


def failed(cell: Cell, error: BaseException) -> dict[str, Any]:
    """The row of a cell that ended with an exception."""
    import traceback

    line = f"{type(error).__name__}: {' '.join(str(error).split())}"
    trace = "".join(traceback.format_exception(error))
    return cell.row("failed", error=line, traceback=trace)


def _reporter(cell: Cell, report: Callable[[Cell, float], None]) -> Callable[[float], None]:
    return lambda share: report(cell, share)
