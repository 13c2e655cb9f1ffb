"""Executors run the cells of a plan and yield their results: in this process, in several, or (`equipoise.cluster`) elsewhere.

No row depends on the executor. An executor writes nothing: rows, predictions and MLflow belong to `equipoise.sweep.run`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from equipoise.contracts.dataset import Dataset
from equipoise.core import plugin_output
from equipoise.core.errors import EquipoiseError, one_line
from equipoise.core.lazy import lazy
from equipoise.experiment.cell import Cell
from equipoise.store.store import LOGS
from equipoise.sweep.attempts import Attempts
from equipoise.sweep.estimate import Size, core_seconds
from equipoise.sweep.grouping import groups
from equipoise.sweep.pool import NO_GUARD, Check, spooled, throttled
from equipoise.sweep.processes import LOOK, Lost, Pool
from equipoise.sweep.watching import Watcher

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
#: A cell is reported that has been running for at least so many seconds, and for so many times its estimate.
LEAST, TIMES = 60.0, 10
#: So many processes in a row may die before a cell starts; then nothing here can start a worker.
STARTS = 3
NO_START = "worker processes cannot start ({why}); run with --workers 1 (in Python: workers=1)"
UNGUARDED = (
    "worker processes cannot start: they run the script again, so put its call of equipoise.run below "
    '`if __name__ == "__main__":`, or run with workers=1'
)


class Executor(Protocol):
    """Runs cells and yields each with its row and predictions when they arrive."""

    def run(self, cells: Collection[Cell], data: Mapping[str, Dataset], watch: Watcher) -> Results:
        """Run every cell once, and yield each when it ends. A cell that fails, or kills its worker, has a failed row.

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
        preparations, slow = prepared.Preparations(), _Slow(data, watch)
        for group in groups(cells):
            report = throttled(_Noting(group, slow, watch.on_share))
            yield from batches.attempt(group, data, preparations, report)
            plugin_output.mark(batches.in_words(group))


@dataclass(frozen=True)
class Processes:
    """Runs cells in processes on this machine. The code of a plugin never shares a process with other cells.

    Attributes:
        store: the folder of the store, for copies of the data while cells run, and for what plugins print.
        guarded: whether the user's script can be imported by a worker; with False, workers do without it.
        logged: whether what plugins print goes to logs of the store; else it goes where this process prints.
        whole: whether the cells are one group already. Dividing them, and estimating their time, would load their plugins into
            this process.
        check: called in a worker with each group before it runs; an EquipoiseError of it ends the run.
    """

    count: int
    store: Path
    guarded: bool = True
    logged: bool = True
    check: Check | None = None
    whole: bool = False

    def run(self, cells: Collection[Cell], data: Mapping[str, Dataset], watch: Watcher) -> Results:
        """See `Executor.run`; each cell is yielded when it ends.

        The cells of a group whose process died, or whose time was over, are tried again one by one.
        """
        attempts = Attempts(cells)
        waiting = deque([tuple(cells)] if self.whole else attempts.groups(self.count))
        slow = (lambda group, seconds: True) if self.whole else _Slow(data, watch)
        # Processes in a row that died before a cell had started, so that no cell is to blame.
        failed_starts, why = 0, "they die, perhaps of too little memory"
        with (
            spooled({cell.dataset: data[cell.dataset] for cell in cells}, self.store) as files,
            Pool(
                self.count,
                files,
                watch.on_share,
                slow,
                logs=self.store / LOGS if self.logged else None,
                guarded=self.guarded,
                check=self.check,
            ) as pool,
        ):
            while attempts.left:
                try:
                    while waiting and pool.submit(waiting[0]):
                        waiting.popleft()
                except (OSError, EOFError) as error:
                    failed_starts, why = failed_starts + 1, one_line(error)
                for ended in pool.results():
                    if not isinstance(ended, Lost):
                        failed_starts = 0
                        key, result = ended
                        yield attempts.finished(key), result
                        continue
                    failed_starts = 0 if ended.started else failed_starts + 1
                    if failed_starts and ended.code == NO_GUARD:
                        raise EquipoiseError(UNGUARDED)
                    yield from self._lost(ended, attempts)
                    waiting.extendleft(_again(ended, attempts))
                if failed_starts >= STARTS:
                    raise EquipoiseError(NO_START.format(why=why))

    def _lost(self, lost: Lost, attempts: Attempts) -> Results:
        """Note who may be to blame, and yield the cells that are given up, each with its failed row."""
        keys = [cell.key for cell in lost.cells]
        if lost.late and len(keys) == 1:
            (cell,) = lost.cells
            late = TimeoutError(f"timed out after {cell.timeout:g} s, the limit of a cell (--cell-timeout)")
            yield attempts.finished(cell.key), (batches.failed(cell, late), None)
        elif lost.late:
            attempts.suspect(keys)
        elif lost.started:
            attempts.died(keys)
        yield from attempts.given_up()


def _again(lost: Lost, attempts: Attempts) -> list[tuple[Cell, ...]]:
    """The groups in which the cells of a lost group are tried again: one by one, unless none of them had started."""
    left = tuple(cell for cell in lost.cells if cell.key in attempts.left)
    if not lost.started:
        return [left]
    return [(cell,) for cell in reversed(left)]


class _Noting:
    """Passes on the shares of a group in this process, and notices when it takes long.

    Nothing is noticed between two reports, since no thread looks at the time; built-in cells report after every few batches.
    """

    def __init__(self, cells: Sequence[Cell], slow: _Slow, on_share: Callable[[Cell, float], None]) -> None:
        self._cells, self._slow, self._on_share = cells, slow, on_share
        self._next = time.monotonic() + LEAST
        self._began = time.monotonic()

    def __call__(self, cell: Cell, share: float) -> None:
        """Take a report."""
        self._on_share(cell, share)
        now = time.monotonic()
        if now >= self._next:
            # Estimates take a moment, so they are not made at every report.
            self._next = math.inf if self._slow(self._cells, now - self._began) else now + LOOK


class _Slow:
    """Warns of a group that has been running for ten times its estimate."""

    def __init__(self, data: Mapping[str, Dataset], watch: Watcher) -> None:
        self._data, self._watch = data, watch
        self._sizes: dict[str, Size] = {}

    def __call__(self, cells: Sequence[Cell], seconds: float) -> bool:
        """Whether the group has been reported."""
        # An estimate takes a moment, and no cell is slow before.
        if seconds < LEAST:
            return False
        estimates = [core_seconds(cell, self._size(cell.dataset)) for cell in cells]
        known = sum(estimate for estimate in estimates if estimate is not None)
        if not cells or None in estimates or seconds < TIMES * known:
            # Without an estimate there is nothing to compare with.
            return None in estimates
        first = cells[0]
        others = f" and {len(cells) - 1} beside it" if len(cells) > 1 else ""
        self._watch.on_problem(
            f"{first.strategy} on {first.dataset}, {first.backbone}, split {first.split}{others}: running for {seconds:.0f} s, "
            f"{TIMES} times the estimate; --cell-timeout SECONDS ends such cells"
        )
        return True

    def _size(self, dataset: str) -> Size:
        # Counting the words of texts takes up to half a second, and long cells are asked about at every report of a worker.
        if dataset not in self._sizes:
            self._sizes[dataset] = Size.of(self._data[dataset])
        return self._sizes[dataset]
