"""Chooses the number of worker processes: as many as CPUs, free memory and cells allow. No row depends on it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from equipoise.catalog.backbones import get_backbone
from equipoise.core.errors import EquipoiseError, shown
from equipoise.core.lazy import lazy
from equipoise.core.system import address_space, cpus, memory

if TYPE_CHECKING:
    import torch

    from equipoise.contracts.dataset import Dataset
    from equipoise.experiment.cell import Cell
else:
    torch = lazy("torch")

AUTO = "auto"
#: More processes than any machine runs well.
MOST_WORKERS = 1024
#: Bytes of a worker without data, as far as they are not shared with the others. Measured: 35 MB for a forked worker, plus
#: 100 MB of scikit-learn for texts; 300 MB where each worker imports everything itself.
BASE = (200 if sys.platform == "linux" else 400) * 2**20
#: Addresses that a worker takes beyond the memory it touches: malloc reserves 64 MB a thread, and libraries that are imported
#: late map their files. Measured: cells failed with 100 MB and passed with 200.
ADDRESSES = 300 * 2**20
#: Memory for data as a multiple of the data set's size: the data itself, features, training rows, and temporary copies.
COPIES = 5
#: Lanes that are trained side by side, at most; bytes per parameter of each: value, gradient, two moments, and temporary ones.
LANES, PER_PARAMETER = 32, 6 * 4
#: Size of a vocabulary if the backbone declares none.
WORDS = 5000
#: The share of the free memory that workers may use.
SHARE = 0.8


@dataclass(frozen=True)
class Workers:
    """A number of processes, and the limit that decided it; `str` gives the line for the user."""

    count: int
    why: str = ""

    def __str__(self) -> str:
        words = f"{self.count} worker{'s' if self.count > 1 else ''}"
        return f"{words}: {self.why}" if self.why else words


def parse_workers(workers: int | str) -> int | None:
    """The number of workers from an option's value; None for "auto".

    Raises:
        EquipoiseError: it is neither a number from 1 to `MOST_WORKERS` nor "auto".
    """
    text = str(workers)
    if text == AUTO:
        return None
    if not (text.isascii() and text.isdigit()) or not text.strip("0"):
        raise EquipoiseError(f"--workers must be a number from 1, or auto; got {shown(text)}")
    # By its length first, since Python reads no integer of more than 4300 digits.
    if len(text) > 20 or int(text) > MOST_WORKERS:
        raise EquipoiseError(f"--workers must be {MOST_WORKERS} or fewer, or auto; got {shown(text)}")
    return int(text)


def choose_workers(cells: Collection[Cell], data: Mapping[str, Dataset]) -> Workers:
    """As many workers as CPUs, free memory and cells allow; one on CUDA, where workers would share the device."""
    if any(cell.device == "cuda" for cell in cells):
        return Workers(1, "one CUDA device")
    limits = [(cpus(), _counted(cpus(), "CPU")), (max(1, len(cells)), _counted(len(cells), "cell"))]
    free = memory()
    if free is not None and cells and cpus() > 1:
        each = footprint(cells, data)
        count = max(1, int(free * SHARE / each))
        limits.append(
            (count, f"{free / 2**30:.1f} GB of memory are free, about {each / 2**30:.1f} GB for each")
        )
    # Of equal limits the first is named: CPUs before cells before memory.
    return Workers(*min(limits, key=lambda limit: limit[0]))


def footprint(cells: Collection[Cell], data: Mapping[str, Dataset]) -> int:
    """An estimate, rather too high than too low, of the bytes that a worker takes with the largest of these cells."""
    largest: dict[tuple[str, str], int] = {}
    for cell in cells:
        pair = (cell.dataset, cell.backbone)
        if pair not in largest:
            largest[pair] = COPIES * _size(data[cell.dataset]) + _population(cell, data[cell.dataset])
    return BASE + max(largest.values(), default=0)


def require_address_space(cells: Collection[Cell], data: Mapping[str, Dataset]) -> None:
    """Compare a limit on the addresses of each process with the need of these cells, before the first one starts.

    Raises:
        EquipoiseError: the limit is too low.
    """
    found = address_space() if cells else None
    if found is None:
        return
    # A worker has imported what this process has. Libraries take addresses for much that they never touch.
    limit, used = found
    need = used + ADDRESSES + footprint(cells, data)
    if need > limit:
        raise EquipoiseError(
            f"the limit on memory here (ulimit -v {limit // 1024}) is too low: each process needs about {need // 2**20} MB of "
            f"addresses, {used // 2**20} of them for libraries, and may have {limit // 2**20}; raise it to "
            f"`ulimit -v {need // 1024}` or more, or to unlimited"
        )


def _size(data: Dataset) -> int:
    """Bytes of a data set in memory."""
    X: Any = data.X
    if data.kind == "text":
        # A string object's overhead, and two bytes a character for text and token ids.
        inputs = sum(64 + 2 * len(text) for text in X)
    elif hasattr(X, "indptr"):
        inputs = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    else:
        inputs = X.nbytes
    return int(inputs + data.Y.nbytes)


def _population(cell: Cell, data: Dataset) -> int:
    """Bytes of a full population's parameters, gradients and moments, with the largest vocabulary."""
    backbone = get_backbone(cell.backbone)
    # Estimators are fitted one at a time, on the copies of the data that `COPIES` counts.
    if not backbone.gradient:
        return 0
    width = (backbone.vocabulary or WORDS) if data.kind == "text" else int(data.X.shape[1])
    try:
        params = backbone.init(width, data.n_labels, torch.Generator())
    except (RuntimeError, MemoryError):
        # PyTorch has no exception of its own for a size that no memory can hold.
        raise EquipoiseError(f"{cell.backbone} has more parameters than fit into memory") from None
    return (
        (backbone.lanes_at_once or LANES) * PER_PARAMETER * sum(tensor.numel() for tensor in params.values())
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
