"""Refines folds by swapping rows between them, until pairs of labels are spread as evenly as single labels.

Iterative stratification looks at one label at a time and leaves the co-occurrence of labels to chance. Szymański &
Kajdanowicz (2017, PMLR 74:22-35) assign pairs of labels instead, at the cost of less even labels. Here rows are first
assigned by labels (`equipoise.splits.iterative`) and then swapped, one for one, so that fold sizes do not change. A swap is
made if it lowers the sum of weight × count² over folds and traits, where traits are labels and pairs of labels. That sum is
smallest if every fold has an equal share of every trait.

* Candidates are compared in groups of one row from each fold, rows that are close in the order of labelsets. Such rows share
  their frequent labels, so a swap moves only the traits in which they differ.
* Many swaps are made at once, each chosen as if it were the only one. Their joint effect is then counted exactly; if the sum
  rose, they are undone, and fewer are tried at a time.
* The weight of labels starts low, since hardly any swap is possible otherwise, and rises in stages. Labels that are still uneven
  after that are repaired one by one. Labels with no more positives than folds outweigh everything from the start, so that their
  rows stay in different folds.
* Where rows must stay together (`equipoise.splits.units`), whole units are swapped, each for one of as many rows. What a swap
  would save is then a guess, and the exact change, which is counted after each swap, decides.

All decisions rest on integers and random draws, so the folds are the same on every platform.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.splits.fold_counts import PAIR, FoldCounts
from equipoise.splits.label_pairs import traits_of
from equipoise.splits.units import Flags, Index, Units

STAGES = (1, 4, 16)  # weight of a label in each stage
HARD = 1 << 26  # a label weight that no gain in pairs can outweigh
WORK = 1_000_000  # number of row traits to visit in each stage, which bounds the time
MOST = 2  # largest number of passes in each stage
GROUPS = 20_000  # largest number of groups in each pass
TOGETHER = 64  # largest number of groups evaluated at once
NEAR = 20  # positions by which each pass jitters the order of labelsets, so that groups differ between passes
REPAIRS, TRIES = 500, 4  # repairing single labels: swaps in total, and failed attempts for any one label
CANDIDATES = 512  # rows considered on each side of a repair; doubled after each failed attempt
SHORT, COMPARED = (
    64,
    1 << 14,
)  # of these, how many rows with the label and how many pairs of rows are compared


def swap_refine(
    present: Flags, units: Units, folds: Index, k: int, order: Index, rng: np.random.Generator
) -> None:
    """Swap units between folds, in place, to spread pairs of labels; fold sizes do not change and labels do not get less even.

    Args:
        present: (n, L) which labels each row has. units: of these rows.
        folds: (U,) fold ids 0..k-1 of the units.
        order: (U,) the units sorted so that similar labelsets are adjacent; see `equipoise.splits.iterative.labelset_order`.
    """
    traits = traits_of(present).joined(units)
    if traits.pairs == 0:
        return
    for stages in (STAGES, STAGES, (HARD,)):
        table = FoldCounts.of(traits, units.size, folds.copy(), k)
        before = table.label_cost()
        passes = min(MOST, max(1, WORK // len(traits.of)))
        for stage in stages:
            for _ in range(passes):
                _pass(table, stage, order, rng)
        repair(table, units.present, rng)
        # Nearly always true. Otherwise there is a second attempt with other random draws, and then one in which labels weigh so
        # much that they cannot get worse.
        if table.label_cost() <= before:
            folds[:] = table.folds
            return


def _pass(table: FoldCounts, label: int, order: Index, rng: np.random.Generator) -> None:
    """Visit every group once and make the swaps that help, with this weight of a label."""
    weights = table.weights(label)
    row_weight = np.add.reduceat(weights[table.traits.of], table.traits.start[:-1])
    groups = _groups(table, order, rng)
    size = int(np.clip(len(groups) // 8, 8, TOGETHER))
    at_once = size
    for first in range(0, len(groups), size):
        batch = groups[first : first + size]
        gain, one, two = _best(table, batch, weights, row_weight, label)
        at_once = apply_swaps(table, batch, gain, one, two, weights, min(size, at_once))


def _groups(table: FoldCounts, order: Index, rng: np.random.Generator) -> Index:
    """Groups of one row from each of the folds 0..k-1 that are close in the order, (groups, k), in random order."""
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.arange(len(order))
    jittered = np.argsort(position + rng.integers(0, NEAR, len(order)), kind="stable")
    of_sizes = []
    for size in np.unique(table.size):
        alike = jittered[table.size[jittered] == size]
        members = [alike[table.folds[alike] == fold] for fold in range(table.k)]
        # Fold sizes may differ by one; larger folds leave out a random row.
        shortest = min(map(len, members))
        chosen = [rows[np.sort(rng.permutation(len(rows))[:shortest])] for rows in members]
        of_sizes.append(np.stack(chosen, axis=1))
    groups = np.concatenate(of_sizes)
    groups = groups[rng.permutation(len(groups))]
    # Groups whose rows all have the same labels have nothing to swap.
    words = table.traits.words[groups]
    return groups[(words != words[:, :1]).any(axis=(1, 2))][:GROUPS]


def _best(
    table: FoldCounts, groups: Index, weights: Index, row_weight: Index, label: int
) -> tuple[Index, Index, Index]:
    """The best swap of each group: half of what it saves, and the two folds; (groups,) each."""
    k, g = table.k, len(groups)
    of, start = table.traits.of_rows(groups.ravel())
    # has[g, i, f]: the weighted count, in fold f, of the traits of the group's row from fold i.
    has = np.add.reduceat(table.counts[of] * weights[of, None], start[:-1], axis=0).reshape(g, k, k)
    one, two = np.triu_indices(k, 1)
    words = table.traits.words[groups]
    shared = _shared(words[:, one] & words[:, two], label)
    # Moving a row from fold i to fold f changes count² by 2 (count_f − count_i + 1) for each of its traits. A swap makes two
    # such moves, but leaves the traits that both rows share where they are.
    leaving = row_weight[groups] - has[:, np.arange(k), np.arange(k)]
    change = has[:, one, two] + has[:, two, one] + leaving[:, one] + leaving[:, two] - 2 * shared
    best = change.argmin(axis=1)
    return -change[np.arange(g), best], one[best], two[best]


def _shared(both: NDArray[np.uint64], label: int) -> Index:
    """The weight of the traits that two rows share, from their common labels as bits in the last axis.

    Exact if the pairs of all common labels are counted and none of these labels is scarce. Otherwise the true weight is larger,
    so the gain of a swap is underestimated. The exact change is counted after the swap in any case.
    """
    common = np.bitwise_count(both).sum(axis=-1, dtype=np.int64)
    return common * label + PAIR * (common * (common - 1) // 2)


def apply_swaps(
    table: FoldCounts, groups: Index, gain: Index, one: Index, two: Index, weights: Index, at_once: int
) -> int:
    """Make the most useful swaps of these groups, at most `at_once`, and return how many to try at once next time.

    Swaps interact, because each was chosen as if it were the only one. If together they raise the sum of weighted squares, they
    are undone and half as many are tried.
    """
    best = np.lexsort((np.arange(len(gain)), -gain))
    best = best[gain[best] > 0]
    while len(best):
        best = best[:at_once]
        a, b = one[best], two[best]
        rows, old, new = np.concatenate([groups[best, a], groups[best, b]]), np.append(a, b), np.append(b, a)
        change, expected = table.move(rows, old, new, weights), 2 * int(gain[best].sum())
        if change < 0:
            # Less than half of the expected gain: swaps get in each other's way, so fewer are made next time.
            return max(1, at_once // 2) if -2 * change < expected else at_once * 2
        table.move(rows, new, old, weights)
        # Only where units have several rows, a single swap may turn out worse than its price.
        if len(best) == 1:
            return 1
        at_once = max(1, len(best) // 2)
    return at_once


def repair(table: FoldCounts, present: Flags, rng: np.random.Generator) -> None:
    """Make single swaps for labels whose counts in two folds still differ by more than one, the scarcest label first."""
    weights, failed = table.weights(HARD), np.zeros(table.traits.labels, dtype=np.int64)
    row_weight = np.add.reduceat(weights[table.traits.of], table.traits.start[:-1])
    for _ in range(REPAIRS):
        # Computed anew each time, as repairing one label may make another uneven.
        uneven = np.flatnonzero((np.ptp(table.counts[: table.traits.labels], axis=1) > 1) & (failed < TRIES))
        if len(uneven) == 0:
            return
        label = int(uneven[table.positives[uneven].argmin()])
        candidates = CANDIDATES << int(failed[label])
        failed[label] += not _repair_label(
            table, present[:, label], label, weights, row_weight, candidates, rng
        )


def _repair_label(
    table: FoldCounts,
    has: Flags,
    label: int,
    weights: Index,
    row_weight: Index,
    candidates: int,
    rng: np.random.Generator,
) -> bool:
    """Swap a row with the label for one without it, between the folds with most and fewest; False if no swap helps.

    Args:
        has: (n,) which rows have the label.
        row_weight: (n,) the sum of the weights of each row's traits.
        candidates: how many rows of each fold to consider.
    """
    full, empty = int(table.counts[label].argmax()), int(table.counts[label].argmin())
    surplus = weights * (table.counts[:, full] - table.counts[:, empty])
    out, out_price = _cheapest(table, (table.folds == full) & has, row_weight, -surplus, candidates, rng)
    back, back_price = _cheapest(table, (table.folds == empty) & ~has, row_weight, surplus, candidates, rng)
    # Where units have several rows, every unit of the one fold may have the label.
    if len(back) == 0:
        return False
    # Prices ignore the traits that the two rows share, so the cheapest of each side are compared pair by pair.
    out, out_price = out[:SHORT], out_price[:SHORT]
    limit = COMPARED // len(out)
    back, back_price = back[:limit], back_price[:limit]
    words = table.traits.words
    change = out_price[:, None] + back_price - 2 * _shared(words[out][:, None] & words[back], HARD)
    change = np.where(table.size[out][:, None] == table.size[back], change, np.iinfo(np.int64).max)
    i, j = np.unravel_index(int(change.argmin()), change.shape)
    if change[i, j] >= 0:
        return False
    rows, folds = np.array([out[i], back[j]]), np.array([full, empty])
    if table.move(rows, folds, folds[::-1], weights) < 0:
        return True
    # Only where units have several rows: there the price is a guess.
    table.move(rows, folds[::-1], folds, weights)
    return False


def _cheapest(
    table: FoldCounts, mask: Flags, row_weight: Index, price: Index, candidates: int, rng: np.random.Generator
) -> tuple[Index, Index]:
    """Random candidates among the rows of `mask`, the cheapest to move first, and half of what moving each alone would cost."""
    rows = np.flatnonzero(mask)
    if len(rows) > candidates:
        rows = np.sort(rng.choice(rows, candidates, replace=False))
    of, start = table.traits.of_rows(rows)
    cost = row_weight[rows] + np.add.reduceat(price[of], start[:-1])
    cheap = np.argsort(cost, kind="stable")
    return rows[cheap], cost[cheap]
