"""Iterative stratification: assigns rows to folds, beginning with the rows of the scarcest label.

Sechidis, Tsoumakas & Vlahavas (2011, DOI 10.1007/978-3-642-23808-6_10) assign each row of the scarcest label to the fold that
still lacks most of its share of that label. This implementation differs in three ways:

* All remaining rows of a label are assigned at once. The sequence of folds depends only on counts, not on the rows' other labels,
  so it equals the paper's sequence at a fraction of the cost.
* Rows are assigned in the order of their labelsets, so that rows with equal or similar labelsets go to different folds.
* Fold sizes, which may drift apart in the paper, are evened out at the end by the moves that disturb the labels least.

What is assigned are units: single rows, or groups of rows that must stay together. Of several units with a label, the largest
come first, so that the small ones can fill the gaps that these leave.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from equipoise.splits.units import Flags, Index, Units


def stratify(units: Units, k: int, order: Index, rng: np.random.Generator) -> Index:
    """Fold ids 0..k-1, (U,), of units; the sizes of folds of single rows differ by at most one.

    Args:
        order: (U,) the units sorted so that similar labelsets are adjacent; see `labelset_order`.
    """
    folds, wanted = _assign(units, k, order, rng)
    _even_out(folds, units, wanted, rng)
    return folds


def labelset_order(units: Units, rng: np.random.Generator) -> Index:
    """The units sorted by the most frequent label, then by the second most frequent, and so on; ties in random order."""
    frequent = np.argsort(-units.counts.sum(axis=0, dtype=np.int64), kind="stable")
    # Packed into 64-bit words, the labelsets compare as a few integers each instead of L columns.
    words = packed(units.present[:, frequent])
    return np.lexsort((rng.random(len(units)), *words.T[::-1]))


def packed(present: Flags) -> NDArray[np.uint64]:
    """Each row's labels as bits of 64-bit words, (n, ⌈L / 64⌉) and at least one; the first label is the highest bit."""
    octets = np.packbits(present, axis=1)
    padding = max(8, -(-octets.shape[1] // 8) * 8) - octets.shape[1]
    whole = np.ascontiguousarray(np.pad(octets, ((0, 0), (0, padding))))
    # Read as big-endian on every platform: bits in the order of the labels.
    return whole.view(">u8").astype(np.uint64)


def _assign(units: Units, k: int, order: Index, rng: np.random.Generator) -> tuple[Index, Index]:
    """Fold ids by iterative stratification, and how many positives each fold then lacks, times k: (U,) and (k, L)."""
    counts, size = units.counts, units.size
    folds = np.full(len(units), -1, dtype=np.int64)
    remaining = counts.sum(axis=0, dtype=np.int64)
    # A fold's share of a label is count / k. All shares are kept times k, so that they are integers and ties are exact.
    wanted, room = np.repeat(remaining[None, :], k, axis=0), np.full(k, size.sum(), dtype=np.int64)
    columns = np.ascontiguousarray(units.present[order].T)
    while remaining.any():
        label = _scarcest(remaining, rng)
        of_label = order[columns[label]]
        of_label = _largest_first(of_label[folds[of_label] < 0], size)
        amounts = counts[of_label, label].astype(np.int64)
        folds[of_label] = _fold_sequence(amounts, size[of_label], wanted[:, label], room, rng)
        remaining -= counts[of_label].sum(axis=0, dtype=np.int64)
        for fold in range(k):
            wanted[fold] -= k * counts[of_label[folds[of_label] == fold]].sum(axis=0, dtype=np.int64)
    unlabelled = _largest_first(order[folds[order] < 0], size)
    folds[unlabelled] = _fold_sequence(size[unlabelled], size[unlabelled], room, room, rng)
    return folds, wanted


def _largest_first(units: Index, size: Index) -> Index:
    """These units, larger ones first; equally large ones keep their order."""
    return units[np.argsort(-size[units], kind="stable")]


def _scarcest(remaining: Index, rng: np.random.Generator) -> int:
    """The label with the fewest rows left to assign, but at least one; ties are broken at random."""
    smallest = np.flatnonzero(remaining == remaining[remaining > 0].min())
    return int(rng.choice(smallest))


def _fold_sequence(
    amounts: Index, sizes: Index, wanted: Index, room: Index, rng: np.random.Generator
) -> Index:
    """The folds to which m units of one label go, one after the other, (m,).

    Each goes to the fold that lacks the label most, of equal ones to the fold with most room, then to a random one.

    Args:
        amounts: (m,) rows of each unit with the label. sizes: (m,) its rows.
        wanted: (k,) positives of the label that each fold lacks, times k.
        room: (k,) rows that each fold lacks, times k; reduced in place.
    """
    k, m = len(wanted), len(amounts)
    ties = rng.random(m + k).tolist()
    # A heap pops the smallest entry, so both criteria are negated. Assigning a row lowers the fold's lack by k, i.e. adds k.
    heap = [(-int(wanted[fold]), -int(room[fold]), ties[m + fold], fold) for fold in range(k)]
    heapq.heapify(heap)
    sequence = []
    for amount, size, tie in zip(amounts.tolist(), sizes.tolist(), ties, strict=False):
        minus_wanted, minus_room, _, fold = heap[0]
        sequence.append(fold)
        heapq.heapreplace(heap, (minus_wanted + k * amount, minus_room + k * size, tie, fold))
    chosen = np.array(sequence, dtype=np.int64)
    np.subtract.at(room, chosen, k * sizes)
    return chosen


def _even_out(folds: Index, units: Units, wanted: Index, rng: np.random.Generator) -> None:
    """Move units from the largest to the smallest fold, in place, until the numbers of rows differ by at most one.

    Units of several rows may leave larger differences: a unit moves only where that brings the two folds closer together.
    """
    k, counts = len(wanted), units.counts
    sizes = np.zeros(k, dtype=np.int64)
    np.add.at(sizes, folds, units.size)
    positives = np.maximum(counts.sum(axis=0), 1)  # avoids a division by zero for labels that never occur
    # Folds from which nothing can be moved, because each of their units is too large, are left as they are.
    movable = np.ones(k, dtype=np.bool_)
    while movable.any():
        full, empty = int(np.where(movable, sizes, -1).argmax()), int(sizes.argmin())
        gap = int(sizes[full] - sizes[empty])
        if gap <= 1:
            return
        members = np.flatnonzero((folds == full) & (units.size < gap))
        if len(members) == 0:
            movable[full] = False
            continue
        cost = (wanted[full] - wanted[empty] + k) / (k * positives)
        # Many rows at a time while sizes are far apart; costs change with every move, so few towards the end.
        cheapest = _cheapest(members, counts, cost, rng)
        within = np.searchsorted(np.cumsum(units.size[cheapest]), gap // 8, side="right")
        moved = cheapest[: max(1, int(within))]
        folds[moved] = empty
        change = k * counts[moved].sum(axis=0, dtype=np.int64)
        wanted[full] += change
        wanted[empty] -= change
        sizes[full] -= units.size[moved].sum()
        sizes[empty] += units.size[moved].sum()


def _cheapest(
    units: Index, counts: NDArray[np.generic], cost: NDArray[np.float64], rng: np.random.Generator
) -> Index:
    """The units sorted by how much their move raises the sum over labels of (squared shortfall / positives).

    Those without labels, or with labels that the smaller fold lacks, come first; those with rare labels come last.
    """
    # Costs as integers, so that no platform's rounding changes the order.
    price = counts[units] @ np.rint(cost * 2**20).astype(np.int64)
    return units[np.lexsort((rng.random(len(units)), price))]
