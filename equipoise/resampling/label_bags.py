"""Rows grouped by label, for resampling rules that treat labels in turn: counts, rare and frequent labels, their rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from equipoise.core.arrays import Bools, Floats, Ints

#: Number of rows whose count fits into one byte. Adding bytes is several times faster than adding 64-bit integers.
_BLOCK = 255


@dataclass(frozen=True, eq=False)
class LabelBags:
    """The rows of B labels, called bags: those of `labels[b]` are `rows[start[b]:start[b + 1]]`, ascending."""

    labels: Ints
    rows: Ints
    start: Ints

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, bag: int) -> Ints:
        return self.rows[self.start[bag] : self.start[bag + 1]]

    @property
    def sizes(self) -> Ints:
        """The number of rows in each bag, (B,)."""
        return np.diff(self.start)

    def draw(self, bags: Ints, uniform: Floats) -> Ints:
        """A random row from each of the given bags, chosen by numbers in [0, 1)."""
        return self.rows[self.start[bags] + (uniform * self.sizes[bags]).astype(np.int64)]


def label_counts(Y: np.ndarray) -> Ints:
    """The number of positives of each label of Y (n, L) uint8 or bool, (L,)."""
    bytes_, whole = Y.view(np.uint8), len(Y) // _BLOCK * _BLOCK
    blocks = bytes_[:whole].reshape(-1, _BLOCK, Y.shape[1]).sum(1, dtype=np.uint8)
    return np.asarray(blocks.sum(0, dtype=np.int64) + bytes_[whole:].sum(0, dtype=np.int64))


def entries(Y: np.ndarray) -> tuple[Ints, Ints]:
    """Row and label of each positive of Y (n, L) uint8 or bool, row by row; the same as `np.nonzero`."""
    # Several times faster than `np.nonzero`, which searches a two-dimensional array more slowly than a flat one.
    flat = np.flatnonzero(np.ascontiguousarray(Y).view(np.bool_).ravel())
    row = flat // max(Y.shape[1], 1)
    return row, flat - row * Y.shape[1]


def ratios(counts: Ints) -> tuple[Floats, float]:
    """Imbalance ratios IRLbl (L,), the largest count over each label's own, and their mean, MeanIR.

    A label without positives has IRLbl = inf and is left out of MeanIR. MeanIR is NaN if no label has positives.
    """
    present = counts > 0
    irlbl = np.where(present, counts.max(initial=0) / np.maximum(counts, 1), np.inf)
    # `fsum` is exact: rounding that depends on the order of the labels could move a label across the mean.
    return irlbl, math.fsum(irlbl[present]) / present.sum() if present.any() else math.nan


def minority(counts: Ints) -> Bools:
    """The rare labels, those with IRLbl > MeanIR, (L,); never a label without positives."""
    irlbl, mean_ir = ratios(counts)
    return np.asarray((counts > 0) & (irlbl > mean_ir))


def majority(counts: Ints) -> Bools:
    """The frequent labels, those with IRLbl < MeanIR, (L,)."""
    irlbl, mean_ir = ratios(counts)
    return np.asarray(irlbl < mean_ir)


def bags_of(Y: np.ndarray, labels: Ints) -> LabelBags:
    """The rows of these labels of Y (n, L), one bag per label, in the order of `labels`."""
    rows, bag = entries(Y[:, labels])
    # NumPy sorts 16-bit integers by radix sort, which is several times faster.
    order = np.argsort(bag.astype(np.int16 if len(labels) < 1 << 15 else np.int64), kind="stable")
    sizes = np.bincount(bag, minlength=len(labels))
    return LabelBags(labels, rows[order], np.concatenate([[0], np.cumsum(sizes)]))


def rarest_first(bags: LabelBags) -> list[int]:
    """The numbers of the bags, smallest bag first."""
    # Of equal sizes, by the rows themselves: so the order does not depend on the order of the label columns.
    return sorted(range(len(bags)), key=lambda b: (len(bags[b]), bags[b].tobytes()))
