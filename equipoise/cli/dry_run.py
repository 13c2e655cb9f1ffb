"""The plan of `equipoise run`, before it runs: the cells, what is skipped and why, and what it will cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from equipoise.contracts.dataset import Dataset
from equipoise.experiment.cell import Cell
from equipoise.splits.outer import OFFICIAL, official_split, split_name
from equipoise.sweep.estimate import core_hours, in_words
from equipoise.sweep.plan import Plan, describe
from equipoise.sweep.worker_count import Workers


def cell_in_words(cell: Cell) -> str:
    """ "yeast · mlp · focal · split 0"."""
    return f"{cell.dataset} · {cell.backbone} · {cell.strategy} · {split_name(cell.split)}"


def print_summary(console: Console, plan: Plan, todo: int, workers: str, results: Path) -> None:
    """Print the notes of the loaders about the data, and the size of the sweep in one line."""
    # No markup anywhere: rich would take the brackets of a spec for its own.
    for data in plan.data.values():
        for note in data.notes:
            console.print(f"{data.name}: {note}", style="dim", markup=False)
    for name in dict.fromkeys(cell.dataset for cell in plan.cells if cell.split == OFFICIAL):
        console.print(f"{name}: {_official(plan.data[name])}", style="dim", markup=False)
    counts = describe(plan)
    console.print(
        f"{counts['cells']} cells ({len(plan.cells) - todo} there already), {counts['trainings']} trainings, "
        f"{counts['skipped']} skipped; {workers}; results in {results}",
        markup=False,
    )


def print_cells(console: Console, plan: Plan, todo: Sequence[Cell]) -> None:
    """Print a line for each cell, and the estimated cost of the cells that are still to run."""
    keys = {c.key for c in todo}
    for cell in plan.cells:
        console.print(f"{'run' if cell.key in keys else 'there':6} {cell_in_words(cell)}", markup=False)
    for cell, reason in plan.skipped:
        console.print(f"skip   {cell_in_words(cell)}: {reason}", markup=False)
    if todo:
        price = in_words(*core_hours(todo, plan.data))
        console.print(f"estimated cost: {price}; a rough guess (equipoise time measures it)", markup=False)


def as_data(plan: Plan, todo: Sequence[Cell], workers: Workers, results: Path) -> dict[str, Any]:
    """The plan for programs: every cell with its state, every skipped pair with its reason."""
    keys = {cell.key for cell in todo}
    hours, unknown = core_hours(todo, plan.data)
    # As if the cells that are still to run were the whole plan.
    counts = describe(replace(plan, cells=tuple(todo)))
    return {
        "cells": [{**_named(c), "state": "run" if c.key in keys else "there"} for c in plan.cells],
        "skipped": [{**_named(c), "reason": reason} for c, reason in plan.skipped],
        "trainings": describe(plan)["trainings"],
        "to_run": {
            **{k: v for k, v in counts.items() if k != "skipped"},
            "core_hours": hours,
            "cells_of_unknown_speed": unknown,
        },
        "workers": {"count": workers.count, "why": workers.why},
        "results": str(results),
    }


def _named(cell: Cell) -> dict[str, Any]:
    names = ("dataset", "backbone", "strategy", "split", "seed", "device", "key")
    return {name: getattr(cell, name) for name in names}


def _official(data: Dataset) -> str:
    train, test = official_split(data.official)
    return f"the official split, {len(train)} rows to train and tune on, {len(test)} to test on"
