"""The functions that the driver calls in a worker process.

`perform` runs in the worker's main thread. The others run in its event loop, so they must be quick.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import load_dataset
from equipoise.catalog.lookup import load_plugins
from equipoise.catalog.parts import Place
from equipoise.catalog.strategies import external_file, get_strategy
from equipoise.cluster import packing
from equipoise.cluster.identity import Identity
from equipoise.cluster.messages import Finished, Job, Missing, Refused, Reply
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.experiment.versions import require_planned_code
from equipoise.readers.downloads import ENVIRONMENT, no_downloads
from equipoise.sweep.pool import KEPT, throttled
from equipoise.sweep.watching import Watcher

if TYPE_CHECKING:
    from equipoise.contracts.dataset import Dataset
    from equipoise.experiment import prepared
    from equipoise.experiment.cell import Cell
    from equipoise.sweep import batches, executors
else:
    batches, prepared = lazy("equipoise.sweep.batches"), lazy("equipoise.experiment.prepared")
    executors = lazy("equipoise.sweep.executors")

#: Data sets that stay in the folder of the workers once they were sent. More stay only while they are younger than so many
#: seconds.
STORED, FRESH = 8, 60.0
#: States of a task whose result somebody still waits for.
_WANTED = ("executing", "long-running", "ready")


@dataclass
class Here:
    """The state of this worker process.

    Attributes:
        folder: for data sets and plugins that were sent; all workers of one `equipoise worker` share it.
        node: the `distributed.Worker`, once it is connected.
    """

    folder: Path
    identity: Identity
    name: str
    node: Any = None
    preparations: prepared.Preparations = field(default_factory=lambda: prepared.Preparations())
    data: dict[str, Dataset] = field(default_factory=dict)


#: Filled by `equipoise.cluster.serving`; empty in a process that `equipoise worker` has not started.
HERE: list[Here] = []


class Abandoned(Exception):
    """Nobody waits for the result: the driver has ended, or has given the group to another worker."""


def greet() -> tuple[str, Identity] | None:
    """The name and identity of this worker; None if it is not one of `equipoise worker`."""
    return (HERE[0].name, HERE[0].identity) if HERE else None


def tell(line: str) -> None:
    """Print a line where the worker was started."""
    print(f"{HERE[0].name}: {line}", file=sys.stderr, flush=True)


def holds(digest: str) -> bool:
    """Whether the data set of this digest has been sent to this worker, or to another one that shares its folder."""
    return _file(digest).exists()


def receive(digest: str, sweep: str, offset: int, chunk: bytes) -> str | None:
    """Write a chunk of a data set; returns why that failed, or None. An empty chunk ends the data set."""
    # Two sweeps may send the same data at once.
    part = _file(digest).with_suffix(f".{sweep}")
    try:
        if not chunk:
            os.replace(part, _file(digest))
            with contextlib.suppress(OSError):
                _make_room(part.parent)
            return None
        with part.open("r+b" if offset else "wb") as handle:
            handle.seek(offset)
            handle.write(chunk)
    except OSError as error:
        return f"cannot store a data set in {part.parent}: {error.strerror}"
    return None


def perform(pickled: bytes, task: str) -> Reply:
    """Run a group of cells.

    Args:
        pickled: a `Job`, as bytes so that the scheduler need not understand it. task: the name dask has for it.
    """
    here, job = HERE[0], pickle.loads(pickled)
    try:
        # Their own keys are kept: with --allow-mixed, the libraries here may give others.
        keys = {cell: key.key for key, cell in zip(job.cells, _cells_here(here, job), strict=True)}
        # A plugin may change anything in its process, from the moment when it is imported.
        apart = any(cell.plugins or cell.places or cell.timeout is not None for cell in keys)
        if not apart:
            require_code_and_files(tuple(keys))
        data, missing = _datasets(here, job, shared=not apart)
    except Exception as error:
        return Refused(f"{type(error).__name__}: {' '.join(str(error).split())}"[:500])
    if missing:
        return Missing(missing)

    def report(cell: Cell, share: float) -> None:
        if not _wanted(here, task):
            raise Abandoned
        here.node.log_event(job.sweep, [keys[cell], share])

    try:
        if apart:
            attempted = list(_apart(here, tuple(keys), data, report))
        else:
            attempted = list(batches.attempt(tuple(keys), data, here.preparations, throttled(report)))
    except EquipoiseError as error:
        return Refused(str(error))
    # Whatever a cell does, its worker must answer.
    except BaseException as error:
        attempted = [(cell, (batches.failed(cell, error), None)) for cell in keys]
    return Finished(
        tuple((keys[cell], (row | {"key": keys[cell]}, arrays)) for cell, (row, arrays) in attempted)
    )


def _apart(
    here: Here, cells: tuple[Cell, ...], data: dict[str, Dataset], report: Callable[[Cell, float], None]
) -> executors.Results:
    """Run cells in a process that ends with them, as a sweep on one machine does with plugins and time limits.

    Raises:
        EquipoiseError: the process may not run them (see `require_code_and_files`), or cannot be started.
    """
    runner = executors.Processes(
        1, here.folder, guarded=False, logged=False, check=require_code_and_files, whole=True
    )
    return runner.run(cells, data, Watcher(on_share=report))


def _wanted(here: Here, task: str) -> bool:
    state = here.node.state.tasks.get(task)
    return state is not None and state.state in _WANTED


def _cells_here(here: Here, job: Job) -> list[Cell]:
    """The cells of a job, with the plugin files where they lie on this machine."""
    files = {
        path: str(packing.write_plugin(here.folder / f"plugins-{os.getpid()}", path, sources))
        for path, sources in job.plugins.items()
    }
    return [
        # A class in a module is imported here as it was there.
        dataclasses.replace(c, places=tuple(Place(kind, files.get(where, where)) for kind, where in c.places))
        for c in job.cells
    ]


def require_code_and_files(cells: Sequence[Cell]) -> None:
    """Raise EquipoiseError unless the code of each cell is here as it was planned, and the file that its strategy reads."""
    for cell in cells:
        load_plugins(cell.places)
        strategy = get_strategy(cell.strategy)
        require_planned_code(cell.code, strategy, get_backbone(cell.backbone))
        # Its content is compared with the plan when the cell runs.
        if (file := external_file(strategy)) and not Path(file).is_file():
            raise EquipoiseError(f"there is no file {file} of external rows here")


def _datasets(here: Here, job: Job, *, shared: bool = True) -> tuple[dict[str, Dataset], tuple[str, ...]]:
    """The data sets of a job by name, and the names of those that are not here.

    `shared` says whether to look in a shared EQUIPOISE_DATA: a name of a plugin would load its code.
    """
    data = {name: _dataset(here, name, digest, shared) for name, digest in job.digests.items()}
    there = {name: found for name, found in data.items() if found is not None}
    return there, tuple(name for name in data if name not in there)


def _dataset(here: Here, name: str, digest: str, shared: bool) -> Dataset | None:
    """A data set from memory, from the folder of data that were sent, or from a shared EQUIPOISE_DATA."""
    if digest not in here.data:
        found = _received(digest)
        if found is None and shared:
            found = _shared(name)
        if found is None or packing.digest(found) != digest:
            return None
        while len(here.data) >= KEPT:
            del here.data[next(iter(here.data))]
        here.data[digest] = found
    return here.data[digest]


def _received(digest: str) -> Dataset | None:
    """A data set that was sent; None if it was not, or another worker of this folder has made room for others."""
    try:
        found = packing.unpacked(_file(digest))
        # The one that was used longest ago is removed first.
        os.utime(_file(digest))
    except FileNotFoundError:
        return None
    return found


def _make_room(folder: Path) -> None:
    """Remove data sets that were sent long ago: a worker may serve sweeps for weeks."""
    files = sorted(folder.glob("*.data"), key=lambda file: file.stat().st_mtime)
    for file in files[:-STORED]:
        # Another worker may be about to read what has just come.
        if time.time() - file.stat().st_mtime > FRESH:
            file.unlink(missing_ok=True)


def _shared(name: str) -> Dataset | None:
    # Without a shared folder, every worker would download for itself what the driver has.
    if not os.environ.get(ENVIRONMENT):
        return None
    try:
        # What is missing comes from the driver: every worker would download it, and a node may not reach the internet.
        with no_downloads():
            return load_dataset(name)
    except (EquipoiseError, OSError):
        return None


def _file(digest: str) -> Path:
    return HERE[0].folder / f"{digest}.data"
