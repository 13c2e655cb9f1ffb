"""Iterative stratification: assigns rows to folds, beginning with the rows of the scarcest label.

Sechidis, Tsoumakas & Vlahavas (2011, DOI 10.1007/978-3-642-23808-6_10) assign each row of the scarcest label to the fold that
still lacks most of its share of that label. This implementation differs in three ways:

* All remaining rows of a label are assigned at once. The sequence of folds depends only on counts, not on the rows' other labels,
  so it equals the paper's sequence at a fraction of the cost.
* Rows are assigned in the order of their labelsets, so that rows with equal or similar labelsets go to different folds.
* Fold sizes, which may drift apart in the paper, are evened out at the end by the moves that disturb the labels least.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Flags = NDArray[np.bool_]


def stratify(present: Flags, k: int, order: Index, rng: np.random.Generator) -> Index:
    """Fold ids 0..k-1, (n,), for a matrix of labels (n, L); fold sizes differ by at most one.

    Args:
        order: (n,) the rows sorted so that similar labelsets are adjacent; see `labelset_order`.
    """
    folds, wanted = _assign(present, k, order, rng)
    _even_out(folds, present, wanted, rng)
    return folds


def labelset_order(present: Flags, rng: np.random.Generator) -> Index:
    """The rows sorted by the most frequent label, then by the second most frequent, and so on; ties in random order."""
    frequent = np.argsort(-present.sum(axis=0, dtype=np.int64), kind="stable")
    # Packed into 64-bit words, the labelsets compare as a few integers each instead of L columns.
    words = packed(present[:, frequent])
    return np.lexsort((rng.random(len(present)), *words.T[::-1]))


def packed(present: Flags) -> NDArray[np.uint64]:
    """Each row's labels as bits of 64-bit words, (n, ⌈L / 64⌉) and at least one; the first label is the highest bit."""
    octets = np.packbits(present, axis=1)
    padding = max(8, -(-octets.shape[1] // 8) * 8) - octets.shape[1]
    whole = np.ascontiguousarray(np.pad(octets, ((0, 0), (0, padding))))
    # Read as big-endian on every platform: bits in the order of the labels.
    return whole.view(">u8").astype(np.uint64)


def _assign(present: Flags, k: int, order: Index, rng: np.random.Generator) -> tuple[Index, Index]:
    """Fold ids by iterative stratification, and how many positives each fold then lacks, times k: (n,) and (k, L)."""
    folds = np.full(len(present), -1, dtype=np.int64)
    remaining = present.sum(axis=0, dtype=np.int64)
    # A fold's share of a label is count / k. All shares are kept times k, so that they are integers and ties are exact.
    wanted, room = np.repeat(remaining[None, :], k, axis=0), np.full(k, len(present), dtype=np.int64)
    columns = np.ascontiguousarray(present[order].T)
    while remaining.any():
        label = _scarcest(remaining, rng)
        rows = order[columns[label]]
        rows = rows[folds[rows] < 0]
        folds[rows] = _fold_sequence(len(rows), wanted[:, label], room, rng)
        remaining -= present[rows].sum(axis=0, dtype=np.int64)
        for fold in range(k):
            wanted[fold] -= k * present[rows[folds[rows] == fold]].sum(axis=0, dtype=np.int64)
    unlabelled = order[folds[order] < 0]
    folds[unlabelled] = _fold_sequence(len(unlabelled), room, room, rng)
    return folds, wanted


def _scarcest(remaining: Index, rng: np.random.Generator) -> int:
    """The label with the fewest rows left to assign, but at least one; ties are broken at random."""
    smallest = np.flatnonzero(remaining == remaining[remaining > 0].min())
    return int(rng.choice(smallest))


def _fold_sequence(rows: int, wanted: Index, room: Index, rng: np.random.Generator) -> Index:
    """The folds to which `rows` rows of one label go, one after the other, (rows,).

    Each row goes to the fold that lacks the label most, of equal ones to the fold with most room, then to a random one.

    Args:
        wanted: (k,) positives of the label that each fold lacks, times k.
        room: (k,) rows that each fold lacks, times k; reduced in place.
    """
    k = len(wanted)
    ties = rng.random(rows + k).tolist()
    # A heap pops the smallest entry, so both criteria are negated. Assigning a row lowers the fold's lack by k, i.e. adds k.
    heap = [(-int(wanted[fold]), -int(room[fold]), ties[rows + fold], fold) for fold in range(k)]
    heapq.heapify(heap)
    sequence = []
    for step in range(rows):
        minus_wanted, minus_room, _, fold = heap[0]
        sequence.append(fold)
        heapq.heapreplace(heap, (minus_wanted + k, minus_room + k, ties[step], fold))
    chosen = np.array(sequence, dtype=np.int64)
    room -= k * np.bincount(chosen, minlength=k)
    return chosen


def _even_out(folds: Index, present: Flags, wanted: Index, rng: np.random.Generator) -> None:
    """Move rows from the largest to the smallest fold, in place, until fold sizes differ by at most one."""
    k = len(wanted)
    sizes = np.bincount(folds, minlength=k)
    positives = np.maximum(present.sum(axis=0), 1)  # avoids a division by zero for labels that never occur
    while sizes.max() - sizes.min() > 1:
        full, empty = int(sizes.argmax()), int(sizes.argmin())
        cost = (wanted[full] - wanted[empty] + k) / (k * positives)
        # Many rows at a time while sizes are far apart; costs change with every move, so few towards the end.
        batch = max(1, int(sizes[full] - sizes[empty]) // 8)
        moved = _cheapest(np.flatnonzero(folds == full), present, cost, rng)[:batch]
        folds[moved] = empty
        change = k * present[moved].sum(axis=0, dtype=np.int64)
        wanted[full] += change
        wanted[empty] -= change
        sizes[full] -= batch
        sizes[empty] += batch


def _cheapest(rows: Index, present: Flags, cost: NDArray[np.float64], rng: np.random.Generator) -> Index:
    """The rows sorted by how much their move raises the sum over labels of (squared shortfall / positives).

    Rows without labels, or with labels that the smaller fold lacks, come first; rows with rare labels come last.
    """
    # Costs as integers, so that no platform's rounding changes the order.
    price = present[rows] @ np.rint(cost * 2**20).astype(np.int64)
    return rows[np.lexsort((rng.random(len(rows)), price))]
