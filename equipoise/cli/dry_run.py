"""`equipoise run --dry-run`: what would be run, what is skipped and why, and what it will cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from equipoise.experiment.cell import Cell
    from equipoise.sweep.plan import Plan
    from equipoise.sweep.workers import Workers


def tell(console: Console, plan: Plan, todo: Sequence[Cell]) -> None:
    """For people: a line for each cell, and the price of those that are left."""
    _listed(console, plan, {c.key for c in todo})
    _price(console, plan, todo)


def where(cell: Cell) -> str:
    """A cell in words."""
    from equipoise.splits.outer import split_name

    return f"{cell.dataset} · {cell.backbone} · {cell.strategy} · {split_name(cell.split)}"


def _listed(console: Console, plan: Plan, todo: set[str]) -> None:
    for cell in plan.cells:
        console.print(f"{'run' if cell.key in todo else 'there':6} {where(cell)}", markup=False)
    for cell, reason in plan.skipped:
        console.print(f"skip   {where(cell)}: {reason}", markup=False)


def as_data(plan: Plan, todo: Sequence[Cell], hands: Workers, results: Path) -> dict[str, Any]:
    """The plan for programs: every cell with what becomes of it, every pair that is skipped with its reason."""
    from equipoise.sweep.estimate import core_hours
    from equipoise.sweep.plan import describe

    left = {cell.key for cell in todo}
    hours, unknown = core_hours(todo, plan.data)
    return {
        "cells": [{**_named(c), "state": "run" if c.key in left else "there"} for c in plan.cells],
        "skipped": [{**_named(c), "reason": reason} for c, reason in plan.skipped],
        "trainings": describe(plan)["trainings"],
        "to_run": {
            **{k: v for k, v in describe(replace(plan, cells=tuple(todo))).items() if k != "skipped"},
            "core_hours": hours,
            "cells_of_unknown_speed": unknown,
        },
        "workers": {"count": hands.count, "why": hands.why},
        "results": str(results),
    }


def _named(cell: Cell) -> dict[str, Any]:
    names = ("dataset", "backbone", "strategy", "split", "seed", "device", "key")
    return {name: getattr(cell, name) for name in names}


def _price(console: Console, plan: Plan, todo: Sequence[Cell]) -> None:
    """What the cells that are left will cost, roughly."""
    from equipoise.sweep.estimate import core_hours, in_words

    if todo:
        price = in_words(*core_hours(todo, plan.data))
        console.print(f"estimated cost: {price}; a rough guess (equipoise time measures it)", markup=False)
