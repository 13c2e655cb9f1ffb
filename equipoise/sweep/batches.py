"""Cells that are run side by side, so that one population trains the lanes of several strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from equipoise.catalog.backbones import get_backbone
from equipoise.contracts.dataset import Dataset
from equipoise.engine.scheduler import run_many
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import cell_steps

Result = tuple[dict[str, Any], dict[str, np.ndarray] | None]
#: Lanes that a group asks for at a time, at least, where there are cells enough.
LANES = 64


def groups(cells: Iterable[Cell], workers: int = 1) -> list[tuple[Cell, ...]]:
    """Neighbours in the plan with the same data, backbone, split and settings, a few at a time.

    Backbones whose lanes run one after the other gain nothing, and no worker is to wait while another has several: then
    each cell is by itself, or groups are smaller.
    """
    alike = [tuple(own) for _, own in groupby(cells, _kind)]
    most = max(1, sum(map(len, alike)) // workers)
    return [part for own in alike for part in _parts(own, min(most, _size(own[0])))]


def attempt(
    cells: Sequence[Cell],
    data: Mapping[str, Dataset],
    report: Callable[[Cell, float], None] = lambda cell, share: None,
) -> Iterator[tuple[Cell, Result]]:
    """Run cells side by side: each with its row and predictions as it ends; whatever goes wrong becomes a failed row."""
    from equipoise.engine.device import repeatable, resolve

    by_key = {cell.key: cell for cell in cells}
    with repeatable(resolve(cells[0].device)):
        steps = {key: cell_steps(c, data[c.dataset], _reporter(c, report)) for key, c in by_key.items()}
        for key, ended in run_many(steps):
            cell = by_key[key]
            yield cell, (failed(cell, ended), None) if isinstance(ended, Exception) else ended


def failed(cell: Cell, error: BaseException) -> dict[str, Any]:
    """The row of a cell that ended with an exception."""
    import traceback

    line = f"{type(error).__name__}: {' '.join(str(error).split())}"
    trace = "".join(traceback.format_exception(error))
    return cell.row("failed", error=line, traceback=trace)


def _parts(cells: tuple[Cell, ...], size: int) -> list[tuple[Cell, ...]]:
    return [cells[at : at + size] for at in range(0, len(cells), size)]


def _kind(cell: Cell) -> tuple[object, ...]:
    return cell.dataset, cell.backbone, cell.split, cell.seed, cell.settings, cell.device


def _size(cell: Cell) -> int:
    s = cell.settings
    asked = min(s.trial_batch, s.trials) * s.folds
    backbone = get_backbone(cell.backbone)
    stacks = backbone.batched or (backbone.batched_on_cuda and cell.device == "cuda")
    return max(1, -(-LANES // asked)) if stacks else 1


def _reporter(cell: Cell, report: Callable[[Cell, float], None]) -> Callable[[float], None]:
    return lambda share: report(cell, share)
