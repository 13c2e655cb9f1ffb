"""`equipoise rescore`: recompute the metrics of stored predictions, without training.

A row holds the hash of the code that computed its metrics. If that code has changed, a row with the same key and new metrics is
appended, and the last row of a key is the valid one. So a rescore that is killed loses nothing, and the next one continues.
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
    """The outcome of a rescore.

    Attributes:
        rescored: rows that got new metrics. current: rows whose metrics were up to date.
        failed: rows that could not be rescored.
        problems: one line for each of them; but one for all rows without predictions, where there are several.
    """

    rescored: int = 0
    current: int = 0
    failed: int = 0
    problems: list[str] = field(default_factory=list)


def stale(row: Mapping[str, Any]) -> bool:
    """Whether the metrics of a row were computed by other code than the present one."""
    return row["status"] == "ok" and row.get("metrics_code") != versions.metrics_code()


def rescore(
    store: Store,
    *,
    on_row: Callable[[int, int], None] = lambda done, total: None,
    on_problem: Callable[[str], None] = lambda line: None,
) -> Rescored:
    """Bring the metrics of all rows of a store up to date, then MLflow. Failed and skipped rows have no metrics.

    Args:
        on_row: called with the number of rows that are finished and the number of all outdated rows.
        on_problem: called with one line for each row that cannot be rescored, and for each problem with MLflow.

    Raises:
        EquipoiseError: there is no store, or another process is writing to it.
    """
    if not store.rows_file.is_file():
        raise EquipoiseError(f"no rows in {store.path}: equipoise run writes them, --results says where")
    outcome = Rescored()
    # Throughout, so that no sweep appends between the reading and the last new row.
    with store.locked():
        rows = [row for row in store.rows() if row["status"] == "ok"]
        if store.damage:
            outcome.problems.append(store.damage)
            on_problem(store.damage)
        outdated = [row for row in rows if stale(row)]
        outcome.current = len(rows) - len(outdated)
        lacking = set(store.without_predictions(row["key"] for row in outdated))
        # One line for all, since a published folder may have brought thousands.
        if len(lacking) > 1:
            outdated = [row for row in outdated if row["key"] not in lacking]
            outcome.failed += len(lacking)
            outcome.problems.append(
                f"{len(lacking)} rows keep their metrics: their predictions are not in {store.predictions_dir} "
                "(rows of a published folder have none)"
            )
            on_problem(outcome.problems[-1])
        writer = MlflowWriter(store, on_problem)
        try:
            for count, row in enumerate(outdated, start=1):
                problem = _rescore_row(store, row)
                if problem is None:
                    outcome.rescored += 1
                else:
                    outcome.failed += 1
                    outcome.problems.append(problem)
                    on_problem(problem)
                on_row(count, len(outdated))
        finally:
            writer.close()
    return outcome


def _rescore_row(store: Store, row: Mapping[str, Any]) -> str | None:
    """Append the row with new metrics and return None; if that is impossible, return the reason in one line."""
    key = row["key"]
    try:
        fields = evaluate(store.predictions(key))
    except KeyError as error:
        return f"row {key}: its predictions lack {error.args[0]} (an earlier version wrote them): run that cell again"
    except EquipoiseError as error:
        return f"row {key}: {error}"
    # Without predictions: the stored ones are those that were read just now, and stay.
    store.append({**row, **fields, "metrics_code": versions.metrics_code()})
    return None
