"""Runs the cells of a plan with an executor. One process writes the rows, and a sweep can resume at any time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from equipoise.core import plugin_output
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.experiment.cell import Cell
from equipoise.readers.downloads import data_folder
from equipoise.store.store import LOGS, STATUS_ONLY, Store
from equipoise.sweep.executors import Executor, Processes, ThisProcess
from equipoise.sweep.plan import Plan
from equipoise.sweep.rescore import stale
from equipoise.sweep.watching import Watcher, with_progress
from equipoise.sweep.worker_count import choose_workers, parse_workers, require_address_space
from equipoise.tracking.writer import MlflowWriter

if TYPE_CHECKING:
    from equipoise.testing import short as kit
else:
    # Only plugins need it, and it imports the engine.
    kit = lazy("equipoise.testing.short")

REDO = ("missing", "failed", "all")
#: Seconds between two updates of MLflow while cells run; the first comes after the first row.
SYNC_EVERY = 10.0


def outstanding(plan: Plan, store: Store, redo: str, more: Mapping[str, str] | None = None) -> list[Cell]:
    """The cells that still have to run: by `redo`, those without a row ("missing"), also the failed ones, or all.

    Args:
        more: key → status of rows that count as if they were in the store.

    Raises:
        EquipoiseError: `redo` is not one of `REDO`.
    """
    return _outstanding(plan, redo, {} if redo == "all" else {**(more or {}), **store.statuses()})


def _outstanding(plan: Plan, redo: str, statuses: Mapping[str, str]) -> list[Cell]:
    if redo not in REDO:
        raise EquipoiseError(f"redo must be one of {', '.join(REDO)}, got {redo!r}")
    repeated = {"failed"} if redo == "failed" else set()
    return [c for c in plan.cells if c.key not in statuses or statuses[c.key] in repeated]


def sweep(
    plan: Plan,
    store: Store,
    *,
    workers: int | str = 1,
    redo: str = "missing",
    watcher: Watcher | None = None,
    executor: Executor | None = None,
) -> None:
    """Run the outstanding cells of a plan; each row is written when its cell ends, and MLflow is updated now and then.

    Args:
        workers: the number of processes, or "auto" (see `equipoise.sweep.worker_count`); with 1, cells run in this
            process, unless there are plugins or time limits: then in one other process. The rows do not depend on it.
        redo: which cells to run, see `outstanding`.
        executor: runs the cells elsewhere, such as `equipoise.cluster.Cluster`; `workers` then means nothing.

    Raises:
        EquipoiseError: another sweep is writing to the store, a backbone or data set of a plugin breaks its contract, or
            workers is neither a number from 1 nor "auto".
        KeyboardInterrupt: the rows written so far stay, and the same call continues from there.
    """
    wanted = parse_workers(workers)
    watch = with_progress(watcher or Watcher())
    with store.locked(), data_folder(plan.data_dir):
        store.tidy()
        rows = store.rows(STATUS_ONLY)
        statuses = {row["key"]: row["status"] for row in rows}
        cells = _outstanding(plan, redo, {} if redo == "all" else statuses)
        if any(cell.plugins for cell in cells):
            kit.check_plugins(cells, plan.data, plan.data_dir)
        # A line that a killed sweep left half-written, and lines that are damaged.
        for problem in filter(None, (store.torn, store.damage)):
            watch.on_problem(problem)
        planned = {cell.key for cell in plan.cells}
        if outdated := sum(row["key"] in planned and stale(row) for row in rows):
            watch.on_problem(
                f"{outdated} rows of this plan hold metrics of earlier code; to recompute them: "
                f"equipoise rescore --results {store.path}"
            )
        finished = [key for key in planned if statuses.get(key) == "ok" and redo != "all"]
        if lacking := store.without_predictions(finished):
            watch.on_problem(
                f"the predictions of {len(lacking)} rows of this plan are missing, so that new metrics cannot be computed for "
                "them; --redo all makes them again"
            )
        for cell, reason in plan.skipped:
            if cell.key not in statuses:
                store.append(cell.row("skipped", reason=reason))
        runner = executor or _here(cells, plan, wanted, store)
        writer, notified = MlflowWriter(store, watch.on_problem), -SYNC_EVERY
        try:
            # Closed at once if writing fails, since an executor would go on with cells that nobody needs.
            with closing(runner.run(cells, plan.data, watch)) as results:
                for cell, (row, predictions) in results:
                    _append(store, row, predictions, watch)
                    watch.on_row(cell, row)
                    if time.monotonic() - notified > SYNC_EVERY:
                        writer.notify()
                        notified = time.monotonic()
        finally:
            writer.close()
            plugin_output.tidy(store.path / LOGS)


def _append(store: Store, row: Mapping[str, Any], predictions: Any, watch: Watcher) -> None:
    before = store.removed
    store.append(row, predictions)
    if store.removed and not before:
        watch.on_problem(f"{store.removed}; the same command runs their cells again")


def _here(cells: list[Cell], plan: Plan, workers: int | None, store: Store) -> Executor:
    """The executor on this machine, with as many processes as `choose_workers` says if their number is not given.

    Raises:
        EquipoiseError: no process here may have the memory that these cells need.
    """
    require_address_space(cells, plan.data)
    count = workers or choose_workers(cells, plan.data).count
    if count > 1 and len(cells) > 1:
        return Processes(count, store.path)
    # A plugin may end its process, change anything in it, or never return. One worker, unlike several, works for a script
    # without a guard, too.
    if any(cell.plugins or cell.timeout is not None for cell in cells):
        return Processes(1, store.path, guarded=False)
    return ThisProcess()
