"""What driver and worker say to each other. The scheduler passes it on and looks into none of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from equipoise.experiment.cell import Cell
    from equipoise.sweep.batches import Result


#: The topic under which a worker says that it ends because it was asked to, so that its cells are not to blame.
LEAVING = "equipoise-leaving"


@dataclass(frozen=True)
class Job:
    """A group of cells for one worker.

    Attributes:
        sweep: names the sweep; shares of its cells are events of this topic.
        digests: of the data set of each name in the cells, see `equipoise.cluster.packing.digest`.
        plugins: the modules of each plugin file of the cells, by the file's path on the driver's machine.
    """

    sweep: str
    cells: tuple[Cell, ...]
    digests: dict[str, str]
    plugins: dict[str, dict[str, bytes]]


@dataclass(frozen=True)
class Finished:
    """The group has run: the key and result of each cell."""

    results: tuple[tuple[str, Result], ...]


@dataclass(frozen=True)
class Missing:
    """The worker lacks data sets of these names."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Refused:
    """The worker cannot run the group, for this reason; another one may be able to."""

    reason: str


Reply: TypeAlias = "Finished | Missing | Refused"
