"""The cells of a sweep that still have to run, and how often a worker has died while it ran each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from equipoise.core.lazy import lazy
from equipoise.sweep.grouping import groups

if TYPE_CHECKING:
    from equipoise.experiment.cell import Cell
    from equipoise.sweep import batches
    from equipoise.sweep.batches import Result
else:
    batches = lazy("equipoise.sweep.batches")

#: A cell whose worker has died this often becomes a failed row.
DEATHS = 2
DIED = "the worker process died, {times} (killed, or out of memory)"
_TIMES = {2: "twice", 3: "three times"}


class Attempts:
    """The cells that are left. It is unknown which cell of a group killed its worker, so all of them become suspects.

    Suspects are tried again one by one, so that the next death can be attributed to its cell.
    """

    def __init__(self, cells: Iterable[Cell], deaths: int = DEATHS) -> None:
        self.left = {cell.key: cell for cell in cells}
        self._most = deaths
        self._deaths = dict.fromkeys(self.left, 0)
        self._suspects: set[str] = set()

    def suspects(self) -> list[Cell]:
        """The cells that are left of which a worker has died, or that ran in a group whose time was over."""
        return [cell for key, cell in self.left.items() if key in self._suspects]

    def groups(self, workers: int) -> list[tuple[Cell, ...]]:
        """The cells that are left: suspects by themselves, then the others in groups for this number of workers."""
        others = [cell for key, cell in self.left.items() if key not in self._suspects]
        return [*((cell,) for cell in self.suspects()), *groups(others, workers)]

    def finished(self, key: str) -> Cell:
        """Take out a cell that has its row."""
        return self.left.pop(key)

    def died(self, keys: Iterable[str]) -> None:
        """Count the death of a worker that was running these cells."""
        for key in keys:
            self._deaths[key] += 1
            self._suspects.add(key)

    def suspect(self, keys: Iterable[str]) -> None:
        """Let these cells run by themselves from now on, as one of them has stopped the others."""
        self._suspects.update(keys)

    def given_up(self) -> list[tuple[Cell, Result]]:
        """Take out the cells whose workers have died too often, each with its failed row."""
        keys = [key for key in self.left if self._deaths[key] >= self._most]
        # Worded like an error of the cell's own, since that is what its row will hold.
        error = RuntimeError(DIED.format(times=_TIMES.get(self._most, f"{self._most} times")))
        return [(cell, (batches.failed(cell, error), None)) for cell in map(self.finished, keys)]
