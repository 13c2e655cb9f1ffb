"""The worker processes of a sweep, with one thread each.

On Linux, workers are forked from a server process that has imported `equipoise.sweep.preload`, so modules are loaded once.
`begin` starts the server, which imports while this process still plans. Elsewhere each worker imports everything itself. Data
sets are written to a temporary folder, from which each worker reads those that its cells need.
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
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.core import output
from equipoise.core.errors import one_line
from equipoise.core.lazy import lazy
from equipoise.core.signals import not_for_children
from equipoise.store.store import SPOOL

if TYPE_CHECKING:
    from multiprocessing import forkserver

    from equipoise.contracts.dataset import Dataset
    from equipoise.experiment import prepared
    from equipoise.experiment.cell import Cell
    from equipoise.sweep import batches
    from equipoise.sweep.batches import Result
else:
    # `forkserver` exists on Linux only; `batches` imports PyTorch, which this process may never need.
    forkserver, batches = lazy("multiprocessing.forkserver"), lazy("equipoise.sweep.batches")
    prepared = lazy("equipoise.experiment.prepared")

#: Set where worker processes start, so that a script that runs again in one of them can tell.
STARTING = "EQUIPOISE_WORKER"
#: The exit code of a worker whose script runs a sweep as it is imported, for lack of a guard.
NO_GUARD = 67
#: Seconds between two looks at the thread that serves the pool.
LOOK = 1.0
#: Seconds between two reports of a cell's progress.
PACE = 0.2
#: Data sets that a worker keeps in memory. Cells come in the order of their data sets, so two are enough.
KEPT = 2
_FORKED = sys.platform == "linux"
#: What keeps the libraries of a worker at one thread.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
#: For the server process: Arrow's allocator must start no thread, which a fork would not copy, and no module in the user's
#: folder may hide one of a library.
_FORK_SAFE = {"JE_ARROW_MALLOC_CONF": "background_thread:false", "PYTHONSAFEPATH": "1"}
#: Without its cache of small blocks, glibc can merge the remains of large ones (see `equipoise.ops.buffers`). And blocks up to
#: 32 MB, which covers an LSTM's, stay with the process instead of being requested from the kernel each time.
_COMPACT = {
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=134217728"
}


def begin() -> None:
    """Start the process that imports what workers need, and return at once. Calling it again does nothing."""
    if not _FORKED:
        return
    context().set_forkserver_preload(["equipoise.sweep.preload"])
    with _environment({**_FORK_SAFE, **ONE_THREAD, **_COMPACT, STARTING: "1"}), not_for_children():
        forkserver.ensure_running()


def end_if_starting() -> None:
    """End this process if it is a worker that imports the user's script, and so has come to its call of a sweep.

    Without a guard, each worker would start workers of its own. It ends without a word: `Pool.unguarded` tells the user once.
    """
    if STARTING in os.environ and getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(NO_GUARD)


def context() -> Any:
    """The way in which worker processes start here."""
    return multiprocessing.get_context("forkserver" if _FORKED else "spawn")


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables that the user has not set, for processes that start within the block."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def spooled(data: Mapping[str, Dataset], store: Path) -> Iterator[dict[str, Path]]:
    """A file for each data set, in a folder inside a store that is deleted afterwards, or by `Store.tidy` after a kill."""
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=SPOOL, dir=store) as folder:
        # Numbered, because names of data sets may hold slashes.
        files = {name: Path(folder) / f"{i}.pickle" for i, name in enumerate(data)}
        for name, file in files.items():
            with file.open("wb") as handle:
                pickle.dump(data[name], handle, protocol=5)
        yield files


class Pool:
    """Worker processes, and a pipe through which they report progress.

    Messages are short enough to be written in one piece, so the pipe needs no lock: a lock held by a killed worker would never
    be released.
    """

    def __init__(
        self, workers: int, files: Mapping[str, Path], on_share: Callable[[Cell, float], None], logs: Path
    ) -> None:
        begin()
        processes = context()
        self._receiver, self._sender = processes.Pipe(duplex=False)
        self._on_share = on_share
        self._started: set[str] = set()
        self._cells: dict[str, Cell] = {}
        arguments = (dict(files), self._sender, dict(os.environ), logs)
        self._executor = ProcessPoolExecutor(workers, processes, _start, arguments)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._workers: list[Any] = []
        #: why the pool's own thread has ended, in one line; "" as long as it runs
        self.broken = ""

    def __enter__(self) -> Pool:
        try:
            self._listener.start()
        except RuntimeError as error:  # no memory for another thread
            raise self._breaks(error) from None
        self._hook, threading.excepthook = threading.excepthook, self._note_end
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # After an error or an interrupt nobody needs the running cells.
        if kind is not None:
            for process in list((getattr(self._executor, "_processes", None) or {}).values()):
                process.terminate()
        self._executor.shutdown(wait=True, cancel_futures=True)
        threading.excepthook = self._hook
        # `None` ends the listener.
        self._sender.send(None)
        self._listener.join()
        self._receiver.close()
        self._sender.close()

    def running(self) -> set[str]:
        """Keys of the cells that have started and have not finished."""
        # Time for the listener to read the last messages of a worker that died.
        time.sleep(0.2)
        return set(self._started)

    def unguarded(self) -> bool:
        """Whether a worker died because the user's script runs a sweep when it is imported."""
        return any(worker.exitcode == NO_GUARD for worker in self._workers)

    def run(self, groups: Sequence[Sequence[Cell]]) -> Iterator[tuple[str, Result]]:
        """Run groups of cells; yields the key and result of each cell when its group ends.

        Raises:
            BrokenProcessPool: a worker died, or none can start.
        """
        self._cells = {cell.key: cell for group in groups for cell in group}
        futures = self._submit(groups)
        while futures:
            done = wait(futures, LOOK, return_when=FIRST_COMPLETED).done
            # Its futures would never end. With too little memory, it cannot start the thread that hands out the work.
            if not done and not self._served():
                raise BrokenProcessPool(self.broken)
            futures -= done
            # Failed futures last: the exception of a dead worker must not hide results that have arrived.
            for future in sorted(done, key=lambda f: f.exception() is not None):
                for key, result in future.result():
                    self._started.discard(key)
                    yield key, result

    def _submit(self, groups: Sequence[Sequence[Cell]]) -> set[Future[list[tuple[str, Result]]]]:
        try:
            with _environment({STARTING: "1"}):
                return {self._executor.submit(_run_group, tuple(group)) for group in groups}
        except (RuntimeError, OSError) as error:
            raise self._breaks(error) from None
        finally:
            self._workers = list((getattr(self._executor, "_processes", None) or {}).values())

    def _breaks(self, error: BaseException) -> BrokenProcessPool:
        self.broken = self.broken or one_line(error)
        return BrokenProcessPool(self.broken)

    def _served(self) -> bool:
        """Whether the executor's thread runs, which starts cells and takes their results."""
        thread = getattr(self._executor, "_executor_manager_thread", None)
        return thread is None or thread.is_alive()

    def _note_end(self, ended: threading.ExceptHookArgs) -> None:
        """Keep what ended the executor's thread, instead of printing a traceback."""
        if ended.thread is getattr(self._executor, "_executor_manager_thread", None) and ended.exc_value:
            self._breaks(ended.exc_value)
        else:
            self._hook(ended)

    def _listen(self) -> None:
        """Read progress messages until `None` comes; runs in a thread."""
        while (message := self._receiver.recv()) is not None:
            key, share = message
            # A share of exactly 0 says that the cell starts; later shares are positive.
            if share == 0.0:
                self._started.add(key)
            self._on_share(self._cells[key], share)


