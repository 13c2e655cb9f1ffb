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
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.core.lazy import lazy
from equipoise.core.signals import not_for_children
from equipoise.sweep.worker import ONE_THREAD

if TYPE_CHECKING:
    from multiprocessing import forkserver

    from equipoise.contracts.dataset import Dataset
else:
    # It exists on Linux only.
    forkserver = lazy("multiprocessing.forkserver")

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
    with _environment({**_FORK_SAFE, **ONE_THREAD, **_COMPACT}), not_for_children():
        forkserver.ensure_running()


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
def spooled(data: Mapping[str, Dataset]) -> Iterator[dict[str, Path]]:
    """A file for each data set, in a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="equipoise-") as folder:
        # Numbered, because names of data sets may hold slashes.
        files = {name: Path(folder) / f"{i}.pickle" for i, name in enumerate(data)}
        for name, file in files.items():
            with file.open("wb") as handle:
                pickle.dump(data[name], handle, protocol=5)
        yield files
