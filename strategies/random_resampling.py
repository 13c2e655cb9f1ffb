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

_REFERENCE = (
    "Charte, Rivera, del Jesus & Herrera 2015, Addressing imbalance in multilabel classification: measures and random "
    "resampling algorithms, Neurocomputing, DOI 10.1016/j.neucom.2014.08.091"
)
#: Largest array of running counts (draws × labels) that is computed at once: 2 MB of int32.
_CELLS = 1 << 19


@dataclass(frozen=True)
class MLROS(Strategy):
    """ML-ROS: clone random rows of rare labels, the labels taking turns, until p · rows have been added.

    A label is rare if its imbalance ratio IRLbl (the largest label count over its own) exceeds the mean, MeanIR.

    Variant: MeanIR is computed once, from the original rows, over labels with a positive. Only original rows are cloned. After
    each clone the label's IRLbl is computed anew from the counts of the enlarged set, whose largest count may have grown, too;
    a label whose IRLbl no longer exceeds MeanIR drops out. The budget is exact: the last round may end early. Labels take
    turns in the order of their columns, as in the programs in circulation; the order matters: on *medical* this one makes 34
    clones, rarest first would make 38.
    """

    name: ClassVar[str] = "ml_ros"
    changes: ClassVar[frozenset[str]] = frozenset({"rows"})
    reference: ClassVar[str] = _REFERENCE
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.25, low=0.0, high=1.0, at_least=0)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        return rows.repeat(clones(rows.Y, int(len(rows) * self.p), ctx.rng))


@dataclass(frozen=True)
class MLRUS(Strategy):
    """ML-RUS: delete random rows of frequent labels, the labels taking turns, until p · rows are deleted.

    The counterpart of ML-ROS: a label is frequent if its imbalance ratio IRLbl is below the mean, MeanIR.

    Variant: rows with a label above MeanIR are never deleted, nor are rows without labels. MeanIR is computed once. After each
    deletion the label's IRLbl is computed anew, with the largest count of the remaining rows; a label whose IRLbl is no longer
    below MeanIR, or that has no row left to delete, drops out. Labels take turns in the order of their columns.
    """

    name: ClassVar[str] = "ml_rus"
    changes: ClassVar[frozenset[str]] = frozenset({"rows"})
    reference: ClassVar[str] = _REFERENCE
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.1, low=0.0, high=0.5, at_least=0, at_most=1)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        kept = np.ones(len(rows), dtype=bool)
        kept[deletions(rows.Y, int(len(rows) * self.p), ctx.rng)] = False
        return rows if kept.all() else rows.take(np.flatnonzero(kept))


def clones(Y: np.ndarray, budget: int, rng: np.random.Generator) -> Ints:
    """Positions of the rows of Y (n, L) to clone, at most `budget`; a row may occur several times.

    The rule clones one row after the other. Until a label drops out, however, it is known which label comes next. So several
    rounds (one clone for each label) are drawn at once, their running counts come from one cumulative sum, and the draws are
    cut off after the round in which the first label drops out.
    """
    counts = label_counts(Y)
    limit, rare = ratios(counts)[1], np.flatnonzero(minority(counts))
    if budget <= 0 or not len(rare):
        return np.empty(0, dtype=np.int64)
    bags = bags_of(Y, rare)
    # All random numbers in advance: the result then does not depend on how many rounds are drawn at once.
    uniform, chosen = rng.random(budget), np.empty(budget, dtype=np.int64)
    active, done, rounds = np.arange(len(bags)), 0, 1
    while len(active) and done < budget:
        which = np.resize(active, min(rounds * len(active), budget - done))  # the bag of each draw, in turns
        rows = bags.draw(which, uniform[done : done + len(which)])
        added = Y[rows].cumsum(0, dtype=np.int32)
        label_count = counts[bags.labels[which]] + added[np.arange(len(which)), bags.labels[which]]
        # Only these labels can become the most frequent one within so few clones; looking at all would be slow.
        top = np.flatnonzero(counts + len(which) >= counts.max())
        leaving = np.flatnonzero((counts[top] + added[:, top]).max(1) / label_count <= limit)
        # A label that drops out still lets the others finish the round.
        size = len(which) if not len(leaving) else (leaving[0] // len(active) + 1) * len(active)
        size = min(size, len(which))
        chosen[done : done + size] = rows[:size]
        done, counts = done + size, counts + added[size - 1]
        # Draws after the cut are wasted, so fewer rounds are tried when labels drop out, and more while none does.
        most_rounds = max(1, _CELLS // (len(active) * Y.shape[1]))
        rounds = max(1, rounds // 2) if len(leaving) else min(2 * rounds, most_rounds)
        active = np.setdiff1d(active, which[leaving[leaving < size]])
    return chosen[:done]


def deletions(Y: np.ndarray, budget: int, rng: np.random.Generator) -> Ints:
    """Positions of the rows of Y (n, L) to delete, at most `budget`, each once.

    Each label's rows are shuffled once and then deleted from the front; rows already deleted for another label are passed over.
    """
    counts = label_counts(Y)
    limit, rare, common = ratios(counts)[1], minority(counts), np.flatnonzero(majority(counts))
    if budget <= 0 or not len(common):
        return np.empty(0, dtype=np.int64)
    deletable = np.flatnonzero(~Y[:, rare].any(1))
    bags = bags_of(Y[deletable], common)
    # Sorting by (bag, random key) shuffles all bags in one call.
    keys = rng.random(len(bags.rows))
    order = np.lexsort((keys, np.repeat(np.arange(len(bags)), bags.sizes)))
    shuffled = LabelBags(bags.labels, bags.rows[order], bags.start)
    return deletable[_delete_in_turns(Y[deletable], shuffled, counts, limit, budget)]


def _delete_in_turns(Y: np.ndarray, bags: LabelBags, counts: Ints, limit: float, budget: int) -> list[int]:
    """The deletion rule itself, one row after the other, since each deletion depends on the counts left by the last one."""
    # Plain lists and integers: indexing single elements of NumPy arrays would make this loop several times slower.
    row, label = entries(Y)
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(Y)))]).tolist()
    labels, remaining, deleted = label.tolist(), counts.tolist(), bytearray(len(Y))
    largest, out = max(remaining), list[int]()
    turns = [(j, iter(bags[b].tolist())) for b, j in enumerate(bags.labels.tolist())]
    while turns and len(out) < budget:
        staying = []
        for bag_label, bag in turns:
            chosen = next((r for r in bag if not deleted[r]), None) if len(out) < budget else None
            if chosen is None:
                continue
            deleted[chosen] = 1
            out.append(chosen)
            row_labels = labels[start[chosen] : start[chosen + 1]]
            # The maximum over all labels is only taken again if a label that holds it has lost a row.
            had_largest = any(remaining[j] == largest for j in row_labels)
            for j in row_labels:
                remaining[j] -= 1
            largest = max(remaining) if had_largest else largest
            if remaining[bag_label] and largest / remaining[bag_label] < limit:
                staying.append((bag_label, bag))
        turns = staying
    return out
