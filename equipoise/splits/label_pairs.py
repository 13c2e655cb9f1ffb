"""Which labels, and which pairs of labels, each row has: what stratification counts in every fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.splits.iterative import Flags, Index, packed

#: Rows × pairs that are counted at most; beyond it the pairs of the scarcest labels are. Keeps memory below 0.3 GB.
MOST_PAIRS = 4_000_000
DIRECT = 2000  # labels up to which a table of all L² pairs is the quicker way to number those that occur


@dataclass(frozen=True)
class Traits:
    """The traits of n rows: their labels (numbers 0..L-1), their pairs (L..), and one that all rows have (the last).

    Pairs that occur once are left out: no fold can have a fair share of them. Row i has `of[start[i]:start[i + 1]]`, never
    empty, thanks to that last trait.
    """

    labels: int
    total: int
    start: Index  # (n + 1,)
    of: NDArray[np.int32]
    words: NDArray[np.uint64]  # (n, ·): the labels whose pairs are counted, as bits

    @property
    def pairs(self) -> int:
        return self.total - self.labels - 1

    def of_rows(self, rows: Index) -> tuple[NDArray[np.int32], Index]:
        """The traits of these rows, one row after another, and where each row begins (and, last, the end)."""
        length = self.start[rows + 1] - self.start[rows]
        end = np.cumsum(length)
        at = np.arange(end[-1] if len(end) else 0) + np.repeat(self.start[rows] - (end - length), length)
        return self.of[at], np.concatenate([np.zeros(1, dtype=np.int64), end])


def traits_of(present: Flags, most: int = MOST_PAIRS) -> Traits:
    """The traits of the rows of an (n, L) matrix."""
    n, labels = present.shape
    paired = present & _affordable(present, most)
    rows, pair = _pairs(paired)
    if labels > DIRECT:
        pair = np.unique(pair, return_inverse=True)[1]
    often = np.bincount(pair) > 1
    number = np.cumsum(often) - 1 + labels
    kept = often[pair]
    total = labels + int(often.sum()) + 1
    whose, label = np.nonzero(present)
    of = np.concatenate([label, number[pair[kept]], np.full(n, total - 1)])
    owner = np.concatenate([whose, rows[kept], np.arange(n)])
    start = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n))])
    return Traits(labels, total, start, of[np.argsort(owner, kind="stable")].astype(np.int32), packed(paired))


def _pairs(present: Flags) -> tuple[Index, Index]:
    """For each pair of labels of each row: the row, and first label × L + second label."""
    rows, labels = np.nonzero(present)
    count = np.bincount(rows, minlength=len(present))
    later = count[rows] - (np.arange(len(rows)) - (np.cumsum(count) - count)[rows]) - 1
    first = np.repeat(np.arange(len(rows)), later)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    return rows[first], labels[first] * present.shape[1] + labels[second]


def _affordable(present: Flags, most: int) -> Flags:
    """(L,): the scarcest labels, as many as have at most `most` pairs among them."""
    count = present.sum(axis=1, dtype=np.int64)
    if int((count * (count - 1) // 2).sum()) <= most:
        return np.ones(present.shape[1], dtype=np.bool_)
    scarce = np.argsort(present.sum(axis=0), kind="stable")
    chosen, seen, spent = (
        np.zeros(present.shape[1], dtype=np.bool_),
        np.zeros(len(present), dtype=np.int64),
        0,
    )
    for label in scarce:
        spent += int(seen[present[:, label]].sum())
        if spent > most:
            break
        chosen[label] = True
        seen += present[:, label]
    return chosen
