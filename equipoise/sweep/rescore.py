"""`equipoise rescore`: the metrics of stored predictions computed anew, without training.

A row says by which code its metrics were made. Where that is no longer the code at hand, a row with the same key, the same
predictions and new metrics is appended; the last row of a key counts. So a rescore that is killed loses nothing, and the next
one does what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from equipoise.core.errors import EquipoiseError
from equipoise.experiment import versions
from equipoise.experiment.evaluation import evaluate
from equipoise.store.store import Store
from equipoise.tracking.writer import MlflowWriter


@dataclass
class Rescored:
    """What a rescore did: rows with new metrics, rows whose metrics were current, rows it could not do, a line each."""

    rescored: int = 0
    current: int = 0
    problems: list[str] = field(default_factory=list)


def stale(row: Mapping[str, Any]) -> bool:
    """Whether a row has metrics, and other code than this made them."""
    return row["status"] == "ok" and row.get("metrics_code") != versions.metrics_code()


def rescore(
    store: Store,
    *,
    on_row: Callable[[int, int], None] = lambda done, total: None,
    on_problem: Callable[[str], None] = lambda line: None,
) -> Rescored:
    """Bring the metrics of all rows of a store up to date, and MLflow after them. Failed and skipped rows have none.

    Args:
        on_row: called with the number of rows done and of all that are to be done.
        on_problem: called with one line for each row that cannot be done, and for what is wrong with MLflow.

    Raises:
        EquipoiseError: there is no store, or another process is writing to it.
    """
    if not store.rows_file.is_file():
        raise EquipoiseError(f"no rows in {store.path}: equipoise run writes them, --results says where")
    done = Rescored()
    with store.locked():
        rows = [row for row in store.rows() if row["status"] == "ok"]
        outdated = [row for row in rows if stale(row)]
        done.current = len(rows) - len(outdated)
        writer = MlflowWriter(store, on_problem)
        try:
            for place, row in enumerate(outdated, start=1):
                problem = _rescored(store, row)
                if problem is None:
                    done.rescored += 1
                else:
                    done.problems.append(problem)
                    on_problem(problem)
                on_row(place, len(outdated))
        finally:
            writer.close()
    return done


def _rescored(store: Store, row: Mapping[str, Any]) -> str | None:
    """Append the row with its metrics computed anew; one line where that cannot be done, and then the row stays."""
    key = row["key"]
    try:
        fields = evaluate(store.predictions(key))
    except KeyError as error:
        return f"row {key}: its predictions lack {error.args[0]} (an earlier version wrote them): run that cell again"
    except EquipoiseError as error:
        return f"row {key}: {error}"
    store.append({**row, **fields, "metrics_code": versions.metrics_code()})
    return None
