"""How many worker processes a sweep gets: as many as there are CPUs, memory and cells for. No row depends on it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from equipoise.catalog.backbones import get_backbone
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.core.system import cpus, memory

if TYPE_CHECKING:
    import torch

    from equipoise.contracts.dataset import Dataset
    from equipoise.experiment.cell import Cell
else:
    torch = lazy("torch")

AUTO = "auto"
#: Bytes of a worker before it has any data: what it does not share with the others. Measured: 35 MB where workers are forked,
#: and 100 MB of scikit-learn where there are texts; 300 MB where each imports everything for itself.
BASE = (200 if sys.platform == "linux" else 400) * 2**20
#: The data set itself, its features, the training rows of a split, and what preparing them takes in between.
COPIES = 5
#: Lanes that train side by side at most, and bytes for each of their parameters: value, gradient, two moments, the best so
#: far, and the room of one step.
LANES, PER_PARAMETER = 32, 6 * 4
WORDS = 5000
#: The share of the memory that is free which workers may plan with.
SHARE = 0.8


@dataclass(frozen=True)
class Workers:
    """A number of processes, and what settled it; `str` is the line for the user."""

    count: int
    why: str = ""

    def __str__(self) -> str:
        words = f"{self.count} worker{'s' if self.count > 1 else ''}"
        return f"{words}: {self.why}" if self.why else words


def asked(workers: int | str) -> int | None:
    """The number that a user gives; None where it is for us to choose.

    Raises:
        EquipoiseError: neither a number from 1 nor "auto".
    """
    text = str(workers)
    if text == AUTO:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise EquipoiseError(f"--workers must be a number from 1, or auto; got {text!r}")
    return int(text)


def fitting(cells: Collection[Cell], data: Mapping[str, Dataset]) -> Workers:
    """As many as the CPUs, the free memory and the cells allow; one on CUDA, where cells would share the device."""
    if any(cell.device == "cuda" for cell in cells):
        return Workers(1, "one CUDA device")
    limits = [(cpus(), _counted(cpus(), "CPU")), (max(1, len(cells)), _counted(len(cells), "cell"))]
    free = memory()
    if free is not None and cells and cpus() > 1:
        each = footprint(cells, data)
        room = max(1, int(free * SHARE / each))
        limits.append(
            (room, f"{free / 2**30:.1f} GB of memory are free, about {each / 2**30:.1f} GB for each")
        )
    return Workers(*min(limits, key=lambda limit: limit[0]))


def footprint(cells: Collection[Cell], data: Mapping[str, Dataset]) -> int:
    """About how many bytes a worker takes with the largest of these cells; meant to be rather too many than too few."""
    largest: dict[tuple[str, str], int] = {}
    for cell in cells:
        pair = (cell.dataset, cell.backbone)
        if pair not in largest:
            largest[pair] = COPIES * _size(data[cell.dataset]) + _population(cell, data[cell.dataset])
    return BASE + max(largest.values(), default=0)


def _size(data: Dataset) -> int:
    """Bytes of a dataset as it lies in memory; of texts, the words counted as numbers are more than the letters."""
    X: Any = data.X
    if data.kind == "text":
        inputs = sum(64 + 2 * len(text) for text in X)
    elif hasattr(X, "indptr"):
        inputs = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    else:
        inputs = X.nbytes
    return int(inputs + data.Y.nbytes)


def _population(cell: Cell, data: Dataset) -> int:
    """Bytes of a full population's parameters and of what goes with them; texts may have as many words as are kept."""
    backbone = get_backbone(cell.backbone)
    if (
        not backbone.gradient
    ):  # one estimator at a time, beside the copies of the data that are counted already
        return 0
    width = (backbone.vocabulary or WORDS) if data.kind == "text" else int(data.X.shape[1])
    made = backbone.init(width, data.n_labels, torch.Generator())
    return (backbone.lanes_at_once or LANES) * PER_PARAMETER * sum(tensor.numel() for tensor in made.values())


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
