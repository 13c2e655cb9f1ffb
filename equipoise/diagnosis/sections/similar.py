"""Finds rows whose inputs are nearly equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from equipoise.contracts.dataset import Dataset
from equipoise.core.arrays import Floats, Ints
from equipoise.core.seeds import stream
from equipoise.diagnosis.sections.inputs import is_sparse
from equipoise.splits.groups import plain

NEAR_COSINE = 0.9  # least cosine of near rows, over word triples or sparse features
# Largest distance of near rows over standardised dense features, as a share of the median distance.
NEAR_DISTANCE = 0.05
_TRIPLES = 5  # least number of word triples, or of features, for which a cosine is meaningful
# Limit on multiplications for sparse rows; to keep it, the most frequent columns are left out.
_PRODUCTS = 3e8
_FLOPS = 1.2e10  # limit on multiplications for dense rows; to keep it, fewer rows are compared
_MOST_ROWS = 10_000


def near_pairs(data: Dataset, groups: Ints, seed: int) -> tuple[np.ndarray[Any, Any], int]:
    """Pairs (m, 2) of rows with nearly equal but not equal inputs, sorted, and the number of rows compared.

    The first row of each group of equal rows stands for the group. Dense inputs with fewer than five columns are not
    compared, because in so few dimensions every row has near neighbours.
    """
    first = np.unique(groups, return_index=True)[1]
    width = 1 if data.kind == "text" else data.X.shape[1]
    dense = data.kind != "text" and not is_sparse(data.X)
    # Comparing all dense rows costs rows² × width multiplications.
    most = min(_MOST_ROWS, int((_FLOPS / width) ** 0.5)) if dense else _MOST_ROWS
    if len(first) > most:
        first = stream("diagnose", "near duplicates", seed).choice(first, most, replace=False)
    rows = np.sort(first)
    if dense and width < _TRIPLES:
        return np.zeros((0, 2), dtype=np.int64), 0
    pairs = _near_dense(data.X[rows]) if dense else _near_sparse(_features(data, rows))
    return rows[pairs], len(rows)


def _features(data: Dataset, rows: Ints) -> Any:
    """The sparse features of some rows; for text they are its word triples, hashed."""
    if data.kind != "text":
        return data.X[rows]
    from sklearn.feature_extraction.text import HashingVectorizer

    triples = HashingVectorizer(ngram_range=(3, 3), norm=None, binary=True, alternate_sign=False)
    return triples.transform(plain(str(text)) for text in np.asarray(data.X)[rows])


def _near_sparse(X: Any) -> Ints:
    """Pairs of rows with a cosine of at least NEAR_COSINE over the columns that are not too frequent."""
    # A column with k nonzero rows costs k² multiplications, and rare columns tell more: take the rarest within the limit.
    matrix = sparse.csc_matrix(X, dtype=np.float32)
    frequency = np.diff(matrix.indptr)
    order = np.argsort(frequency, kind="stable")
    affordable = order[np.cumsum(frequency[order].astype(np.float64) ** 2) <= _PRODUCTS]
    rare = sparse.csr_matrix(matrix[:, np.sort(affordable)])
    norms = np.sqrt(np.asarray(rare.multiply(rare).sum(axis=1)).ravel())
    usable = np.flatnonzero((np.diff(rare.indptr) >= _TRIPLES) & (norms > 0))
    scaled = sparse.csr_matrix(sparse.diags(1 / norms[usable]) @ rare[usable])
    return usable[_above(scaled)]


def _above(scaled: Any) -> Ints:
    """Positions (m, 2), i < j, of the rows of unit length whose product reaches NEAR_COSINE."""
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    transposed = sparse.csc_matrix(scaled.T)
    # In blocks, because the full product may not fit into memory.
    for start in range(0, scaled.shape[0], 500):
        product = (scaled[start : start + 500] @ transposed).tocoo()
        near = (product.data >= NEAR_COSINE) & (product.row + start < product.col)
        pairs.append(np.column_stack([product.row[near] + start, product.col[near]]).astype(np.int64))
    return _sorted(np.concatenate(pairs))


def _near_dense(X: Any) -> Ints:
    """Pairs of rows whose distance over standardised columns is at most NEAR_DISTANCE times the median distance."""
    spread = X.std(axis=0, dtype=np.float64)
    scaled = ((X - X.mean(axis=0, dtype=np.float64)) / np.where(spread > 0, spread, 1.0)).astype(np.float32)
    squares = (scaled.astype(np.float64) ** 2).sum(axis=1)
    pairs, limit = [np.zeros((0, 2), dtype=np.int64)], _limit(scaled, squares)
    for start in range(0, len(scaled), 500):
        part = slice(start, start + 500)
        # |x − y|² = |x|² + |y|² − 2 x·y, squared like the limit.
        distance = squares[part, None] + squares - 2.0 * (scaled[part] @ scaled.T)
        i, j = np.nonzero(distance <= limit)
        pairs.append(np.column_stack([i + start, j])[i + start < j])
    return _sorted(np.concatenate(pairs))


def _limit(scaled: Any, squares: Floats) -> float:
    """The squared distance up to which rows are near, from the median over at most 500 evenly spaced rows."""
    sample = np.unique(np.linspace(0, len(scaled) - 1, min(500, len(scaled))).astype(int))
    distance = squares[sample, None] + squares[sample] - 2.0 * (scaled[sample] @ scaled[sample].T)
    distances = distance[np.triu_indices(len(sample), k=1)]
    return float(np.median(np.maximum(distances, 0.0))) * NEAR_DISTANCE**2 if len(distances) else 0.0


def _sorted(pairs: Ints) -> Ints:
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
