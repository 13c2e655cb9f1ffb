"""Random resampling by labelset: LP-ROS clones rows of rare label combinations, LP-RUS deletes rows of common ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.arrays import Ints
from equipoise.measures import labelset_ids

_REFERENCE = (
    "Charte, Rivera, del Jesus & Herrera 2013, DOI 10.1007/978-3-642-40846-5_16; "
    "2015, DOI 10.1016/j.neucom.2014.08.091"
)


@dataclass(frozen=True)
class LPROS(Strategy):
    """Clone rows of labelsets rarer than the mean labelset, up to that mean, until p · rows have been added.

    This variant: the mean is rows / labelsets, the empty labelset being one; bags below it grow from the fullest to the
    emptiest, each by its equal share of what is left of the budget and never above the mean; what a bag cannot take goes to
    those after it; clones are drawn from original rows with replacement. Where every labelset is unique, nothing happens.
    """

    name: ClassVar[str] = "lp_ros"
    reference: ClassVar[str] = _REFERENCE
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.25, low=0.0, high=1.0)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        _, ids, sizes = labelset_ids(rows.Y)
        grow = _shares(np.floor(len(rows) / len(sizes) - sizes), rows.Y, int(len(rows) * self.p))
        by_set, start = np.argsort(ids, kind="stable"), np.cumsum(sizes) - sizes
        which = np.repeat(np.arange(len(sizes)), grow)
        places = start[which] + (ctx.rng.random(len(which)) * sizes[which]).astype(np.int64)
        return rows.repeat(by_set[places])


@dataclass(frozen=True)
class LPRUS(Strategy):
    """Delete rows of labelsets more common than the mean labelset, down to that mean, until p · rows are gone.

    This variant: the mean is rows / labelsets, the empty labelset being one; bags above it shrink from the emptiest to the
    fullest, each by its equal share of what is left of the budget and never below the mean; what a bag cannot give is
    taken from those after it. Where every labelset is unique, nothing happens.
    """

    name: ClassVar[str] = "lp_rus"
    reference: ClassVar[str] = _REFERENCE
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.25, low=0.0, high=0.5)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        _, ids, sizes = labelset_ids(rows.Y)
        shrink = _shares(np.floor(sizes - len(rows) / len(sizes)), rows.Y, int(len(rows) * self.p))
        if not shrink.any():
            return rows
        order = np.lexsort((ctx.rng.random(len(rows)), ids))
        rank = np.empty(len(rows), dtype=np.int64)
        rank[order] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return rows.take(np.flatnonzero(rank >= shrink[ids]))


def _shares(room: np.ndarray, Y: np.ndarray, budget: int) -> Ints:
    """How much of the budget each labelset gets: equal shares, at most its room, remainders to those with more room.

    LabelBags are served by room, the smallest first, each with ⌊budget left / bags left⌋; so from the first bag on that has
    room for its share, all have, and the shares differ by one at most.
    """
    room = np.maximum(room, 0).astype(np.int64)
    first = labelset_ids(Y)[0]
    order = np.lexsort((first, room))
    order = order[room[order] > 0]
    full = np.cumsum(room[order]) - room[order]
    left = np.arange(len(order), 0, -1)
    enough = np.flatnonzero(room[order] > np.maximum(budget - full, 0) // left)
    cut = enough[0] if len(enough) else len(order)
    out = np.zeros(len(room), dtype=np.int64)
    out[order[:cut]] = room[order[:cut]]
    if cut < len(order):
        share, extra = divmod(max(budget - int(full[cut]), 0), len(order) - cut)
        out[order[cut:]] = share
        out[order[len(order) - extra :]] += extra > 0
    return out
