"""Run the cells of a plan: in this process or in several, one writer, resumable at any instant."""

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
from equipoise.store.store import Store
from equipoise.sweep.grouping import groups
from equipoise.sweep.plan import Plan
from equipoise.sweep.pool import Pool, spooled, throttled
from equipoise.sweep.rescore import stale
from equipoise.sweep.workers import asked, fitting
from equipoise.tracking.writer import MlflowWriter

if TYPE_CHECKING:
    from equipoise.experiment import prepared
    from equipoise.sweep import batches
    from equipoise.sweep.batches import Result
else:  # both import PyTorch, which a command that runs nothing does without
    prepared = lazy("equipoise.experiment.prepared")
    batches = lazy("equipoise.sweep.batches")

REDO = ("missing", "failed", "all")
#: A cell whose worker died this often becomes a failed row.
DEATHS = 2
DIED = "the worker process died, twice (killed, or out of memory)"
#: Seconds between two visits to MLflow while cells run; the first is after the first row.
SYNC_EVERY = 10.0


@dataclass(frozen=True)
class Watcher:
    """Who wants to know: a share of a cell done (0..1), a row written, a problem in one line."""

    on_share: Callable[[Cell, float], None] = lambda cell, share: None
    on_row: Callable[[Cell, dict[str, Any]], None] = lambda cell, row: None
    on_problem: Callable[[str], None] = lambda line: None


def outstanding(plan: Plan, store: Store, redo: str) -> list[Cell]:
    """The cells still to run: those without a row, also those that failed, or all.

    Raises:
        EquipoiseError: `redo` is another word.
    """
    if redo not in REDO:
        raise EquipoiseError(f"redo must be one of {', '.join(REDO)}, got {redo!r}")
    have = {} if redo == "all" else store.statuses()
    again = {"failed"} if redo == "failed" else set()
    return [c for c in plan.cells if c.key not in have or have[c.key] in again]


def sweep(
    plan: Plan, store: Store, *, workers: int | str = 1, redo: str = "missing", watcher: Watcher | None = None
) -> None:
    """Run what is outstanding, writing each row as it comes and MLflow now and then.

    Args:
        workers: processes, or "auto" (see `equipoise.sweep.workers`); 1 runs in this one. The rows do not depend on it.

    Raises:
        EquipoiseError: another sweep is writing to the store, or workers is neither a number from 1 nor "auto".
        KeyboardInterrupt: rows that were written stay; the same call goes on from there.
    """
    wanted = asked(workers)
    watch = watcher or Watcher()
    with store.locked():
        cells = outstanding(plan, store, redo)
        have = store.statuses()
        if store.torn:
            watch.on_problem(store.torn)
        planned = {cell.key for cell in plan.cells}
        if outdated := sum(row["key"] in planned and stale(row) for row in store.rows()):
            watch.on_problem(
                f"{outdated} rows of this plan hold metrics of earlier code; to recompute them: "
                f"equipoise rescore --results {store.path}"
            )
        for cell, reason in plan.skipped:
            if cell.key not in have:
                store.append(cell.row("skipped", reason=reason))
        count = wanted or fitting(cells, plan.data).count
        run = _in_processes if count > 1 and len(cells) > 1 else _in_this_process
        writer, told = MlflowWriter(store, watch.on_problem), -SYNC_EVERY
        try:
            for cell, (row, predictions) in run(cells, plan.data, count, watch):
                store.append(row, predictions)
                watch.on_row(cell, row)
                if time.monotonic() - told > SYNC_EVERY:
                    writer.notify()
                    told = time.monotonic()
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
    """A pool of processes; when one dies, what ran is tried again, one by one: so the next death is its own."""
    left = {cell.key: cell for cell in cells}
    deaths = dict.fromkeys(left, 0)
    with spooled({cell.dataset: data[cell.dataset] for cell in left.values()}) as files:
        while left:
            suspects = [cell for key, cell in left.items() if deaths[key]]
            chosen = [(cell,) for cell in suspects] or groups(left.values(), workers)
            with Pool(1 if suspects else min(workers, len(chosen)), files, watch.on_share) as pool:
                try:
                    for key, result in pool.run(chosen):
                        yield left.pop(key), result
                except BrokenProcessPool:
                    for key in pool.running():
                        deaths[key] += 1
            for key in [k for k in left if deaths[k] >= DEATHS]:
                cell = left.pop(key)
                yield cell, (batches.failed(cell, RuntimeError(DIED)), None)
