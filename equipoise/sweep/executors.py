"""Executors run the cells of a plan and yield their results: in this process, in several, or (`equipoise.cluster`) elsewhere.

No row depends on the executor. An executor writes nothing: rows, predictions and MLflow belong to `equipoise.sweep.run`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from equipoise.contracts.dataset import Dataset
from equipoise.core import output
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.experiment.cell import Cell
from equipoise.store.store import LOGS
from equipoise.sweep.attempts import Attempts
from equipoise.sweep.grouping import groups
from equipoise.sweep.pool import Pool, spooled, throttled

if TYPE_CHECKING:
    from equipoise.experiment import prepared
    from equipoise.sweep import batches
    from equipoise.sweep.batches import Result
else:
    # Both import PyTorch, which a command that runs nothing does not need.
    prepared = lazy("equipoise.experiment.prepared")
    batches = lazy("equipoise.sweep.batches")

#: Each cell with its row and predictions. A generator, so that closing it ends what still runs.
Results: TypeAlias = "Generator[tuple[Cell, Result], None, None]"
#: So many pools in a row may die before a cell starts; then nothing here can start a worker.
STARTS = 3
NO_START = "worker processes cannot start ({why}); run with --workers 1 (in Python: workers=1)"
UNGUARDED = (
    "worker processes cannot start: they run the script again, so put its call of equipoise.run below "
    '`if __name__ == "__main__":`, or run with workers=1'
)


@dataclass(frozen=True)
class Watcher:
    """Callbacks of a sweep: the finished share of a cell (0 to 1), a row that was written, a problem in one line."""

    on_share: Callable[[Cell, float], None] = lambda cell, share: None
    on_row: Callable[[Cell, dict[str, Any]], None] = lambda cell, row: None
    on_problem: Callable[[str], None] = lambda line: None


class Executor(Protocol):
    """Runs cells and yields each with its row and predictions when they arrive."""

    def run(self, cells: Collection[Cell], data: Mapping[str, Dataset], watch: Watcher) -> Results:
        """Run every cell once, and yield each when its group ends. A cell that fails, or kills its worker, has a failed row.

        Args:
            data: the data sets by the names that cells have for them.
            watch: hears of shares and problems; `on_row` is for whoever writes the rows.

        Raises:
            EquipoiseError: the executor cannot go on; cells that it has yielded are done.
        """


class ThisProcess:
    """Runs cells one group after another in this process."""

    def run(self, cells: Collection[Cell], data: Mapping[str, Dataset], watch: Watcher) -> Results:
        """See `Executor.run`."""
        preparations = prepared.Preparations()
        for group in groups(cells):
            yield from batches.attempt(group, data, preparations, throttled(watch.on_share))
            output.mark(batches.in_words(group))


@dataclass(frozen=True)
class Processes:
    """Runs cells in a pool of processes on this machine.

    Attributes:
        store: the folder of the store, for copies of the data while cells run, and for what plugins print.
    """

    count: int
    store: Path

    def run(self, cells: Collection[Cell], data: Mapping[str, Dataset], watch: Watcher) -> Results:
        """See `Executor.run`. When a process dies, the pool is broken, and the cells that ran are tried again one by one."""
        attempts = Attempts(cells)
        # Pools in a row that broke before any cell had started, so that no cell is to blame.
        failed_starts = 0
        logs = self.store / LOGS
        with spooled({cell.dataset: data[cell.dataset] for cell in cells}, self.store) as files:
            while attempts.left:
                suspects = attempts.suspects()
                to_run = [(cell,) for cell in suspects] or attempts.groups(self.count)
                # One at a time: two deaths at once could not be told apart.
                pool = Pool(1 if suspects else min(self.count, len(to_run)), files, watch.on_share, logs)
                try:
                    with pool:
                        for key, result in pool.run(to_run):
                            failed_starts = 0
                            yield attempts.finished(key), result
                except BrokenProcessPool:
                    running = pool.running()
                    attempts.died(running)
                    failed_starts = 0 if running else failed_starts + 1
                if failed_starts and pool.unguarded():
                    raise EquipoiseError(UNGUARDED)
                if failed_starts >= STARTS:
                    raise EquipoiseError(
                        NO_START.format(why=pool.broken or "they die, perhaps of too little memory")
                    )
                yield from attempts.given_up()
