"""A plan as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.cell import Cell
    from equipoise.plan import Plan


def as_data(plan: Plan, todo: Sequence[Cell], workers: int) -> str:
    """JSON: the counts, what it will cost, each cell with its state (run, there or skip), and why cells are skipped."""
    from equipoise.cost import core_hours
    from equipoise.plan import describe

    keys = {cell.key for cell in todo}
    hours, unknown = core_hours(todo, plan.data)
    cells = [_cell(cell, "run" if cell.key in keys else "there") for cell in plan.cells]
    cells += [{**_cell(cell, "skip"), "reason": reason} for cell, reason in plan.skipped]
    told = {
        **describe(plan),
        "to_run": len(todo),
        "workers": workers,
        "core_hours": hours,
        "cells_of_unknown_cost": unknown,
        "notes": {name: list(data.notes) for name, data in plan.data.items()},
        "plan": cells,
    }
    return json.dumps(told, indent=2)


def _cell(cell: Cell, state: str) -> dict[str, Any]:
    names = ("key", "dataset", "backbone", "strategy", "split", "seed")
    return {"state": state, **{n: getattr(cell, n) for n in names}}
