"""The driver's side of a cluster: connects to the scheduler, and again when that was lost, until every cell has its result."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from equipoise.cluster import packing
from equipoise.cluster.address import Address
from equipoise.cluster.assignments import Assignments
from equipoise.cluster.connection import SchedulerLost, connected
from equipoise.cluster.crew import Crew
from equipoise.cluster.identity import identity, refusal

if TYPE_CHECKING:
    from equipoise.cluster.identity import Identity
    from equipoise.contracts.dataset import Dataset
    from equipoise.experiment.cell import Cell

#: Seconds to wait for a scheduler at the start, and for one that was lost, before the sweep ends.
START, PATIENCE = 30.0, 300.0


class Driver:
    """Runs the cells of one sweep on the workers of a cluster.

    Args:
        put: takes a result, (cell, (row, predictions)), or a line for the user; called in the driver's thread.
        unwritten: the number of results that `put` has taken and that are not yet written.
        on_share: takes a cell and its finished share.
    """

    def __init__(
        self,
        address: Address,
        cells: Collection[Cell],
        data: Mapping[str, Dataset],
        *,
        allow_mixed: bool,
        put: Callable[[Any], None],
        unwritten: Callable[[], int],
        on_share: Callable[[Cell, float], None],
    ) -> None:
        self.address, self.data, self.put, self.unwritten = address, data, put, unwritten
        #: Names the sweep, and the topic of its progress.
        self.name = f"equipoise-{uuid.uuid4().hex[:16]}"
        self.digests = {name: packing.digest(data[name]) for name in {cell.dataset for cell in cells}}
        self.assignments = Assignments(cells)
        self._allow_mixed, self._on_share = allow_mixed, on_share
        self._identity = identity()
        self._cuda = any(cell.device == "cuda" for cell in cells)
        self._tasks = 0

    async def run(self) -> None:
        """Run all cells.

        Raises:
            EquipoiseError: no scheduler answers at the start, or it was lost and did not come back.
        """
        if warning := self.address.warning():
            self.put(warning)
        url = self.address.url
        patience, waiting = START, f"no scheduler answers at {url} yet; trying for {START:.0f} seconds"
        while self.assignments.left:
            try:
                async with connected(self.address, patience, partial(self.put, waiting)) as connection:
                    if patience == PATIENCE:
                        self.put(f"the scheduler at {url} is back")
                    await Crew(self, connection).work()
            except SchedulerLost:
                patience = PATIENCE
                waiting = (
                    f"the scheduler at {url} is lost; waiting up to {PATIENCE / 60:.0f} minutes for it to come back "
                    "(finished cells are kept, and the same command goes on from there)"
                )

    def refusal(self, worker: Identity) -> str | None:
        """The reason in words why a worker may not take part; None if it may."""
        return refusal(self._identity, worker, cuda=self._cuda, allow_mixed=self._allow_mixed)

    def task(self) -> str:
        """A name for a task, used only once."""
        self._tasks += 1
        return f"{self.name}-{self._tasks}"

    def hear_share(self, message: list[Any]) -> None:
        """Pass on the finished share of a cell, as a worker has sent it."""
        key, share = message
        if (cell := self.assignments.left.get(key)) is not None:
            self._on_share(cell, share)
