"""A worker process of a sweep: runs the groups of cells that come through its pipe, and sends the result of each cell at once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from equipoise.contracts.dataset import Dataset
    from equipoise.experiment import prepared
    from equipoise.experiment.cell import Cell
    from equipoise.sweep import batches
else:
    # `batches` imports PyTorch, which a process that only starts workers may never need.
    batches, prepared = lazy("equipoise.sweep.batches"), lazy("equipoise.experiment.prepared")

#: Data sets that a worker keeps in memory. Cells come in the order of their data sets, so two are enough.
KEPT = 2
#: What keeps the libraries of a worker at one thread.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
#: Seconds between two reports of a cell's progress.
PACE = 0.2
#: Kinds of messages: a group begins, the share of a cell that is done, the result of a cell, and the end of a group.
STARTED, SHARE, RESULT, IDLE = "started", "share", "result", "idle"
Message = tuple[str, str, Any]


def serve(pipe: Any, files: dict[str, Path], environment: dict[str, str]) -> None:
    """Run groups of cells from the pipe until it says None, or the process that started this one ends."""
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
        _run_group(cells, data, preparations, send)
        send(IDLE)
    # Not through Python's exit, which would wait for threads that a plugin has left.
    os._exit(0)


def _run_group(
    cells: Sequence[Cell], data: _Data, preparations: prepared.Preparations, send: Callable[..., None]
) -> None:
    try:
        sets = {cell.dataset: data.of(cell.dataset) for cell in cells}
    except Exception as error:
        for cell in cells:
            send(RESULT, cell.key, pickle.dumps((batches.failed(cell, error), None)))
        return
    send(STARTED)
    report = throttled(lambda cell, share: send(SHARE, cell.key, max(share, 1e-9)))
    for cell, result in batches.attempt(cells, sets, preparations, report):
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
