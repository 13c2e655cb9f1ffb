"""Exact nearest neighbours of all rows, dense or CSR, with a fixed rule for ties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from equipoise.core.arrays import Floats, Ints, is_sparse

_CELLS = 1 << 22  # number of distances held at a time, 32 MB
_SPARE = 4  # candidates beyond the k needed, so that most ties are among them
_TREE_UP_TO = 15  # number of features up to which a k-d tree is used; with more it visits most rows anyway
_TREE_FROM = 5000  # number of rows from which a k-d tree is used
_SMALL = (
    1000  # number of rows up to which one matrix product is faster than scikit-learn's checks (about 1 ms)
)
_ROUNDING = (
    1e-11  # bound on the error of a squared distance computed by products, relative to the squared norms
)


def nearest(X: Any, k: int) -> Ints:
    """The k nearest other rows of each row of X (n, d), dense or CSR, by Euclidean distance: (n, min(k, n − 1)).

    They are ordered by distance; of equally near rows, the one that comes first in X is first. The memory for distances does
    not grow with n.
    """
    n = X.shape[0]
    k = min(k, n - 1)
    if k < 1:
        return np.empty((n, 0), dtype=np.int64)
    X = X.astype(np.float64)
    products = _Products(X)
    # Fast search finds candidates, but its distances are rounded. They are recomputed from differences, in which equal rows are
    # exactly equally far, so that the rule for ties holds.
    candidates = _candidates(products, min(n, k + 1 + _SPARE))
    squared = _squared(X, np.repeat(np.arange(n), candidates.shape[1]), candidates.ravel())
    squared = squared.reshape(candidates.shape)
    squared[candidates == np.arange(n)[:, None]] = np.inf  # a row is not its own neighbour
    order = np.lexsort((candidates, squared), axis=-1)[:, :k]
    neighbours = np.take_along_axis(candidates, order, 1)
    if candidates.shape[1] < n:
        # If the farthest candidate is as near as the k-th neighbour, equally near rows may be missing among the candidates.
        kth = np.take_along_axis(squared, order[:, -1:], 1)[:, 0]
        farthest = np.where(np.isinf(squared), -np.inf, squared).max(1)
        tied = np.flatnonzero(farthest <= kth + products.margin(np.arange(n), kth))
        neighbours[tied] = _with_ties(X, products, tied, kth[tied], k)
    return neighbours


class _Products:
    """Squared distances ‖a‖² + ‖b‖² − 2 a·b from inner products: fast, but with rounding errors."""

    def __init__(self, X: Any) -> None:
        # Centring makes norms small and so the rounding errors; it would make a sparse matrix dense.
        self.X = X if is_sparse(X) else X - X.mean(0)
        self.transposed = self.X.T.tocsr() if is_sparse(X) else self.X.T
        self.norms = np.asarray((self.X.multiply(self.X) if is_sparse(X) else self.X**2).sum(1)).ravel()

    def margin(self, rows: Ints, reach: Floats) -> Floats:
        """Bound on the error of squared distances from these rows, valid for distances up to about `reach`, (rows,)."""
        # The error grows with the norms of both rows, but a row within `reach` cannot have a much larger norm than this one. A
        # bound by the largest norm of all would let a single outlier make every distance doubtful.
        return np.asarray(_ROUNDING * (3.0 * self.norms[rows] + 2.0 * reach))

    def squared(self, rows: Ints) -> Floats:
        """Squared distances from these rows to all rows, (len(rows), n)."""
        inner = self.X[rows] @ self.transposed
        dense = inner.toarray() if is_sparse(inner) else inner
        return np.asarray(self.norms[rows][:, None] + self.norms - 2.0 * dense)


def _candidates(products: _Products, m: int) -> Ints:
    """The m nearest rows of each row, (n, m), up to rounding and in any order; usually includes the row itself."""
    n, d = products.X.shape
    if not is_sparse(products.X) and n > _SMALL:
        from sklearn.neighbors import NearestNeighbors

        tree = d <= _TREE_UP_TO and n >= _TREE_FROM
        search = NearestNeighbors(n_neighbors=m, algorithm="kd_tree" if tree else "brute").fit(products.X)
        return np.asarray(search.kneighbors(products.X, return_distance=False), dtype=np.int64)
    parts = [
        np.argpartition(products.squared(np.arange(n)[rows]), m - 1, axis=1)[:, :m] for rows in _parts(n, n)
    ]
    return np.concatenate(parts).astype(np.int64)


def _with_ties(X: Any, products: _Products, rows: Ints, reach: Floats, k: int) -> Ints:
    """The k nearest rows of rows whose k-th neighbour, at squared distance `reach`, may be tied with more rows, (rows, k)."""
    out = np.empty((len(rows), k), dtype=np.int64)
    for part in _parts(len(rows), X.shape[0]):
        chunk, margin = rows[part], products.margin(rows[part], reach[part])
        low, high = (reach[part] - margin)[:, None], (reach[part] + margin)[:, None]
        squared = products.squared(chunk)
        squared[np.arange(len(chunk)), chunk] = np.inf
        # Rows in the band around `reach` may be tied with the k-th neighbour. Of tied rows the first in X win, so the first few
        # of the band suffice, however many duplicates there are.
        band = (squared >= low) & (squared <= high)
        position, other = np.nonzero((squared < low) | (band & (np.cumsum(band, 1) <= k + _SPARE)))
        order = np.lexsort((other, _squared(X, chunk[position], other), position))
        start = np.searchsorted(position, np.arange(len(chunk)))
        out[part] = other[order[start[:, None] + np.arange(k)]]
    return out


def _squared(X: Any, left: Ints, right: Ints) -> Floats:
    """Squared distances of pairs of rows from their differences, (pairs,): equal rows give bit-equal distances."""
    out = np.empty(len(left))
    width = X.nnz // X.shape[0] + 1 if is_sparse(X) else X.shape[1]
    for part in _parts(len(left), width):
        gap = X[left[part]] - X[right[part]]
        out[part] = np.asarray((gap.multiply(gap) if is_sparse(gap) else gap**2).sum(1)).ravel()
    return out


def _parts(rows: int, width: int) -> Iterator[slice]:
    """Slices of the rows with at most `_CELLS` cells each."""
    step = max(1, _CELLS // max(1, width))
    return (slice(i, min(i + step, rows)) for i in range(0, rows, step))