def throttled(report: Callable[[Cell, float], None]) -> Callable[[Cell, float], None]:
    """`report`, called at most once in `PACE` seconds for each cell; a cell's first call always passes."""
    last: dict[str, float] = {}

    def throttled_report(cell: Cell, share: float) -> None:
        now = time.monotonic()
        if now - last.get(cell.key, -PACE) >= PACE:
            last[cell.key] = now
            report(cell, share)

    return throttled_report


#: The state of this process, if it is a worker; filled by `_start`.
_WORKER: dict[str, Any] = {}


def _start(files: dict[str, Path], sender: Any, environment: dict[str, str], logs: Path) -> None:
    """Set up a worker process. What plugins print in it goes to a file in the folder `logs`."""
    # Without a log, a cell must still run.
    with contextlib.suppress(OSError):
        output.into_log_for_good(logs.resolve())
    # Ctrl-C reaches all processes of a terminal; the parent alone decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _WORKER.update(files=files, sender=sender, data={}, preparations=prepared.Preparations())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The environment so far is that of the server process, which may have started long ago.
    os.environ.clear()
    os.environ.update({**ONE_THREAD, **environment})


def _end_with_parent() -> None:
    """End this worker when its parent ends: if that was killed, the worker would wait for its next cell for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        # A killed parent has not deleted its temporary folder.
        for file in _WORKER["files"].values():
            shutil.rmtree(file.parent, ignore_errors=True)
        os._exit(1)


def _run_group(cells: Sequence[Cell]) -> list[tuple[str, Result]]:
    """Run one group in a worker; the key and result of each cell."""
    send = _WORKER["sender"].send
    for cell in cells:
        send((cell.key, 0.0))
    try:
        data = {cell.dataset: _data(cell.dataset) for cell in cells}
    except Exception as error:
        return [(cell.key, (batches.failed(cell, error), None)) for cell in cells]
    report = throttled(lambda cell, share: send((cell.key, max(share, 1e-9))))
    attempted = batches.attempt(cells, data, _WORKER["preparations"], report)
    results = [(cell.key, result) for cell, result in attempted]
    output.mark(batches.in_words(cells))
    return results


def _data(name: str) -> Dataset:
    """A data set by name, read when the worker first needs it; the oldest one makes room."""
    loaded: dict[str, Dataset] = _WORKER["data"]
    if name not in loaded:
        while len(loaded) >= KEPT:
            del loaded[next(iter(loaded))]
        with _WORKER["files"][name].open("rb") as handle:
            loaded[name] = pickle.load(handle)
    return loaded[name]
