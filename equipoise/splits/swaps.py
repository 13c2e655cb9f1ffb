"""Rows exchanged between folds, until label pairs are spread as evenly as labels.

Iterative stratification looks at one label at a time; which labels come together it leaves to chance. Szymański &
Kajdanowicz (2017, PMLR 74:22-35) deal pairs instead, and pay with the labels. Here the rows are dealt by labels
(equipoise.splits.iterative) and then change places, one for one, so that fold sizes stay as they are. An exchange is
made when it lowers the sum of weight × count² over folds and traits, where the traits are labels and pairs: the
sum is least when every fold has its share of each.

* Rows are compared in groups, one of each fold, neighbours in the order of labelsets: they share their
  frequent labels, and an exchange moves only what differs.
* Many groups are looked at together. What their exchanges did, all in all, is counted exactly; if it was for the worse
  it is undone, and fewer are made at a time.
* Labels weigh little at first, for little can move otherwise, then more and more; what is then still uneven is mended
  label by label. Labels with no more positives than folds outweigh everything from the first: their rows stay apart.

Everything that decides is a whole number or a random draw, so that no platform's rounding moves a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.splits.iterative import Flags, Index
from equipoise.splits.label_pairs import Traits, traits_of

PAIR = 4  # what a pair weighs
STAGES = (1, 4, 16)  # what a label weighs, stage by stage
HARD = 1 << 26  # no gain in pairs outweighs this
SCARCE = 1 << 44  # and no gain in other labels this
WORK = 1_000_000  # traits of rows to look at in each stage
MOST = 2  # passes in each stage at most
GROUPS = 20_000  # groups to look at in each pass
TOGETHER = 64  # groups looked at together at most
NEAR = 20  # places by which the order of labelsets is shaken for each pass
REPAIRS, TRIES = 500, 4  # exchanges for the sake of one label: in all, and in vain for any one label
CANDIDATES = 512  # rows on each side that are looked at for it; twice as many after each try in vain
SHORT, COMPARED = 64, 1 << 14  # of these, rows that have the label, and pairs of rows, that are compared


def swap_refine(present: Flags, folds: Index, k: int, order: Index, rng: np.random.Generator) -> None:
    """Improve the folds in place. Neither a fold's size nor the sum over labels of squared deviations gets worse.

    Args:
        present: (n, L).
        folds: (n,) ids 0..k-1.
        order: the rows with similar labelsets beside each other: `equipoise.splits.iterative.labelset_order`.
    """
    traits = traits_of(present)
    if traits.pairs == 0:
        return
    for stages in (STAGES, STAGES, (HARD,)):
        table = _Table.of(traits, folds.copy(), k)
        before = table.label_cost()
        passes = min(MOST, max(1, WORK // len(traits.of)))
        for stage in stages:
            for _ in range(passes):
                _pass(table, stage, order, rng)
        repair(table, present, rng)
        if table.label_cost() <= before:  # nearly always; else other draws, then nothing that labels pay for
            folds[:] = table.folds
            return


@dataclass
class _Table:
    """Where each row is, and how many rows with each trait a fold has: counts (traits, k), less a share for all folds.

    Only differences between folds matter; small numbers keep the sums of weighted squares far from overflow.
    """

    traits: Traits
    folds: Index
    k: int
    positives: Index
    counts: Index

    @classmethod
    def of(cls, traits: Traits, folds: Index, k: int) -> _Table:
        cell = traits.of * np.int64(k) + np.repeat(folds, np.diff(traits.start))
        counts = np.bincount(cell, minlength=traits.total * k).reshape(traits.total, k)
        total = counts.sum(axis=1, keepdims=True)
        return cls(traits, folds, k, total[: traits.labels, 0], counts - total // k)

    def weights(self, label: int) -> Index:
        """(traits,): `label` for a label, more for a scarce one, 1 for a pair, nothing for the trait of all rows."""
        weights = np.full(self.traits.total, PAIR, dtype=np.int64)
        weights[: self.traits.labels] = np.where(self.positives <= self.k, SCARCE, label)
        weights[-1] = 0
        return weights

    def label_cost(self) -> tuple[int, int]:
        """Sums of squared deviations: of the labels with no more positives than folds, then of the others."""
        squares = (self.counts[: self.traits.labels] ** 2).sum(axis=1)
        scarce = self.positives <= self.k
        return int(squares[scarce].sum()), int(squares[~scarce].sum())

    def move(self, rows: Index, old: Index, new: Index, weights: Index) -> int:
        """Move rows from their old folds to new ones; what that does to the sum of weighted squares."""
        of, start = self.traits.of_rows(rows)
        touched, length = np.unique(of), np.diff(start)
        before = self.counts[touched]
        np.subtract.at(self.counts, (of, np.repeat(old, length)), 1)
        np.add.at(self.counts, (of, np.repeat(new, length)), 1)
        after = self.counts[touched]
        self.folds[rows] = new
        return int((weights[touched, None] * (after - before) * (after + before)).sum())


def _pass(table: _Table, label: int, order: Index, rng: np.random.Generator) -> None:
    """Look at every group once and make the exchanges that help."""
    weights = table.weights(label)
    own = np.add.reduceat(weights[table.traits.of], table.traits.start[:-1])
    groups = _groups(table, order, rng)
    size = int(np.clip(len(groups) // 8, 8, TOGETHER))
    at_once = size
    for first in range(0, len(groups), size):
        some = groups[first : first + size]
        gain, one, two = _best(table, some, weights, own, label)
        at_once = apply_swaps(table, some, gain, one, two, weights, min(size, at_once))


def _groups(table: _Table, order: Index, rng: np.random.Generator) -> Index:
    """(groups, k): rows of folds 0..k-1 that are near each other in the order, in random order of groups."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    shaken = np.argsort(place + rng.integers(0, NEAR, len(order)), kind="stable")
    members = [shaken[table.folds[shaken] == fold] for fold in range(table.k)]
    size = min(map(len, members))
    chosen = [rows[np.sort(rng.permutation(len(rows))[:size])] for rows in members]
    groups = np.stack(chosen, axis=1)[rng.permutation(size)]
    words = table.traits.words[groups]
    return groups[(words != words[:, :1]).any(axis=(1, 2))][:GROUPS]


