"""Synthetic rows between existing ones: numeric features are interpolated, categories are copied. Dense or CSR (stays CSR).

`nominal` (d,) tells which columns are categories. As bool, each marked column is one category, coded as a number. As
integers, 0 marks a numeric column, and columns with the same number above 0 are the one-hot columns of one category; in CSR
each of these columns is treated as a category by itself. None means that there are no categories.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from equipoise.core.arrays import Bools, Ints, is_sparse, row_chunks
from equipoise.resampling.neighbours import nearest


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns that hold categories: those of category c are `coded[start[c]:start[c + 1]]`."""

    coded: Ints
    start: Ints

    @classmethod
    def of(cls, nominal: np.ndarray | None) -> Columns:
        """The columns of `nominal`, a mask or integers as the module describes."""
        if nominal is None:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64))
        # A mask becomes integers: 1, 2, 3, … for its marked columns.
        groups = np.cumsum(nominal) * nominal if nominal.dtype == np.bool_ else nominal
        coded = np.flatnonzero(groups)
        coded = coded[np.argsort(groups[coded], kind="stable")]
        return cls(coded, np.flatnonzero(np.diff(groups[coded], prepend=-1)))

    @property
    def widths(self) -> Ints:
        """The number of columns of each category."""
        return np.diff(self.start, append=len(self.coded))


def neighbours(X: Any, k: int, nominal: np.ndarray | None) -> Ints:
    """Like `nearest`, but two different codes of a category are at distance 1, whatever the codes are."""
    columns = Columns.of(nominal)
    single = columns.coded[np.repeat(columns.widths == 1, columns.widths)]
    # Columns with two codes are 1 apart already (coded 0 and 1), and CSR is left alone, as one-hot columns would make it dense.
    many_codes = [c for c in single if not is_sparse(X) and len(np.unique(X[:, c])) > 2]
    if not many_codes:
        return nearest(X, k)
    other = np.delete(X, many_codes, axis=1)
    # One-hot columns of height √½: two different codes differ in two of them, at distance √(½ + ½) = 1.
    one_hot = [(X[:, c, None] == np.unique(X[:, c])) * np.sqrt(0.5) for c in many_codes]
    return nearest(np.hstack([other, *one_hot]), k)


def between(left: Any, right: Any, rng: np.random.Generator) -> Any:
    """Rows of `left` moved towards those of `right` (s, d), in every column by its own random fraction in [0, 1)."""
    # Clipped to the range of both ends, since rounding may overshoot by one unit in the last place.
    if is_sparse(left):
        gap = scipy.sparse.csr_matrix(right - left)
        gap.data *= rng.random(gap.nnz).astype(gap.dtype)
        moved = (left + gap).maximum(left.minimum(right)).minimum(left.maximum(right))
        return scipy.sparse.csr_matrix(moved)
    moved = left + rng.random(left.shape).astype(left.dtype) * (right - left)
    return np.clip(moved, np.minimum(left, right), np.maximum(left, right))


def with_columns(synthetic: Any, source: Any, coded: Ints) -> Any:
    """`synthetic` (s, d) with its columns `coded` replaced by those of `source` (s, d); dense arrays are changed in place."""
    if not is_sparse(synthetic):
        synthetic[:, coded] = source[:, coded]
        return synthetic
    # Assigning columns of a CSR matrix is slow; products with diagonal 0/1 matrices select them much faster.
    replaced = np.zeros(synthetic.shape[1], dtype=synthetic.dtype)
    replaced[coded] = 1
    mixed = scipy.sparse.csr_matrix(
        synthetic @ scipy.sparse.diags(1 - replaced) + source @ scipy.sparse.diags(replaced)
    )
    mixed.eliminate_zeros()
    return mixed


def coin(synthetic: Any, left: Any, right: Any, columns: Columns, rng: np.random.Generator) -> Any:
    """`synthetic` (s, d) with each category copied from `left` or `right`, with probability ½ each."""
    if not len(columns.coded):
        return synthetic
    heads = rng.random((synthetic.shape[0], len(columns.start))) < 0.5
    # All columns of a category come from the same parent.
    from_left = np.repeat(heads, columns.widths, axis=1)
    if not is_sparse(synthetic):
        synthetic[:, columns.coded] = np.where(from_left, left[:, columns.coded], right[:, columns.coded])
        return synthetic
    categories = _masked(left, columns.coded, from_left) + _masked(right, columns.coded, ~from_left)
    return with_columns(synthetic, categories, columns.coded)


