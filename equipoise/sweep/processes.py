"""A pool of worker processes that may die, or be ended, at any time without touching one another."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.sweep.pool import IDLE, RESULT, SHARE, STARTED, UNFIT, Check, begin, context, serve, starting

if TYPE_CHECKING:
    from equipoise.experiment.cell import Cell
    from equipoise.sweep import batches
    from equipoise.sweep.batches import Result
else:
    # It imports PyTorch, which this process may never need.
    batches = lazy("equipoise.sweep.batches")

#: Seconds between two looks at how long groups have been running.
LOOK = 1.0


@dataclass(eq=False)
class _Worker:
    """One process and its pipe; each worker has its own, so that nothing it does, its death included, touches another one.

    Attributes:
        plugins: those whose code it has run; it runs no cells of others.
        left: the cells of its group that have no result, by key.
        began: when the group began, by `time.monotonic`; None before that.
    """

    process: Any
    pipe: Any
    plugins: tuple[Any, ...] = ()
    busy: bool = False
    left: dict[str, Cell] = field(default_factory=dict)
    began: float | None = None
    warned: bool = False

    @property
    def deadline(self) -> float | None:
        """When the time of its group is over: cells side by side share the sum of their limits."""
        limits = [cell.timeout for cell in self.left.values() if cell.timeout is not None]
        return None if self.began is None or not limits else self.began + sum(limits)


@dataclass(frozen=True)
class Lost:
    """A group whose worker died or was ended.

    Attributes:
        cells: those without a result. started: whether they had begun, so that one of them may be to blame.
        late: whether their time was over. code: the exit code of the process; None if it was ended.
    """

    cells: tuple[Cell, ...]
    started: bool
    late: bool = False
    code: int | None = None


class Pool:
    """Worker processes that run groups of cells.

    Args:
        workers: the most processes. files: of the data sets, see `spooled`. logs: the folder of what plugins print.
        on_share: called with the share of a cell that is done. on_long: called with the cells of a group that runs for long.
        guarded: whether the script of the user guards its entry, so that a worker may import it.
        check: called in a worker with each group before it runs; an EquipoiseError of it ends the sweep.
    """

    def __init__(
        self,
        workers: int,
        files: Mapping[str, Path],
        on_share: Callable[[Cell, float], None],
        on_long: Callable[[Sequence[Cell], float], bool] = lambda cells, seconds: False,
        *,
        logs: Path | None = None,
        guarded: bool = True,
        check: Check | None = None,
    ) -> None:
        begin()
        self._most, self._files, self._guarded = workers, dict(files), guarded
        self._logs, self._check = logs, check
        self._on_share, self._on_long = on_share, on_long
        self._workers: list[_Worker] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        # Nobody needs what still runs, and what is idle has nothing to lose.
        for worker in self._workers:
            _end(worker)

    @property
    def busy(self) -> bool:
        """Whether any group is running."""
        return any(worker.busy for worker in self._workers)

    def submit(self, cells: Sequence[Cell]) -> bool:
        """Give a group to a free worker, or to a new one; False if there is none.

        Raises:
            OSError, EOFError: a process cannot be started.
        """
        worker = self._free(cells[0].plugins)
        if worker is None:
            return False
        worker.left = {cell.key: cell for cell in cells}
        worker.busy, worker.began, worker.warned = True, None, False
        with contextlib.suppress(OSError):
            # A worker that cannot be reached is found dead by `results`.
            worker.pipe.send(tuple(cells))
        return True

    def results(self) -> Iterator[tuple[str, Result] | Lost]:
        """Wait until something happens; yields the results that have arrived, and the groups that are lost.

        Raises:
            EquipoiseError: `check` has refused a group.
        """
        now = time.monotonic()
        deadlines = [w.deadline - now for w in self._workers if w.busy and w.deadline is not None]
        waiting = [handle for w in self._workers if w.busy for handle in (w.pipe, w.process.sentinel)]
        connection.wait(waiting, timeout=max(0.0, min([LOOK, *deadlines])))
        for worker in [w for w in self._workers if w.busy]:
            # Asked before reading, so that what it sent before it died is read.
            dead = not worker.process.is_alive()
            if dead:
                _end_group(worker)
            yield from self._read(worker)
            if dead:
                yield from self._lose(worker)
            elif worker.busy and worker.deadline is not None and time.monotonic() >= worker.deadline:
                yield from self._lose(worker, late=True)
            elif worker.busy and worker.began is not None and not worker.warned:
                seconds = time.monotonic() - worker.began
                worker.warned = self._on_long(tuple(worker.left.values()), seconds)

    def _free(self, plugins: tuple[Any, ...]) -> _Worker | None:
        """A worker for cells of these plugins: one that has run code of no other plugin, which may have changed anything."""
        idle = [worker for worker in self._workers if not worker.busy]
        fitting = next((w for w in idle if w.plugins == plugins), None) or next(
            (w for w in idle if not w.plugins), None
        )
        if fitting is None and len(self._workers) >= self._most:
            if not idle:
                return None
            self._workers.remove(idle[0])
            _end(idle[0])
        if fitting is None:
            fitting = self._start()
            self._workers.append(fitting)
        fitting.plugins = plugins
        return fitting

    def _start(self) -> _Worker:
        here, there = context().Pipe()
        arguments = (there, self._files, dict(os.environ), self._logs, self._check)
        process = context().Process(target=serve, args=arguments)
        with starting(), contextlib.nullcontext() if self._guarded else _without_script():
            process.start()
        # Otherwise the pipe would stay open when the worker dies.
        there.close()
        return _Worker(process, here)

    def _read(self, worker: _Worker) -> Iterator[tuple[str, Result]]:
        """Read the messages of a worker; a pipe that is broken says nothing."""
        with contextlib.suppress(OSError, EOFError):
            while worker.busy and worker.pipe.poll():
                kind, key, content = worker.pipe.recv()
                if kind == STARTED:
                    worker.began = time.monotonic()
                    for cell in worker.left.values():
                        self._on_share(cell, 0.0)
                elif kind == SHARE and key in worker.left:
                    self._on_share(worker.left[key], content)
                elif kind == RESULT and key in worker.left:
                    yield key, _result(worker.left.pop(key), content)
                elif kind == UNFIT:
                    raise EquipoiseError(content)
                elif kind == IDLE:
                    worker.busy = False

    def _lose(self, worker: _Worker, *, late: bool = False) -> Iterator[Lost]:
        self._workers.remove(worker)
        code = worker.process.exitcode
        _end(worker)
        if worker.left:
            yield Lost(tuple(worker.left.values()), worker.began is not None, late, code)


def _result(cell: Cell, content: bytes) -> Result:
    try:
        result: Result = pickle.loads(content)
    except Exception as error:
        return batches.failed(cell, error), None
    return result


def _end(worker: _Worker) -> None:
    """End a worker and whatever its plugins have started."""
    _end_group(worker)
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _end_group(worker: _Worker) -> None:
    # It is the leader of its group, once it has begun.
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(worker.process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _without_script() -> Iterator[None]:
    """Processes that start within the block do not import the user's script, which they do not need."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before
