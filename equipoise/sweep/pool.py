"""Worker processes of a sweep: one thread each; what they import and the data they read is loaded once.

On Linux workers are forked from a process of their own, in which `equipoise.sweep.preload` has been imported once: `begin`
starts it, so that it imports while this process plans. Elsewhere each worker starts from nothing. Data sets are laid down in
a temporary folder, from which a worker reads those that its cells need.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.core.lazy import lazy
from equipoise.core.signals import not_for_children

if TYPE_CHECKING:
    from multiprocessing import forkserver

    from equipoise.contracts.dataset import Dataset
    from equipoise.experiment.cell import Cell
    from equipoise.sweep import batches
    from equipoise.sweep.batches import Result
else:
    # Only Linux has the one; the other is imported in the process that workers are forked from.
    forkserver, batches = lazy("multiprocessing.forkserver"), lazy("equipoise.sweep.batches")

#: Seconds between two reports of how far a cell is.
PACE = 0.2
#: Data sets that a worker keeps: cells come in the order of their data.
KEPT = 2
_FORKED = sys.platform == "linux"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
#: For the process that is forked: no thread of Arrow's allocator, and no module of the user's folder in place of another.
_FORK_SAFE = {"JE_ARROW_MALLOC_CONF": "background_thread:false", "PYTHONSAFEPATH": "1"}
#: glibc without its cache of small blocks can join what is left of large ones (see `equipoise.ops.buffers`); and blocks up to
#: 32 MB, an LSTM's too, stay with the process instead of coming from the kernel each time.
_COMPACT = {
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=134217728"
}


def begin() -> None:
    """Start importing what workers will need, in another process; returns at once. Calling it again does nothing."""
    if not _FORKED:
        return
    _context().set_forkserver_preload(["equipoise.sweep.preload"])
    with _environment({**_FORK_SAFE, **_ONE_THREAD, **_COMPACT}), not_for_children():
        forkserver.ensure_running()


def _context() -> Any:
    return multiprocessing.get_context("forkserver" if _FORKED else "spawn")


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set these variables where they are not set, for processes that start meanwhile."""
    mine = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)


@contextlib.contextmanager
def spooled(data: Mapping[str, Dataset]) -> Iterator[dict[str, Path]]:
    """A file for each data set, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="equipoise-") as folder:
        files = {name: Path(folder) / f"{place}.pickle" for place, name in enumerate(data)}
        for name, file in files.items():
            with file.open("wb") as handle:
                pickle.dump(data[name], handle, protocol=5)
        yield files


class Pool:
    """Worker processes, and a pipe in which they say how far they are.

    Messages are short, so that the system writes each of them whole and no lock is needed: a lock held by a killed worker
    would never be released.
    """

    def __init__(
        self, workers: int, files: Mapping[str, Path], on_share: Callable[[Cell, float], None]
    ) -> None:
        begin()
        context = _context()
        self._news, self._tell = context.Pipe(duplex=False)
        self._on_share = on_share
        self._started: set[str] = set()
        self._cells: dict[str, Cell] = {}
        given = (dict(files), self._tell, dict(os.environ))
        self._executor = ProcessPoolExecutor(workers, context, _start, given)
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Pool:
        self._listener.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            for process in list((getattr(self._executor, "_processes", None) or {}).values()):
                process.terminate()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._tell.send(None)
        self._listener.join()
        self._news.close()
        self._tell.close()

    def running(self) -> set[str]:
        """Keys of cells that were begun and not finished."""
        time.sleep(0.2)  # let the listener catch up with what the dead had said
        return set(self._started)

    def run(self, chosen: Sequence[Sequence[Cell]]) -> Iterator[tuple[str, Result]]:
        """Key and result of each cell, as its group ends.

        Raises:
            BrokenProcessPool: a worker died.
        """
        self._cells = {cell.key: cell for group in chosen for cell in group}
        futures: set[Future[list[tuple[str, Result]]]] = {
            self._executor.submit(_work, tuple(group)) for group in chosen
        }
        while futures:
            done = wait(futures, return_when=FIRST_COMPLETED).done
            futures -= done
            for future in sorted(done, key=lambda f: f.exception() is not None):  # a death loses no result
                for key, result in future.result():
                    self._started.discard(key)
                    yield key, result

    def _listen(self) -> None:
        while (news := self._news.recv()) is not None:
            key, share = news
            if share == 0.0:
                self._started.add(key)
            self._on_share(self._cells[key], share)


def throttled(report: Callable[[Cell, float], None]) -> Callable[[Cell, float], None]:
    """`report` at most once in `PACE` seconds for each cell; a cell's first call goes through."""
    last: dict[str, float] = {}

    def seldom(cell: Cell, share: float) -> None:
        now = time.monotonic()
        if now - last.get(cell.key, -PACE) >= PACE:
            last[cell.key] = now
            report(cell, share)

    return seldom


_WORKER: dict[str, Any] = {}


def _start(files: dict[str, Path], tell: Any, environment: dict[str, str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from equipoise.experiment.prepared import Preparations

    _WORKER.update(files=files, tell=tell, data={}, preparations=Preparations())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.clear()  # of the process this one was forked from, perhaps long ago
    os.environ.update({**_ONE_THREAD, **environment})


def _end_with_parent() -> None:
    """A worker whose sweep was killed outright would wait for its next cell for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        for file in _WORKER["files"].values():  # the parent had no time to clear up
            shutil.rmtree(file.parent, ignore_errors=True)
        os._exit(1)


def _work(cells: Sequence[Cell]) -> list[tuple[str, Result]]:
    tell = _WORKER["tell"].send
    for cell in cells:
        tell((cell.key, 0.0))
    try:
        data = {cell.dataset: _data(cell.dataset) for cell in cells}
    except Exception as error:
        return [(cell.key, (batches.failed(cell, error), None)) for cell in cells]
    report = throttled(lambda cell, share: tell((cell.key, max(share, 1e-9))))
    return [
        (cell.key, result) for cell, result in batches.attempt(cells, data, _WORKER["preparations"], report)
    ]


def _data(name: str) -> Dataset:
    """A data set, read at its first cell."""
    held: dict[str, Dataset] = _WORKER["data"]
    if name not in held:
        while len(held) >= KEPT:
            del held[next(iter(held))]
        with _WORKER["files"][name].open("rb") as handle:
            held[name] = pickle.load(handle)
    return held[name]