def _masked(rows: Any, coded: Ints, mask: Bools) -> Any:
    """The entries of CSR `rows` (s, d) in the columns `coded` where `mask` (s, len(coded)) is true."""
    entries, position = rows.tocoo(), np.full(rows.shape[1], -1)
    position[coded] = np.arange(len(coded))
    entry_position = position[entries.col]
    on = (entry_position >= 0) & mask[entries.row, entry_position]
    return scipy.sparse.csr_matrix((entries.data[on], (entries.row[on], entries.col[on])), shape=rows.shape)


def mode(X: Any, near: Ints, columns: Columns) -> Any:
    """The most frequent value of each category among the rows `near` (s, k) of X, in the coded columns of an (s, d) array.

    Of equally frequent values the one of the nearest neighbour is taken. The other columns are 0 (dense) or arbitrary (CSR).
    """
    if is_sparse(X):
        return _sparse_mode(X, near)
    out, coded = np.zeros((len(near), X.shape[1]), dtype=X.dtype), X[:, columns.coded]
    for part in row_chunks(len(near), near.shape[1] * coded.shape[1]):
        values = coded[near[part]]
        chosen = np.repeat(_votes(values, columns.start).argmax(0), columns.widths, axis=1)
        out[part, columns.coded] = np.take_along_axis(values, chosen[:, None], 1)[:, 0]
    return out


def _votes(values: np.ndarray, start: Ints) -> np.ndarray:
    """For each of k rows, how many of them have the same value, per category: values (s, k, columns) → (k, s, categories)."""
    s, k, _ = values.shape
    votes = np.ones((k, s, len(start)), dtype=np.int16)
    # k is small, so comparing all pairs is faster than sorting, and it keeps the order of the neighbours.
    for a in range(k):
        for b in range(a):
            same = np.logical_and.reduceat(values[:, a] == values[:, b], start, axis=1)
            votes[a] += same
            votes[b] += same
    return votes


def _sparse_mode(X: Any, near: Ints) -> Any:
    """`mode` for CSR, in every column, computed from stored entries only; values that are not stored are 0."""
    s, k = near.shape
    entries = X[near.ravel()].tocoo()
    row, rank = np.divmod(entries.row.astype(np.int64), k)
    cell = row * X.shape[1] + entries.col
    # Sorted by cell (new row, column), then value, then rank of the neighbour, so that equal values form runs.
    order = np.lexsort((rank, entries.data, cell))
    cell, value, rank = cell[order], entries.data[order], rank[order]
    if not len(cell):
        return scipy.sparse.csr_matrix((s, X.shape[1]), dtype=X.dtype)
    runs = _starts(cell, value)
    count, first = np.diff(runs, append=len(cell)), rank[runs]
    cells = _starts(cell[runs])
    zeros = k - np.add.reduceat(count, cells)
    # The nearest neighbour with a 0 is the lowest rank without an entry: the lowest bit that is not set.
    stored = np.add.reduceat(np.int64(1) << rank, runs[cells])
    first_zero = np.log2((~stored & (stored + 1)).astype(np.float64)).astype(np.int64)
    score = count * k - first  # more votes win; of equally many votes the nearest neighbour's
    best = np.maximum.reduceat(score, cells)
    group = np.repeat(np.arange(len(cells)), np.diff(cells, append=len(runs)))
    on = runs[(score == best[group]) & (best > zeros * k - first_zero)[group]]
    return scipy.sparse.csr_matrix((value[on], np.divmod(cell[on], X.shape[1])), shape=(s, X.shape[1]))


def _starts(*sorted_: np.ndarray) -> Ints:
    """The positions at which a new combination of values begins, in arrays that are sorted together."""
    is_new = np.ones(len(sorted_[0]), dtype=np.bool_)
    is_new[1:] = np.logical_or.reduce([np.diff(values) != 0 for values in sorted_])
    return np.flatnonzero(is_new)
