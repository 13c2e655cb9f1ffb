"""Counts the rows of each fold with each label and pair of labels, and keeps the counts right while units move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equipoise.splits.label_pairs import Traits
from equipoise.splits.units import Index

PAIR = 4  # weight of a pair of labels
SCARCE = 1 << 44  # weight of a scarce label, which no gain in other labels can outweigh


@dataclass
class FoldCounts:
    """The fold and size of each unit (called row here), and the number of rows with each trait in each fold, (traits, k).

    The counts are stored minus ⌊total / k⌋. Only differences between folds matter, and small numbers keep the sums of weighted
    squares far from overflow.
    """

    traits: Traits
    size: Index
    folds: Index
    k: int
    positives: Index
    counts: Index

    @classmethod
    def of(cls, traits: Traits, size: Index, folds: Index, k: int) -> FoldCounts:
        """Counts the traits of every fold."""
        cell = traits.of * np.int64(k) + np.repeat(folds, np.diff(traits.start))
        counts = np.bincount(cell, minlength=traits.total * k).reshape(traits.total, k)
        total = counts.sum(axis=1, keepdims=True)
        return cls(traits, size, folds, k, total[: traits.labels, 0], counts - total // k)

    def weights(self, label: int) -> Index:
        """Weight of each trait, (traits,): `label` or SCARCE for labels, PAIR for pairs, 0 for the common trait."""
        weights = np.full(self.traits.total, PAIR, dtype=np.int64)
        weights[: self.traits.labels] = np.where(self.positives <= self.k, SCARCE, label)
        weights[-1] = 0
        return weights

    def label_cost(self) -> tuple[int, int]:
        """Unevenness as sums of squared counts: of labels with no more positives than folds, and of all other labels."""
        squares = (self.counts[: self.traits.labels] ** 2).sum(axis=1)
        scarce = self.positives <= self.k
        return int(squares[scarce].sum()), int(squares[~scarce].sum())

    def move(self, rows: Index, old: Index, new: Index, weights: Index) -> int:
        """Move rows from their old folds to new ones, and return the change of the sum of weighted squares."""
        of, start = self.traits.of_rows(rows)
        affected, length = np.unique(of), np.diff(start)
        before = self.counts[affected]
        # `np.add.at`, since a trait may occur in several of the rows; plain indexing would count it once.
        np.subtract.at(self.counts, (of, np.repeat(old, length)), 1)
        np.add.at(self.counts, (of, np.repeat(new, length)), 1)
        after = self.counts[affected]
        self.folds[rows] = new
        return int((weights[affected, None] * (after - before) * (after + before)).sum())
