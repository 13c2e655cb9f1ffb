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
    "Charte, Rivera, del Jesus & Herrera 2013, A first approach to deal with imbalance in multi-label datasets, HAIS, DOI "
    "10.1007/978-3-642-40846-5_16; 2015, Addressing imbalance in multilabel classification: measures and random resampling "
    "algorithms, Neurocomputing, DOI 10.1016/j.neucom.2014.08.091"
)


@dataclass(frozen=True)
class LPROS(Strategy):
    """LP-ROS: clone rows of rare labelsets, those with fewer rows than the mean labelset, until p · rows have been added.

    Variant: the mean is rows / labelsets, and the empty labelset counts as one. Labelsets below the mean are served from the
    largest to the smallest; each gets an equal share of the remaining budget but never grows above the mean, and what it
    cannot take goes to the next. Clones are drawn from the labelset's original rows with replacement. If every labelset is
    unique, no row is cloned.
    """

    name: ClassVar[str] = "lp_ros"
    changes: ClassVar[frozenset[str]] = frozenset({"rows"})
    reference: ClassVar[str] = _REFERENCE
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.25, low=0.0, high=1.0, at_least=0)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        _, ids, sizes = labelset_ids(rows.Y)
        grow = _shares(np.floor(len(rows) / len(sizes) - sizes), rows.Y, int(len(rows) * self.p))
        # Rows sorted by labelset: labelset s occupies positions start[s] .. start[s] + sizes[s] − 1.
        by_set, start = np.argsort(ids, kind="stable"), np.cumsum(sizes) - sizes
        which = np.repeat(np.arange(len(sizes)), grow)
        positions = start[which] + (ctx.rng.random(len(which)) * sizes[which]).astype(np.int64)
        return rows.repeat(by_set[positions])


@dataclass(frozen=True)
class LPRUS(Strategy):
    """LP-RUS: delete rows of common labelsets, those with more rows than the mean labelset, until p · rows are deleted.

    Variant: the mean is rows / labelsets, and the empty labelset counts as one. Labelsets above the mean are reduced from the
    smallest to the largest; each loses an equal share of the remaining budget but never falls below the mean, and what it
    cannot give is taken from the next. If every labelset is unique, no row is deleted.
    """

    name: ClassVar[str] = "lp_rus"
    changes: ClassVar[frozenset[str]] = frozenset({"rows"})
    reference: ClassVar[str] = _REFERENCE
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.25, low=0.0, high=0.5, at_least=0, at_most=1)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        _, ids, sizes = labelset_ids(rows.Y)
        shrink = _shares(np.floor(sizes - len(rows) / len(sizes)), rows.Y, int(len(rows) * self.p))
        if not shrink.any():
            return rows
        # A random rank within each labelset; the rows with the lowest ranks are deleted.
        order = np.lexsort((ctx.rng.random(len(rows)), ids))
        rank = np.empty(len(rows), dtype=np.int64)
        rank[order] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return rows.take(np.flatnonzero(rank >= shrink[ids]))


def _shares(room: np.ndarray, Y: np.ndarray, budget: int) -> Ints:
    """Rows to add to, or delete from, each labelset, (labelsets,): equal shares of the budget, at most `room` for each.

    Labelsets are served in ascending order of room, each with ⌊remaining budget / remaining labelsets⌋ rows or all its room.
    """
    room = np.maximum(room, 0).astype(np.int64)
    first = labelset_ids(Y)[0]
    order = np.lexsort((first, room))  # of equal room, the labelset that occurs first in the data
    order = order[room[order] > 0]
    used_before = np.cumsum(room[order]) - room[order]  # if all earlier labelsets are filled up
    remaining = np.arange(len(order), 0, -1)
    # From the first labelset with room for its whole share on, all have room, so no loop over labelsets is needed.
    has_room = np.flatnonzero(room[order] > np.maximum(budget - used_before, 0) // remaining)
    cut = has_room[0] if len(has_room) else len(order)
    out = np.zeros(len(room), dtype=np.int64)
    out[order[:cut]] = room[order[:cut]]
    if cut < len(order):
        share, extra = divmod(max(budget - int(used_before[cut]), 0), len(order) - cut)
        out[order[cut:]] = share
        # The remainder, one row each, to those with the most room.
        out[order[len(order) - extra :]] += extra > 0
    return out
