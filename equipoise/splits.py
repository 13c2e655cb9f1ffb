"""Stratified folds for many labels at once: seeded, disjoint, fair to rare labels.

Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011, DOI 10.1007/978-3-642-23808-6_10) hands out the
rows of the scarcest label first, each to the fold that still wants that label most. Three things are ours:

* All remaining rows of a label are handed out in one go. The sequence of folds they go to depends on counts
  alone, not on the rows' other labels, so it is the paper's sequence at a fraction of the cost.
* Rows are dealt sorted by labelset (in random order), so that equal labelsets land in different folds.
* Fold sizes, which the paper lets drift, are evened out at the end by the moves that cost the labels least.

Everything that decides is a whole number or a random draw, so that no platform's rounding moves a row.
"""

from __future__ import annotations

import hashlib
import heapq

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import EquipoiseError

OUTER_FOLDS = 5

Index = NDArray[np.int64]


def outer_split(Y: ArrayLike, split: int, seed: int) -> tuple[Index, Index]:
    """(train, test) row positions of outer split number `split`, both ascending.

    Split i is fold i mod 5 of repetition i div 5 of a stratified 5-fold; each repetition shuffles anew.
    """
    if split < 0:
        raise EquipoiseError(f"split must be 0 or more, not {split}")
    repetition, fold = divmod(int(split), OUTER_FOLDS)
    folds = _folds(np.asarray(Y), OUTER_FOLDS, _generator(seed, repetition))
    return np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def stratified_folds(Y: ArrayLike, k: int, seed: int) -> Index:
    """(n,) fold ids 0..k-1 for an (n, L) 0/1 matrix; each fold has nearly the label proportions of the whole.

    Fold sizes differ by at most one. The same Y, k and seed give the same folds; no global random state is
    touched. Raises EquipoiseError when k < 2 or there are fewer rows than folds.
    """
    return _folds(np.asarray(Y), k, _generator(seed))


def split_hash(*indices: ArrayLike) -> str:
    """Content hash (sha256 hex) of one or more index arrays, in order; independent of platform."""
    digest = hashlib.sha256(b"equipoise split 1\0")
    for index in indices:
        packed = np.ascontiguousarray(index, dtype="<i8")
        digest.update(packed.size.to_bytes(8, "little"))
        digest.update(packed.tobytes())
    return digest.hexdigest()


def _generator(seed: int, *more: int) -> np.random.Generator:
    if seed < 0:
        raise EquipoiseError(f"seed must be 0 or more, not {seed}")
    return np.random.Generator(np.random.PCG64([int(seed), *more]))


def _folds(Y: NDArray[np.generic], k: int, rng: np.random.Generator) -> Index:
    if Y.ndim != 2:
        raise EquipoiseError(f"Y must have shape (rows, labels), not {Y.shape}")
    if k < 2 or len(Y) < k:
        raise EquipoiseError(f"cannot make {k} folds of {len(Y)} rows; at least 2 folds, at most one per row")
    present = np.ascontiguousarray(Y != 0)
    folds, wanted = _dealt(present, k, rng)
    _even_out(folds, present, wanted, rng)
    return folds


def _dealt(present: NDArray[np.bool_], k: int, rng: np.random.Generator) -> tuple[Index, Index]:
    """Fold ids by iterative stratification, and the (k, L) positives each fold still lacks, times k."""
    folds = np.full(len(present), -1, dtype=np.int64)
    left = present.sum(axis=0, dtype=np.int64)
    # Times k, so that the wishes are whole numbers and ties are exact.
    wanted, room = np.repeat(left[None, :], k, axis=0), np.full(k, len(present), dtype=np.int64)
    order = _labelset_order(present, rng)
    columns = np.ascontiguousarray(present[order].T)
    while left.any():
        label = _scarcest(left, rng)
        rows = order[columns[label]]
        rows = rows[folds[rows] < 0]
        folds[rows] = _deal(len(rows), wanted[:, label], room, rng)
        left -= present[rows].sum(axis=0, dtype=np.int64)
        for fold in range(k):
            wanted[fold] -= k * present[rows[folds[rows] == fold]].sum(axis=0, dtype=np.int64)
    rest = order[folds[order] < 0]
    folds[rest] = _deal(len(rest), room, room, rng)
    return folds, wanted


def _even_out(folds: Index, present: NDArray[np.bool_], wanted: Index, rng: np.random.Generator) -> None:
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


def _cheapest(
    rows: Index, present: NDArray[np.bool_], cost: NDArray[np.float64], rng: np.random.Generator
) -> Index:
    """The rows sorted by what their move does to the sum over labels of squared shortfalls / positives.

    Rows without labels, or with labels the emptier fold lacks, come first; the rows of a rare label last.
    """
    price = present[rows] @ np.rint(cost * 2**20).astype(np.int64)
    return rows[np.lexsort((rng.random(len(rows)), price))]


def _labelset_order(present: NDArray[np.bool_], rng: np.random.Generator) -> Index:
    """The rows in a random order that keeps equal labelsets together."""
    packed = np.packbits(present, axis=1)
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel() if packed.size else np.zeros(len(packed))
    distinct, labelset = np.unique(keys, return_inverse=True)
    return np.lexsort((rng.random(len(present)), rng.permutation(len(distinct))[labelset]))


def _scarcest(left: Index, rng: np.random.Generator) -> int:
    """The label with the fewest (but some) rows still to place; ties at random."""
    smallest = np.flatnonzero(left == left[left > 0].min())
    return int(rng.choice(smallest))


def _deal(rows: int, wanted: Index, room: Index, rng: np.random.Generator) -> Index:
    """The folds that `rows` rows of one label go to, in turn; takes them off `room` (in place, times k).

    Each goes to the fold that wants the label most, then the one with most room, then at random.
    """
    k = len(wanted)
    ties = rng.random(rows + k).tolist()
    heap = [(-int(wanted[fold]), -int(room[fold]), ties[rows + fold], fold) for fold in range(k)]
    heapq.heapify(heap)
    dealt = []
    for step in range(rows):
        want, free, _, fold = heap[0]
        dealt.append(fold)
        heapq.heapreplace(heap, (want + k, free + k, ties[step], fold))
    chosen = np.array(dealt, dtype=np.int64)
    room -= k * np.bincount(chosen, minlength=k)
    return chosen
