"""Nearest neighbours of all rows at once, dense or CSR, with one written rule for ties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from equipoise.core.arrays import Floats, Ints, is_sparse

_CELLS = 1 << 22  # distances held at a time, 32 MB
_SPARE = 4  # candidates beyond those asked for: room for ties
_TREE_UP_TO = 15  # features; beyond, a tree visits most rows anyway
_TREE_FROM = 5000  # rows
_SMALL = 1000  # rows up to which one product is quicker than scikit-learn's checks (about a millisecond)
_ROUNDING = 1e-11  # share of the squared norms by which a squared distance from products may be off


def nearest(X: Any, k: int) -> Ints:
    """The k nearest other rows of each row of X (n, d), dense or CSR, by Euclidean distance: (n, min(k, n − 1)).

    Nearest first; of equally near rows the one that comes first in X. Candidates come from scikit-learn (dense) or chunked
    products (CSR, or few rows); their distances are then taken anew, exactly, so that equal rows are equally far. The memory for
    distances is bounded whatever n is.
    """
    n = X.shape[0]
    k = min(k, n - 1)
    if k < 1:
        return np.empty((n, 0), dtype=np.int64)
    X = X.astype(np.float64)
    flat = _Products(X)
    some = _candidates(flat, min(n, k + 1 + _SPARE))
    squared = _squared(X, np.repeat(np.arange(n), some.shape[1]), some.ravel()).reshape(some.shape)
    squared[some == np.arange(n)[:, None]] = np.inf
    order = np.lexsort((some, squared), axis=-1)[:, :k]
    found = np.take_along_axis(some, order, 1)
    if some.shape[1] < n:
        reach = np.take_along_axis(squared, order[:, -1:], 1)[:, 0]
        seen = np.where(np.isinf(squared), -np.inf, squared).max(1)
        tied = np.flatnonzero(seen <= reach + flat.margin(np.arange(n), reach))
        found[tied] = _with_ties(X, flat, tied, reach[tied], k)
    return found


class _Products:
    """Squared distances through inner products: quick, and off by rounding."""

    def __init__(self, X: Any) -> None:
        self.X = X if is_sparse(X) else X - X.mean(0)
        self.turned = self.X.T.tocsr() if is_sparse(X) else self.X.T
        self.norms = np.asarray((self.X.multiply(self.X) if is_sparse(X) else self.X**2).sum(1)).ravel()

    def margin(self, rows: Ints, reach: Floats) -> Floats:
        """By how much distances from these rows may be off, up to `reach` and a little further.

        It goes with the norms of both rows, and a row within reach cannot have a much larger norm; so a far outlier makes
        the distances of no other rows doubtful.
        """
        return np.asarray(_ROUNDING * (3.0 * self.norms[rows] + 2.0 * reach))

    def squared(self, rows: Ints) -> Floats:
        """(len(rows), n) from these rows to all."""
        inner = self.X[rows] @ self.turned
        dense = inner.toarray() if is_sparse(inner) else inner
        return np.asarray(self.norms[rows][:, None] + self.norms - 2.0 * dense)


def _candidates(flat: _Products, m: int) -> Ints:
    """m of the nearest rows of each row, itself among them unless it has many equals; in any order."""
    n, d = flat.X.shape
    if not is_sparse(flat.X) and n > _SMALL:
        from sklearn.neighbors import NearestNeighbors

        tree = d <= _TREE_UP_TO and n >= _TREE_FROM
        search = NearestNeighbors(n_neighbors=m, algorithm="kd_tree" if tree else "brute").fit(flat.X)
        return np.asarray(search.kneighbors(flat.X, return_distance=False), dtype=np.int64)
    parts = [np.argpartition(flat.squared(np.arange(n)[rows]), m - 1, axis=1)[:, :m] for rows in _parts(n, n)]
    return np.concatenate(parts).astype(np.int64)


def _with_ties(X: Any, flat: _Products, rows: Ints, reach: Floats, k: int) -> Ints:
    """The k nearest of rows whose k-th neighbour, at a squared distance `reach`, may have equals further down."""
    out = np.empty((len(rows), k), dtype=np.int64)
    for part in _parts(len(rows), X.shape[0]):
        own, margin = rows[part], flat.margin(rows[part], reach[part])
        low, high = (reach[part] - margin)[:, None], (reach[part] + margin)[:, None]
        squared = flat.squared(own)
        squared[np.arange(len(own)), own] = np.inf
        band = (squared >= low) & (squared <= high)
        place, other = np.nonzero((squared < low) | (band & (np.cumsum(band, 1) <= k + _SPARE)))
        order = np.lexsort((other, _squared(X, own[place], other), place))
        start = np.searchsorted(place, np.arange(len(own)))
        out[part] = other[order[start[:, None] + np.arange(k)]]
    return out


def _squared(X: Any, left: Ints, right: Ints) -> Floats:
    """Exact squared distances of pairs of rows: equal rows give equal numbers, wherever they lie."""
    out = np.empty(len(left))
    width = X.nnz // X.shape[0] + 1 if is_sparse(X) else X.shape[1]
    for part in _parts(len(left), width):
        gap = X[left[part]] - X[right[part]]
        out[part] = np.asarray((gap.multiply(gap) if is_sparse(gap) else gap**2).sum(1)).ravel()
    return out


def _parts(rows: int, width: int) -> Iterator[slice]:
    step = max(1, _CELLS // max(1, width))
    return (slice(i, min(i + step, rows)) for i in range(0, rows, step))
