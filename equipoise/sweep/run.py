"""Runs the cells of a plan in this process or in several. One process writes the rows, and a sweep can resume at any time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.experiment.cell import Cell
from equipoise.readers.downloads import data_folder
from equipoise.store.store import STATUS_ONLY, Store
from equipoise.sweep.grouping import groups
from equipoise.sweep.plan import Plan
from equipoise.sweep.pool import Pool, spooled, throttled
from equipoise.sweep.rescore import stale
from equipoise.sweep.worker_count import choose_workers, parse_workers
from equipoise.tracking.writer import MlflowWriter

if TYPE_CHECKING:
    from equipoise.experiment import prepared
    from equipoise.sweep import batches
    from equipoise.sweep.batches import Result
else:
    # Both import PyTorch, which a command that runs nothing does not need.
    prepared = lazy("equipoise.experiment.prepared")
    batches = lazy("equipoise.sweep.batches")

REDO = ("missing", "failed", "all")
#: A cell whose worker has died this often becomes a failed row.
DEATHS = 2
DIED = "the worker process died, twice (killed, or out of memory)"
#: So many pools in a row may die before a cell starts; then nothing here can start a worker.
STARTS = 3
NO_START = 'worker processes cannot start; a script must guard its entry with `if __name__ == "__main__":`, or run with workers=1'
#: Seconds between two updates of MLflow while cells run; the first comes after the first row.
SYNC_EVERY = 10.0


@dataclass(frozen=True)
class Watcher:
    """Callbacks of a sweep: the finished share of a cell (0 to 1), a row that was written, a problem in one line."""

    on_share: Callable[[Cell, float], None] = lambda cell, share: None
    on_row: Callable[[Cell, dict[str, Any]], None] = lambda cell, row: None
    on_problem: Callable[[str], None] = lambda line: None


def outstanding(plan: Plan, store: Store, redo: str) -> list[Cell]:
    """The cells that still have to run: by `redo`, those without a row ("missing"), also the failed ones, or all.

    Raises:
        EquipoiseError: `redo` is not one of `REDO`.
    """
    return _outstanding(plan, redo, {} if redo == "all" else store.statuses())


def _outstanding(plan: Plan, redo: str, statuses: Mapping[str, str]) -> list[Cell]:
    if redo not in REDO:
        raise EquipoiseError(f"redo must be one of {', '.join(REDO)}, got {redo!r}")
    repeated = {"failed"} if redo == "failed" else set()
    return [c for c in plan.cells if c.key not in statuses or statuses[c.key] in repeated]


def sweep(
    plan: Plan, store: Store, *, workers: int | str = 1, redo: str = "missing", watcher: Watcher | None = None
) -> None:
    """Run the outstanding cells of a plan; each row is written when its cell ends, and MLflow is updated now and then.

    Args:
        workers: the number of processes, or "auto" (see `equipoise.sweep.worker_count`); with 1, cells run in this process. The
            rows do not depend on it.
        redo: which cells to run, see `outstanding`.

    Raises:
        EquipoiseError: another sweep is writing to the store, or workers is neither a number from 1 nor "auto".
        KeyboardInterrupt: the rows written so far stay, and the same call continues from there.
    """
    wanted = parse_workers(workers)
    watch = watcher or Watcher()
    with store.locked(), data_folder(plan.data_dir):
        rows = store.rows(STATUS_ONLY)
        statuses = {row["key"]: row["status"] for row in rows}
        cells = _outstanding(plan, redo, {} if redo == "all" else statuses)
        # A line that a killed sweep left half-written, and lines that are damaged.
        for problem in filter(None, (store.torn, store.damage)):
            watch.on_problem(problem)
        planned = {cell.key for cell in plan.cells}
        if outdated := sum(row["key"] in planned and stale(row) for row in rows):
            watch.on_problem(
                f"{outdated} rows of this plan hold metrics of earlier code; to recompute them: "
                f"equipoise rescore --results {store.path}"
            )
        for cell, reason in plan.skipped:
            if cell.key not in statuses:
                store.append(cell.row("skipped", reason=reason))
        count = wanted or choose_workers(cells, plan.data).count
        run = _in_processes if count > 1 and len(cells) > 1 else _in_this_process
        writer, notified = MlflowWriter(store, watch.on_problem), -SYNC_EVERY
        try:
            for cell, (row, predictions) in run(cells, plan.data, count, watch):
                store.append(row, predictions)
                watch.on_row(cell, row)
                if time.monotonic() - notified > SYNC_EVERY:
                    writer.notify()
                    notified = time.monotonic()
        finally:
            writer.close()


def _in_this_process(
    cells: Iterable[Cell], data: Mapping[str, Dataset], workers: int, watch: Watcher
) -> Iterator[tuple[Cell, Result]]:
    preparations = prepared.Preparations()
    for group in groups(cells):
        yield from batches.attempt(group, data, preparations, throttled(watch.on_share))


def _in_processes(
    cells: Iterable[Cell], data: Mapping[str, Dataset], workers: int, watch: Watcher
) -> Iterator[tuple[Cell, Result]]:
    """Run cells in a pool of processes.

    When a process dies, the pool is broken and it is unknown which of the running cells was to blame. They are tried again one
    by one, so that the next death can be attributed to its cell.
    """
    left = {cell.key: cell for cell in cells}
    deaths = dict.fromkeys(left, 0)
    # Pools in a row that broke before any cell had started, so that no cell is to blame.
    failed_starts = 0
    with spooled({cell.dataset: data[cell.dataset] for cell in left.values()}) as files:
        while left:
            suspects = [cell for key, cell in left.items() if deaths[key]]
            to_run = [(cell,) for cell in suspects] or groups(left.values(), workers)
            with Pool(1 if suspects else min(workers, len(to_run)), files, watch.on_share) as pool:
                try:
                    for key, result in pool.run(to_run):
                        failed_starts = 0
                        yield left.pop(key), result
                except BrokenProcessPool:
                    running = pool.running()
                    for key in running:
                        deaths[key] += 1
                    failed_starts = 0 if running else failed_starts + 1
            if failed_starts >= STARTS:
                raise EquipoiseError(NO_START)
            for key in [k for k in left if deaths[k] >= DEATHS]:
                cell = left.pop(key)
                yield cell, (batches.failed(cell, RuntimeError(DIED)), None)
