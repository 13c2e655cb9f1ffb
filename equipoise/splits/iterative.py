"""Iterative stratification: rows dealt to folds, the rows of the scarcest label first.

Sechidis, Tsoumakas & Vlahavas (2011, DOI 10.1007/978-3-642-23808-6_10) give each row of the scarcest label to the fold
that still wants that label most. Three things are ours:

* All remaining rows of a label are dealt in one go. The sequence of folds they go to depends on counts alone, not
  on the rows' other labels, so it is the paper's sequence at a fraction of the cost.
* Rows are dealt sorted by labelset, so that equal and similar labelsets land in different folds.
* Fold sizes, which the paper lets drift, are evened out at the end by the moves that cost the labels least.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Flags = NDArray[np.bool_]


def stratify(present: Flags, k: int, order: Index, rng: np.random.Generator) -> Index:
    """(n,) fold ids 0..k-1 for an (n, L) matrix of labels; sizes differ by at most one.

    `order` holds the rows with similar labelsets beside each other: see `labelset_order`.
    """
    folds, wanted = _dealt(present, k, order, rng)
    _even_out(folds, present, wanted, rng)
    return folds


def labelset_order(present: Flags, rng: np.random.Generator) -> Index:
    """The rows sorted by the most frequent label, then the next, and so on; equal labelsets in random order."""
    frequent = np.argsort(-present.sum(axis=0, dtype=np.int64), kind="stable")
    words = packed(present[:, frequent])
    return np.lexsort((rng.random(len(present)), *words.T[::-1]))


def packed(present: Flags) -> NDArray[np.uint64]:
    """(n, ceil(L / 64)) words that hold a row's labels as bits, the first label highest; at least one word."""
    octets = np.packbits(present, axis=1)
    missing = max(8, -(-octets.shape[1] // 8) * 8) - octets.shape[1]
    whole = np.ascontiguousarray(np.pad(octets, ((0, 0), (0, missing))))
    return whole.view(">u8").astype(np.uint64)


def _dealt(present: Flags, k: int, order: Index, rng: np.random.Generator) -> tuple[Index, Index]:
    """Fold ids by iterative stratification, and the (k, L) positives each fold still lacks, times k."""
    folds = np.full(len(present), -1, dtype=np.int64)
    left = present.sum(axis=0, dtype=np.int64)
    # Times k, so that the wishes are whole numbers and ties are exact.
    wanted, room = np.repeat(left[None, :], k, axis=0), np.full(k, len(present), dtype=np.int64)
    columns = np.ascontiguousarray(present[order].T)
    while left.any():
        label = _scarcest(left, rng)
        rows = order[columns[label]]
        rows = rows[folds[rows] < 0]
        folds[rows] = _turns(len(rows), wanted[:, label], room, rng)
        left -= present[rows].sum(axis=0, dtype=np.int64)
        for fold in range(k):
            wanted[fold] -= k * present[rows[folds[rows] == fold]].sum(axis=0, dtype=np.int64)
    rest = order[folds[order] < 0]
    folds[rest] = _turns(len(rest), room, room, rng)
    return folds, wanted


def _scarcest(left: Index, rng: np.random.Generator) -> int:
    """The label with the fewest (but some) rows still to place; ties at random."""
    smallest = np.flatnonzero(left == left[left > 0].min())
    return int(rng.choice(smallest))


def _turns(rows: int, wanted: Index, room: Index, rng: np.random.Generator) -> Index:
    """The folds that `rows` rows of one label go to, in turn; takes them off `room` (in place, times k).

    Each goes to the fold that wants the label most, then the one with most room, then at random.
    """
    k = len(wanted)
    ties = rng.random(rows + k).tolist()
    heap = [(-int(wanted[fold]), -int(room[fold]), ties[rows + fold], fold) for fold in range(k)]
    heapq.heapify(heap)
    turns = []
    for step in range(rows):
        want, free, _, fold = heap[0]
        turns.append(fold)
        heapq.heapreplace(heap, (want + k, free + k, ties[step], fold))
    chosen = np.array(turns, dtype=np.int64)
    room -= k * np.bincount(chosen, minlength=k)
    return chosen


def _even_out(folds: Index, present: Flags, wanted: Index, rng: np.random.Generator) -> None:
    """Move rows from the fullest to the emptiest fold until sizes differ by at most one (in place)."""
    k = len(wanted)
    sizes = np.bincount(folds, minlength=k)
    positives = np.maximum(present.sum(axis=0), 1)
    while sizes.max() - sizes.min() > 1:
        full, empty = int(sizes.argmax()), int(sizes.argmin())
        cost = (wanted[full] - wanted[empty] + k) / (k * positives)
        batch = max(1, int(sizes[full] - sizes[empty]) // 8)  # many at a time while far from even
        moved = _cheapest(np.flatnonzero(folds == full), present, cost, rng)[:batch]
        folds[moved] = empty
        change = k * present[moved].sum(axis=0, dtype=np.int64)
        wanted[full] += change
        wanted[empty] -= change
        sizes[full] -= batch
        sizes[empty] += batch


def _cheapest(rows: Index, present: Flags, cost: NDArray[np.float64], rng: np.random.Generator) -> Index:
    """The rows sorted by what their move does to the sum over labels of squared shortfalls / positives.

    Rows without labels, or with labels the emptier fold lacks, come first; the rows of a rare label last.
    """
    price = present[rows] @ np.rint(cost * 2**20).astype(np.int64)
    return rows[np.lexsort((rng.random(len(rows)), price))]
