"""What is dealt to folds: single rows, or groups of rows that must stay together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Units:
    """The U units of n rows with L labels. Every row belongs to one unit, and a unit goes to a fold as a whole.

    Units that are single rows are numbered like the rows, so that they are dealt exactly as rows are.

    Attributes:
        of_row: (n,) the unit of each row, numbered 0..U-1.
        size: (U,) rows of each unit.
        counts: (U, L) rows of each unit with each label; the rows' own flags where all units are single rows.
        present: (U, L) whether any row of a unit has a label.
    """

    of_row: Index
    size: Index
    counts: NDArray[np.generic]
    present: Flags

    def __len__(self) -> int:
        return len(self.size)

    @property
    def single(self) -> bool:
        """Whether every unit is a single row."""
        return len(self.size) == len(self.of_row)

    @classmethod
    def rows(cls, present: Flags) -> Units:
        """Each row of a matrix of labels (n, L) by itself."""
        n = len(present)
        return cls(np.arange(n), np.ones(n, dtype=np.int64), present, present)

    @classmethod
    def grouped(cls, present: Flags, groups: Index) -> Units:
        """The rows of a matrix of labels (n, L) by their group (n,), any integers; in the order of each group's first row."""
        _, first, of_row = np.unique(groups, return_index=True, return_inverse=True)
        if len(first) == len(groups):
            return cls.rows(present)
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        of_row = rank[of_row]
        size = np.bincount(of_row)
        by_unit = np.argsort(of_row, kind="stable")
        start = np.cumsum(size) - size
        counts = np.add.reduceat(present[by_unit], start, axis=0, dtype=np.int32)
        return cls(of_row, size, counts, counts > 0)
