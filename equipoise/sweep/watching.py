"""What a sweep tells while it runs: callbacks for rows, problems and the progress of each cell."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.experiment.cell import Cell

#: The share from which on the time left is estimated; before, the start-up of a cell would make it many times too long.
KNOWN = 0.02


@dataclass(frozen=True)
class Progress:
    """How far the search of a running cell is; the refit and the test rows follow it.

    Attributes:
        share: of the steps of the search, 0 to 1. trial: the one it is at, from 1; those of a batch are trained side by side.
        trials: how many there are. seconds: since the cell began. left: an estimate for its search; NaN until there is one.
    """

    cell: Cell
    share: float
    trial: int
    trials: int
    seconds: float
    left: float

    @property
    def words(self) -> str:
        """ "trial 3 of 8", or that the chosen setting is being trained."""
        return "refit" if self.share >= 1 else f"trial {self.trial} of {self.trials}"


@dataclass(frozen=True)
class Watcher:
    """Callbacks of a sweep.

    Attributes:
        on_share: the finished share of a cell's search (0 to 1). on_row: a row that was written.
        on_problem: a problem in one line. on_progress: the same news as on_share, with trials and times; some per second at most.
    """

    on_share: Callable[[Cell, float], None] = lambda cell, share: None
    on_row: Callable[[Cell, dict[str, Any]], None] = lambda cell, row: None
    on_problem: Callable[[str], None] = lambda line: None
    on_progress: Callable[[Progress], None] | None = None


def with_progress(watch: Watcher) -> Watcher:
    """The watcher with `on_progress` fed by `on_share`, which is all that executors call."""
    if watch.on_progress is None:
        return watch
    began: dict[str, float] = {}
    on_share, on_progress = watch.on_share, watch.on_progress

    def share_of(cell: Cell, share: float) -> None:
        on_share(cell, share)
        now = time.monotonic()
        # A share of 0 says that a cell begins, perhaps again, after its worker has died.
        if share == 0:
            began.pop(cell.key, None)
        seconds = now - began.setdefault(cell.key, now)
        trials = cell.settings.trials
        left = seconds * (1 - share) / share if share >= KNOWN and seconds > 0 else math.nan
        trial = min(int(share * trials) + 1, trials)
        on_progress(Progress(cell, share, trial, trials, seconds, left))

    return replace(watch, on_share=share_of)
