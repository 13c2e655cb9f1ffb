"""Random resampling by label: ML-ROS clones rows of rare labels, ML-RUS deletes rows of frequent ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.arrays import Ints
from equipoise.resampling.label_bags import (
    LabelBags,
    bags_of,
    entries,
    label_counts,
    majority,
    minority,
    ratios,
)

_REFERENCE = "Charte, Rivera, del Jesus & Herrera 2015, DOI 10.1016/j.neucom.2014.08.091"
_CELLS = 1 << 19  # cells of running counts that are looked at in one go


@dataclass(frozen=True)
class MLROS(Strategy):
    """Clone rows of labels whose imbalance ratio exceeds the mean, in turn, until p · rows have been added.

    This variant: MeanIR is taken once, on the rows as they are, over labels with a positive; the bags hold original rows
    only; after each clone the label's ratio is taken anew from the counts of the grown set (the largest count too), and a
    bag whose ratio no longer exceeds MeanIR leaves; the budget is exact (a pass is cut short); labels without positives
    have no bag; the labels take turns in the order of their columns, as in the programs in circulation, and who comes first
    matters: on *medical* this order makes 34 clones, rarest first would make 38.
    """

    name: ClassVar[str] = "ml_ros"
    reference: ClassVar[str] = _REFERENCE
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.25, low=0.0, high=1.0)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        return rows.repeat(clones(rows.Y, int(len(rows) * self.p), ctx.rng))


@dataclass(frozen=True)
class MLRUS(Strategy):
    """Delete rows of labels whose imbalance ratio is below the mean, in turn, until p · rows are gone.

    The mirror image of ML-ROS, in this variant: rows with a label above MeanIR are never deleted, nor rows without labels;
    MeanIR is taken once; after each deletion the label's ratio is taken anew (the largest count too), and a bag whose ratio
    is no longer below MeanIR, or that is empty, leaves; the labels take turns in the order of their columns.
    """

    name: ClassVar[str] = "ml_rus"
    reference: ClassVar[str] = _REFERENCE
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.1, low=0.0, high=0.5)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        kept = np.ones(len(rows), dtype=bool)
        kept[deletions(rows.Y, int(len(rows) * self.p), ctx.rng)] = False
        return rows if kept.all() else rows.take(np.flatnonzero(kept))


def clones(Y: np.ndarray, budget: int, rng: np.random.Generator) -> Ints:
    """Positions of the rows of Y (n, L) to clone, at most `budget`, repeats allowed.

    One clone after the other is the rule. As long as no bag leaves, what comes next is known: so many passes over the bags
    are drawn at once, their running counts taken in one sum, and cut after the pass in which the first bag leaves.
    """
    counts = label_counts(Y)
    limit, found = ratios(counts)[1], np.flatnonzero(minority(counts))
    if budget <= 0 or not len(found):
        return np.empty(0, dtype=np.int64)
    bags = bags_of(Y, found)
    uniform, chosen = rng.random(budget), np.empty(budget, dtype=np.int64)
    alive, done, passes = np.arange(len(bags)), 0, 1
    while len(alive) and done < budget:
        which = np.resize(alive, min(passes * len(alive), budget - done))
        rows = bags.draw(which, uniform[done : done + len(which)])
        added = Y[rows].cumsum(0, dtype=np.int32)
        own = counts[bags.labels[which]] + added[np.arange(len(which)), bags.labels[which]]
        top = np.flatnonzero(
            counts + len(which) >= counts.max()
        )  # no other label can become the most frequent one
        leaving = np.flatnonzero((counts[top] + added[:, top]).max(1) / own <= limit)
        size = len(which) if not len(leaving) else (leaving[0] // len(alive) + 1) * len(alive)
        size = min(size, len(which))
        chosen[done : done + size] = rows[:size]
        done, counts = done + size, counts + added[size - 1]
        room = max(1, _CELLS // (len(alive) * Y.shape[1]))
        passes = max(1, passes // 2) if len(leaving) else min(2 * passes, room)
        alive = np.setdiff1d(alive, which[leaving[leaving < size]])
    return chosen[:done]


def deletions(Y: np.ndarray, budget: int, rng: np.random.Generator) -> Ints:
    """Positions of the rows of Y (n, L) to delete, at most `budget`, each once.

    The bags are shuffled once and worked off from the front, past rows that another bag has deleted.
    """
    counts = label_counts(Y)
    limit, rare, common = ratios(counts)[1], minority(counts), np.flatnonzero(majority(counts))
    if budget <= 0 or not len(common):
        return np.empty(0, dtype=np.int64)
    free = np.flatnonzero(~Y[:, rare].any(1))
    bags = bags_of(Y[free], common)
    keys = rng.random(len(bags.rows))
    order = np.lexsort((keys, np.repeat(np.arange(len(bags)), bags.sizes)))
    shuffled = LabelBags(bags.labels, bags.rows[order], bags.start)
    return free[_worked_off(Y[free], shuffled, counts, limit, budget)]


def _worked_off(Y: np.ndarray, bags: LabelBags, counts: Ints, limit: float, budget: int) -> list[int]:
    """The rule itself, a loop over deletions: each depends on the counts that the last one left."""
    row, label = entries(Y)
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(Y)))]).tolist()
    labels, left, gone = label.tolist(), counts.tolist(), bytearray(len(Y))
    most, out = max(left), list[int]()
    turns = [(own, iter(bags[b].tolist())) for b, own in enumerate(bags.labels.tolist())]
    while turns and len(out) < budget:
        staying = []
        for own, bag in turns:
            at = next((r for r in bag if not gone[r]), None) if len(out) < budget else None
            if at is None:
                continue
            gone[at] = 1
            out.append(at)
            held = labels[start[at] : start[at + 1]]
            was_most = any(left[j] == most for j in held)
            for j in held:
                left[j] -= 1
            most = max(left) if was_most else most
            if left[own] and most / left[own] < limit:
                staying.append((own, bag))
        turns = staying
    return out
