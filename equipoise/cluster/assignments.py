"""Which cells wait, and which worker has which. Knows nothing of dask."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from equipoise.sweep.attempts import Attempts

if TYPE_CHECKING:
    from equipoise.experiment.cell import Cell
    from equipoise.sweep.batches import Result

Group = tuple["Cell", ...]
#: A cell of which so many workers have died becomes a failed row. One more than on one machine, where nobody else ends workers.
DEATHS = 3


class Assignments:
    """Gives out groups of cells. A group is with one worker at a time, and comes back unless it is finished."""

    def __init__(self, cells: Collection[Cell]) -> None:
        self._attempts = Attempts(cells, DEATHS)
        self._waiting: asyncio.Queue[Group] = asyncio.Queue()
        self._with: dict[str, Group] = {}
        self._divided_for = 0

    @property
    def left(self) -> dict[str, Cell]:
        """The cells without a result, by key."""
        return self._attempts.left

    def divide(self, workers: int) -> None:
        """Divide the cells that wait into groups for so many workers.

        It is done again when there are twice as many workers as before, for dividing a long plan takes time.
        """
        if workers < max(1, 2 * self._divided_for):
            return
        self._divided_for = workers
        while not self._waiting.empty():
            self._waiting.get_nowait()
        out = {cell.key for group in self._with.values() for cell in group}
        for group in self._attempts.groups(workers):
            if rest := tuple(cell for cell in group if cell.key not in out):
                self._waiting.put_nowait(rest)

    async def take(self, worker: str) -> Group:
        """The next group, for this worker; waits until there is one."""
        group = await self._waiting.get()
        self._with[worker] = group
        return group

    def finish(self, key: str) -> Cell | None:
        """Take out a cell that has its result; None if it had one before."""
        return self._attempts.finished(key) if key in self.left else None

    def done(self, worker: str) -> None:
        """The group of a worker is finished."""
        self._with.pop(worker, None)

    def back(self, worker: str) -> None:
        """The group of a worker waits again, and is not to blame for that."""
        if rest := self._rest(worker):
            self._waiting.put_nowait(rest)

    def died(self, worker: str) -> list[tuple[Cell, Result]]:
        """A worker has died while it ran its group, whose cells wait again one by one.

        Returns:
            The cells of which too many workers have died, with their failed rows.
        """
        rest = self._rest(worker)
        self._attempts.died(cell.key for cell in rest)
        given_up = self._attempts.given_up()
        for cell in rest:
            if cell.key in self.left:
                self._waiting.put_nowait((cell,))
        return given_up

    def all_back(self) -> None:
        """The scheduler is lost: every group waits again, to be divided among the workers of the next one."""
        self._with.clear()
        self._waiting = asyncio.Queue()
        self._divided_for = 0

    def _rest(self, worker: str) -> Group:
        return tuple(cell for cell in self._with.pop(worker, ()) if cell.key in self.left)
