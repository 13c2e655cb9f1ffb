"""New rows between given ones: quantities interpolated, categories taken over. Dense or CSR, CSR stays CSR.

`nominal` says which columns are categories, (d,): bool, each such column one category by its code; or whole numbers, 0
for a quantity, and columns that share a number above 0 are one category (its one-hot columns). In CSR every such column is
a category by itself. None: there are none.
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
    """Which of d columns are categories: `coded` lists them, those of category c at `coded[start[c]:start[c + 1]]`."""

    coded: Ints
    start: Ints

    @classmethod
    def of(cls, nominal: np.ndarray | None) -> Columns:
        """From a mask or numbers, see the module."""
        if nominal is None:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64))
        groups = np.cumsum(nominal) * nominal if nominal.dtype == np.bool_ else nominal
        coded = np.flatnonzero(groups)
        coded = coded[np.argsort(groups[coded], kind="stable")]
        return cls(coded, np.flatnonzero(np.diff(groups[coded], prepend=-1)))

    @property
    def widths(self) -> Ints:
        """Columns of each category."""
        return np.diff(self.start, append=len(self.coded))


def neighbours(X: Any, k: int, nominal: np.ndarray | None) -> Ints:
    """`nearest`, two different codes of a category counting as a distance of 1, whatever the codes are."""
    columns = Columns.of(nominal)
    single = columns.coded[np.repeat(columns.widths == 1, columns.widths)]
    many = [c for c in single if not is_sparse(X) and len(np.unique(X[:, c])) > 2]
    if not many:
        return nearest(X, k)
    plain = np.delete(X, many, axis=1)
    hot = [(X[:, c, None] == np.unique(X[:, c])) * np.sqrt(0.5) for c in many]
    return nearest(np.hstack([plain, *hot]), k)


def between(left: Any, right: Any, rng: np.random.Generator) -> Any:
    """Rows of `left` moved towards those of `right` (s, d) by a share of its own in every column, uniform in [0, 1)."""
    if is_sparse(left):
        gap = scipy.sparse.csr_matrix(right - left)
        gap.data *= rng.random(gap.nnz).astype(gap.dtype)
        moved = (left + gap).maximum(left.minimum(right)).minimum(left.maximum(right))
        return scipy.sparse.csr_matrix(moved)
    moved = left + rng.random(left.shape).astype(left.dtype) * (right - left)
    return np.clip(
        moved, np.minimum(left, right), np.maximum(left, right)
    )  # rounding may overshoot by a digit


def with_columns(made: Any, source: Any, coded: Ints) -> Any:
    """`made`, its columns `coded` replaced by those of `source` (both (s, d))."""
    if not is_sparse(made):
        made[:, coded] = source[:, coded]
        return made
    taken = np.zeros(made.shape[1], dtype=made.dtype)
    taken[coded] = 1
    mixed = scipy.sparse.csr_matrix(made @ scipy.sparse.diags(1 - taken) + source @ scipy.sparse.diags(taken))
    mixed.eliminate_zeros()
    return mixed


def coin(made: Any, left: Any, right: Any, columns: Columns, rng: np.random.Generator) -> Any:
    """`made` with each category taken from `left` or `right`, by the toss of a coin."""
    if not len(columns.coded):
        return made
    heads = rng.random((made.shape[0], len(columns.start))) < 0.5
    wide = np.repeat(heads, columns.widths, axis=1)
    if not is_sparse(made):
        made[:, columns.coded] = np.where(wide, left[:, columns.coded], right[:, columns.coded])
        return made
    return with_columns(
        made, _kept(left, columns.coded, wide) + _kept(right, columns.coded, ~wide), columns.coded
    )


def _kept(rows: Any, coded: Ints, mask: Bools) -> Any:
    """The entries of CSR `rows` (s, d) in the columns `coded` where `mask` (s, len(coded)) is true."""
    entries, place = rows.tocoo(), np.full(rows.shape[1], -1)
    place[coded] = np.arange(len(coded))
    at = place[entries.col]
    on = (at >= 0) & mask[entries.row, at]
    return scipy.sparse.csr_matrix((entries.data[on], (entries.row[on], entries.col[on])), shape=rows.shape)


def mode(X: Any, near: Ints, columns: Columns) -> Any:
    """(s, d) of which the coded columns hold each category's most frequent value among the rows `near` (s, k) of X.

    Of equally frequent values the one of the nearest neighbour counts.
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
    """How many of k rows agree with each, category by category: values (s, k, columns) → (k, s, categories)."""
    s, k, _ = values.shape
    votes = np.ones((k, s, len(start)), dtype=np.int16)
    for a in range(k):
        for b in range(a):
            same = np.logical_and.reduceat(values[:, a] == values[:, b], start, axis=1)
            votes[a] += same
            votes[b] += same
    return votes


def _sparse_mode(X: Any, near: Ints) -> Any:
    """The most frequent value in every column, from the entries alone: a column without an entry is 0 everywhere."""
    s, k = near.shape
    entries = X[near.ravel()].tocoo()
    row, rank = np.divmod(entries.row.astype(np.int64), k)
    cell = row * X.shape[1] + entries.col
    order = np.lexsort((rank, entries.data, cell))
    cell, value, rank = cell[order], entries.data[order], rank[order]
    if not len(cell):
        return scipy.sparse.csr_matrix((s, X.shape[1]), dtype=X.dtype)
    runs = _starts(cell, value)
    count, first = np.diff(runs, append=len(cell)), rank[runs]
    cells = _starts(cell[runs])
    zeros = k - np.add.reduceat(count, cells)
    taken = np.add.reduceat(np.int64(1) << rank, runs[cells])
    first_zero = np.log2((~taken & (taken + 1)).astype(np.float64)).astype(
        np.int64
    )  # lowest rank without an entry
    score = count * k - first  # more votes first, then the nearer
    best = np.maximum.reduceat(score, cells)
    group = np.repeat(np.arange(len(cells)), np.diff(cells, append=len(runs)))
    on = runs[(score == best[group]) & (best > zeros * k - first_zero)[group]]
    return scipy.sparse.csr_matrix((value[on], np.divmod(cell[on], X.shape[1])), shape=(s, X.shape[1]))


def _starts(*sorted_: np.ndarray) -> Ints:
    """Where a new combination of values begins."""
    fresh = np.ones(len(sorted_[0]), dtype=np.bool_)
    fresh[1:] = np.logical_or.reduce([np.diff(values) != 0 for values in sorted_])
    return np.flatnonzero(fresh)
