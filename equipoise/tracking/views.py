"""The saved views of an experiment: which runs MLflow's page shows, in which order, with which columns.

MLflow keeps such a view in an experiment tag: JSON with its name, times, and the state of the page as JSON in a string.
"""

from __future__ import annotations

import json
from typing import Any

from equipoise.tracking.levels import CELL, LEVEL, STRATEGY

#: How MLflow's tags for saved views begin; the rest is the id in the address of the page.
PREFIX = "mlflow.sharedViewState."
WHO_WON, CELLS, COST = "who-won", "cells", "cost"


def saved_views(created: int) -> dict[str, str]:
    """The experiment tags of the views; `created` is in ms since the epoch."""
    return {
        f"{PREFIX}{WHO_WON}": _view(
            "Who won",
            created,
            STRATEGY,
            "metrics.`scores/map`",
            columns=(
                "metrics.`rank`",
                "metrics.`scores/map`",
                "metrics.`tuned/macro_f1`",
                "tags.`versus none`",
                "metrics.`gain/map`",
                "metrics.`gain/tuned_macro_f1`",
                "metrics.`fixed/macro_f1`",
                "metrics.`splits`",
                "tags.`backbone`",
            ),
        ),
        f"{PREFIX}{CELLS}": _view(
            "Cells",
            created,
            CELL,
            "metrics.`scores/map`",
            columns=(
                "metrics.`scores/map`",
                "metrics.`tuned/macro_f1`",
                "metrics.`fixed/macro_f1`",
                "metrics.`cost/seconds_total`",
                "tags.`why`",
            ),
        ),
        f"{PREFIX}{COST}": _view(
            "Cost",
            created,
            STRATEGY,
            "metrics.`cost/seconds_per_cell`",
            columns=(
                "metrics.`cost/seconds_per_cell`",
                "metrics.`cost/seconds_search`",
                "metrics.`cost/seconds_refit`",
                "metrics.`cost/steps`",
                "metrics.`scores/map`",
                "metrics.`tuned/macro_f1`",
                "tags.`backbone`",
            ),
            ascending=True,
        ),
    }


def _view(
    name: str, created: int, level: str, order: str, *, columns: tuple[str, ...], ascending: bool = False
) -> str:
    state: dict[str, Any] = {
        "searchFilter": f"tags.`{LEVEL}` = '{level}'",
        "orderByKey": order,
        "orderByAsc": ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns),
        "columnOrder": list(columns),
        "columnWidths": {column: _width(column) for column in columns},
        "viewMaximized": False,
        "runListHidden": False,
    }
    # Times that never change: MLflow marks a view that a user has saved again by a later `updatedAt`.
    return json.dumps({"name": name, "createdAt": created, "updatedAt": created, "state": json.dumps(state)})


def _width(column: str) -> int:
    """The width of a column in pixels: its name and a few words or digits fit into it."""
    words = {"tags.`versus none`": 170, "tags.`why`": 300, "metrics.`rank`": 60, "metrics.`splits`": 60}
    return words.get(column, 40 + 11 * len(column.partition(".")[2]) // 2)
