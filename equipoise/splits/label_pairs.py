"""The labels and pairs of labels that each row has, which stratification spreads evenly over folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.splits.iterative import packed
from equipoise.splits.units import Flags, Index, Units

#: At most this many (row, pair) entries are counted, which keeps memory below 0.3 GB. If there are more, only the pairs among
#: the scarcest labels are counted.
MOST_PAIRS = 4_000_000
#: Up to this many labels, numbering the pairs that occur through a table of all L² pairs is faster than sorting them.
DIRECT = 2000


@dataclass(frozen=True)
class Traits:
    """The traits of n rows or units: labels (0..L-1), pairs of labels (numbered from L), and one trait that all rows have.

    Row i has the traits `of[start[i]:start[i + 1]]`. The last trait, common to all rows, keeps this from being empty, because
    `np.add.reduceat` mishandles empty segments. Pairs that occur only once are left out: they cannot be shared among folds.
    A unit of several rows has the traits of all of them, repeats included.
    """

    labels: int  # L
    total: int  # number of traits
    start: Index  # (n + 1,)
    of: NDArray[np.int32]
    words: NDArray[np.uint64]  # (n, words): the labels whose pairs are counted, as bits

    @property
    def pairs(self) -> int:
        """The number of pairs that are counted."""
        return self.total - self.labels - 1

    def of_rows(self, rows: Index) -> tuple[NDArray[np.int32], Index]:
        """The traits of these rows, concatenated, and the start of each row's traits with the total length at the end."""
        length = self.start[rows + 1] - self.start[rows]
        end = np.cumsum(length)
        # All segments start[i]..start[i + 1] in one index array, without a Python loop over rows.
        positions = np.arange(end[-1] if len(end) else 0) + np.repeat(
            self.start[rows] - (end - length), length
        )
        return self.of[positions], np.concatenate([np.zeros(1, dtype=np.int64), end])

    def joined(self, units: Units) -> Traits:
        """The traits of units, from those of their rows."""
        if units.single:
            return self
        by_unit = np.argsort(units.of_row, kind="stable")
        of, start_of_row = self.of_rows(by_unit)
        first = np.cumsum(units.size) - units.size
        words = np.bitwise_or.reduceat(self.words[by_unit], first, axis=0)
        return Traits(self.labels, self.total, np.append(start_of_row[first], len(of)), of, words)


def traits_of(present: Flags, most: int = MOST_PAIRS) -> Traits:
    """The traits of the rows of a matrix (n, L), with at most `most` (row, pair) entries."""
    n, labels = present.shape
    paired = present & _affordable(present, most)
    pair_rows, pair = _pairs(paired)
    if labels > DIRECT:
        pair = np.unique(pair, return_inverse=True)[1]
    repeated = np.bincount(pair) > 1
    number = np.cumsum(repeated) - 1 + labels  # consecutive trait numbers for the pairs that are kept
    counted = repeated[pair]
    total = labels + int(repeated.sum()) + 1
    label_rows, label = np.nonzero(present)
    # Labels, pairs and the common trait, first as one list of (row, trait) entries, then sorted by row.
    of = np.concatenate([label, number[pair[counted]], np.full(n, total - 1)])
    rows = np.concatenate([label_rows, pair_rows[counted], np.arange(n)])
    start = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
    return Traits(labels, total, start, of[np.argsort(rows, kind="stable")].astype(np.int32), packed(paired))


def _pairs(present: Flags) -> tuple[Index, Index]:
    """Every pair of labels of every row, as two arrays: the row, and the pair coded as first label × L + second label."""
    rows, labels = np.nonzero(present)
    # Each entry is paired with the later entries of its row; `later` counts these.
    count = np.bincount(rows, minlength=len(present))
    later = count[rows] - (np.arange(len(rows)) - (np.cumsum(count) - count)[rows]) - 1
    first = np.repeat(np.arange(len(rows)), later)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    return rows[first], labels[first] * present.shape[1] + labels[second]


def _affordable(present: Flags, most: int) -> Flags:
    """Which labels' pairs are counted, (L,): the scarcest labels, as many as have at most `most` (row, pair) entries."""
    count = present.sum(axis=1, dtype=np.int64)
    if int((count * (count - 1) // 2).sum()) <= most:
        return np.ones(present.shape[1], dtype=np.bool_)
    scarce = np.argsort(present.sum(axis=0), kind="stable")
    chosen = np.zeros(present.shape[1], dtype=np.bool_)
    chosen_per_row = np.zeros(len(present), dtype=np.int64)
    entries = 0
    for label in scarce:
        # The new label forms a pair with each label already chosen in its rows.
        entries += int(chosen_per_row[present[:, label]].sum())
        if entries > most:
            break
        chosen[label] = True
        chosen_per_row += present[:, label]
    return chosen