def _best(table: _Table, groups: Index, weights: Index, own: Index, label: int) -> tuple[Index, Index, Index]:
    """Of each group the best exchange: what it saves (half of it), and its two folds."""
    k, g = table.k, len(groups)
    of, start = table.traits.of_rows(groups.ravel())
    # What fold f has of what the member of fold i has, weighted: (groups, i, f).
    has = np.add.reduceat(table.counts[of] * weights[of, None], start[:-1], axis=0).reshape(g, k, k)
    one, two = np.triu_indices(k, 1)
    words = table.traits.words[groups]
    shared = _shared(words[:, one] & words[:, two], label)
    alone = own[groups] - has[:, np.arange(k), np.arange(k)]
    change = has[:, one, two] + has[:, two, one] + alone[:, one] + alone[:, two] - 2 * shared
    best = change.argmin(axis=1)
    return -change[np.arange(g), best], one[best], two[best]


def _shared(both: NDArray[np.uint64], label: int) -> Index:
    """The weight of what two rows share, from the labels they share as bits in the last axis.

    Where a shared label is scarce, or its pairs are not counted, it is more: then a gain is thought smaller than it is.
    """
    common = np.bitwise_count(both).sum(axis=-1, dtype=np.int64)
    return common * label + PAIR * (common * (common - 1) // 2)


def apply_swaps(
    table: _Table, groups: Index, gain: Index, one: Index, two: Index, weights: Index, at_once: int
) -> int:
    """Make the exchanges that help most, `at_once` or, where they get in each other's way, fewer; how many next time."""
    best = np.lexsort((np.arange(len(gain)), -gain))
    best = best[gain[best] > 0]
    while len(best):
        best = best[:at_once]
        a, b = one[best], two[best]
        rows, old, new = np.concatenate([groups[best, a], groups[best, b]]), np.append(a, b), np.append(b, a)
        change, promised = table.move(rows, old, new, weights), 2 * int(gain[best].sum())
        if change < 0:
            return max(1, at_once // 2) if -2 * change < promised else at_once * 2
        table.move(rows, new, old, weights)
        at_once = max(1, len(best) // 2)
    return at_once


def repair(table: _Table, present: Flags, rng: np.random.Generator) -> None:
    """Exchange single rows for the labels whose counts still differ by more than one, the scarcest label first."""
    weights, failed = table.weights(HARD), np.zeros(table.traits.labels, dtype=np.int64)
    own = np.add.reduceat(weights[table.traits.of], table.traits.start[:-1])
    for _ in range(REPAIRS):  # one label's repair may unsettle another, so look anew each time
        uneven = np.flatnonzero((np.ptp(table.counts[: table.traits.labels], axis=1) > 1) & (failed < TRIES))
        if len(uneven) == 0:
            return
        label = int(uneven[table.positives[uneven].argmin()])
        many = CANDIDATES << int(failed[label])
        failed[label] += not _mended(table, present[:, label], label, weights, own, many, rng)


def _mended(
    table: _Table, has: Flags, label: int, weights: Index, own: Index, many: int, rng: np.random.Generator
) -> bool:
    """Exchange a row that has the label for one that lacks it, between the folds with most and fewest; whether any helps."""
    full, empty = int(table.counts[label].argmax()), int(table.counts[label].argmin())
    lacks = weights * (table.counts[:, full] - table.counts[:, empty])
    out, out_price = _cheapest(table, (table.folds == full) & has, own, -lacks, many, rng)
    back, back_price = _cheapest(table, (table.folds == empty) & ~has, own, lacks, many, rng)
    out, out_price = out[:SHORT], out_price[:SHORT]
    enough = COMPARED // len(out)
    back, back_price = back[:enough], back_price[:enough]
    words = table.traits.words
    change = out_price[:, None] + back_price - 2 * _shared(words[out][:, None] & words[back], HARD)
    i, j = np.unravel_index(int(change.argmin()), change.shape)
    if change[i, j] >= 0:
        return False
    rows, folds = np.array([out[i], back[j]]), np.array([full, empty])
    table.move(rows, folds, folds[::-1], weights)
    return True


def _cheapest(
    table: _Table, where: Flags, own: Index, price: Index, many: int, rng: np.random.Generator
) -> tuple[Index, Index]:
    """Of `many` rows `where`, those whose move costs least by itself first, and what it costs (half of it)."""
    rows = np.flatnonzero(where)
    if len(rows) > many:
        rows = np.sort(rng.choice(rows, many, replace=False))
    of, start = table.traits.of_rows(rows)
    cost = own[rows] + np.add.reduceat(price[of], start[:-1])
    cheap = np.argsort(cost, kind="stable")
    return rows[cheap], cost[cheap]
