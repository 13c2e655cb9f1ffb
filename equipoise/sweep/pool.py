"""How the worker processes of a sweep are started (`equipoise.sweep.processes` runs them), with one thread each.

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.core import plugin_output
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
else:
    # `forkserver` exists on Linux only; `batches` imports PyTorch, which this process may never need.
    forkserver, batches = lazy("multiprocessing.forkserver"), lazy("equipoise.sweep.batches")
    prepared = lazy("equipoise.experiment.prepared")

#: Set where worker processes start, so that a script that runs again in one of them can tell.
STARTING = "EQUIPOISE_WORKER"
#: The exit code of a worker whose script runs a sweep as it is imported, for lack of a guard.
NO_GUARD = 67
#: Data sets that a worker keeps in memory. Cells come in the order of their data sets, so two are enough.
KEPT = 2
#: What keeps the libraries of a worker at one thread.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
#: Seconds between two reports of a cell's progress.
PACE = 0.2
#: Kinds of messages: a group begins, the share of a cell that is done, the result of a cell, the end of a group, and why this
#: process may not run a group.
STARTED, SHARE, RESULT, IDLE, UNFIT = "started", "share", "result", "idle", "unfit"
#: Raises EquipoiseError if a process may not run these cells. It is pickled, so a function of a module.
Check = Callable[[Sequence["Cell"]], None]
_FORKED = sys.platform == "linux"
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
    with starting(), _environment({**_FORK_SAFE, **ONE_THREAD, **_COMPACT}), not_for_children():
        forkserver.ensure_running()


def starting() -> contextlib.AbstractContextManager[None]:
    """Worker processes start within this block."""
    return _environment({STARTING: "1"})


def end_if_starting() -> None:
    """End this process if it is a worker that imports the user's script, and so has come to its call of a sweep.

    Without a guard, each worker would start workers of its own. It ends without a word: the parent tells the user once.
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


def serve(
    pipe: Any,
    files: dict[str, Path],
    environment: dict[str, str],
    logs: Path | None = None,
    check: Check | None = None,
) -> None:
    """Run groups of cells from the pipe until it says None, or the process that started this one ends.

    What plugins print goes to a file in the folder `logs`, if there is one. `check` is called with each group before it runs.
    """
    # Without a log, a cell must still run.
    with contextlib.suppress(OSError):
        if logs is not None:
            plugin_output.into_log_for_good(logs.resolve())
    # Ctrl-C reaches all processes of a terminal; the parent alone decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A group of its own, so that the parent can end what a plugin leaves running with its worker.
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    threading.Thread(target=_end_with_parent, args=(files,), daemon=True).start()
    # The environment so far is that of the server process, which may have started long ago.
    os.environ.clear()
    os.environ.update({**ONE_THREAD, **environment})
    data, preparations = _Data(files), prepared.Preparations()
    own = os.getpid()

    def send(kind: str, key: str = "", content: Any = None) -> None:
        # A process that a plugin has forked comes here, too, when its hook returns.
        if os.getpid() != own:
            os._exit(1)
        pipe.send((kind, key, content))

    while (cells := pipe.recv()) is not None:
        _run_group(cells, data, preparations, send, check)
        plugin_output.mark(batches.in_words(cells))
        send(IDLE)
    # Not through Python's exit, which would wait for threads that a plugin has left.
    os._exit(0)


def _run_group(
    cells: Sequence[Cell],
    data: _Data,
    preparations: prepared.Preparations,
    send: Callable[..., None],
    check: Check | None,
) -> None:
    try:
        sets = {cell.dataset: data.of(cell.dataset) for cell in cells}
    except Exception as error:
        for cell in cells:
            send(RESULT, cell.key, pickle.dumps((batches.failed(cell, error), None)))
        return
    attempt = batches.attempt
    # After the imports, which take long where workers are not forked: they are not the time of a cell.
    send(STARTED)
    if check is not None:
        # It may load a plugin, and so do anything that a cell may do.
        try:
            check(cells)
        except Exception as error:
            send(UNFIT, content=one_line(error))
            return
    report = throttled(lambda cell, share: send(SHARE, cell.key, max(share, 1e-9)))
    for cell, result in attempt(cells, sets, preparations, report):
        # Pickled here, so that a result that cannot be read is the failure of its cell.
        send(RESULT, cell.key, pickle.dumps(result))


def throttled(report: Callable[[Cell, float], None]) -> Callable[[Cell, float], None]:
    """`report`, called at most once in `PACE` seconds for each cell; a cell's first call always passes."""
    last: dict[str, float] = {}

    def throttled_report(cell: Cell, share: float) -> None:
        now = time.monotonic()
        if now - last.get(cell.key, -PACE) >= PACE:
            last[cell.key] = now
            report(cell, share)

    return throttled_report


class _Data(dict[str, "Dataset"]):
    """Data sets by name, read when a cell first needs them; the oldest one makes room."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        super().__init__()
        self._files = files

    def of(self, name: str) -> Dataset:
        """The data set of this name."""
        if name not in self:
            while len(self) >= KEPT:
                del self[next(iter(self))]
            with self._files[name].open("rb") as handle:
                self[name] = pickle.load(handle)
        return self[name]


def _end_with_parent(files: Mapping[str, Path]) -> None:
    """End this worker when its parent ends: if that was killed, the worker would wait for its next cell for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        # A killed parent has not deleted its temporary folder.
        for file in files.values():
            shutil.rmtree(file.parent, ignore_errors=True)
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(1)
