"""Rows whose inputs are equal, or nearly so."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import numpy as np
from scipy import sparse

from equipoise.contracts.dataset import Dataset
from equipoise.core.arrays import Floats, Ints
from equipoise.core.seeds import stream
from equipoise.diagnosis.sections.inputs import is_sparse

NEAR_COSINE = 0.9  # of word triples, or of sparse features
NEAR_DISTANCE = 0.05  # of dense standardised features: this share of the median distance between two rows
_TRIPLES = 5  # word triples, or features, a row must have before a cosine means anything
_PRODUCTS = 3e8  # multiplications spent on sparse rows; the commonest columns are left out beyond
_FLOPS = 1.2e10  # and on dense ones: fewer rows are compared beyond
_MOST_ROWS = 10_000
_NOT_A_WORD = re.compile(r"[\W_]+")


def exact_groups(data: Dataset) -> Ints:
    """A number per row, (n,): rows have the same number when their inputs are equal.

    Texts are equal when they are so without case, punctuation and spacing.
    """
    return _numbered(_keys(data))


def _keys(data: Dataset) -> Iterator[Hashable]:
    X: Any = data.X
    if data.kind == "text":
        return (_plain(text) for text in X)
    if is_sparse(X):
        ends = zip(X.indptr[:-1], X.indptr[1:], strict=True)
        return ((X.indices[a:b].tobytes(), X.data[a:b].tobytes()) for a, b in ends)
    return (row.tobytes() for row in X + np.float32(0.0))  # −0.0 becomes 0.0


def _plain(text: str) -> str:
    return _NOT_A_WORD.sub(" ", text.casefold()).strip()


def _numbered(keys: Iterable[Hashable]) -> Ints:
    numbers: dict[Hashable, int] = {}
    return np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), dtype=np.int64)


def near_pairs(data: Dataset, groups: Ints, seed: int) -> tuple[np.ndarray[Any, Any], int]:
    """Pairs (m, 2) of rows with nearly equal but not equal inputs, ascending, and how many rows were compared.

    Of rows that are equal the first stands for all. Dense inputs of fewer than five columns are not compared.
    """
    first = np.unique(groups, return_index=True)[1]
    width = 1 if data.kind == "text" else data.X.shape[1]
    dense = data.kind != "text" and not is_sparse(data.X)
    most = min(_MOST_ROWS, int((_FLOPS / width) ** 0.5)) if dense else _MOST_ROWS
    if len(first) > most:
        first = stream("diagnose", "near duplicates", seed).choice(first, most, replace=False)
    rows = np.sort(first)
    if dense and width < _TRIPLES:  # in so few dimensions every row has near ones
        return np.zeros((0, 2), dtype=np.int64), 0
    pairs = _near_dense(data.X[rows]) if dense else _near_sparse(_features(data, rows))
    return rows[pairs], len(rows)


def _features(data: Dataset, rows: Ints) -> Any:
    if data.kind != "text":
        return data.X[rows]
    from sklearn.feature_extraction.text import HashingVectorizer

    triples = HashingVectorizer(ngram_range=(3, 3), norm=None, binary=True, alternate_sign=False)
    return triples.transform(_plain(str(text)) for text in np.asarray(data.X)[rows])


def _near_sparse(X: Any) -> Ints:
    """Pairs of rows with a cosine of at least NEAR_COSINE over the columns that are not too common."""
    matrix = sparse.csc_matrix(X, dtype=np.float32)
    frequency = np.diff(matrix.indptr)
    order = np.argsort(frequency, kind="stable")
    affordable = order[np.cumsum(frequency[order].astype(np.float64) ** 2) <= _PRODUCTS]
    kept = sparse.csr_matrix(matrix[:, np.sort(affordable)])
    norms = np.sqrt(np.asarray(kept.multiply(kept).sum(axis=1)).ravel())
    usable = np.flatnonzero((np.diff(kept.indptr) >= _TRIPLES) & (norms > 0))
    scaled = sparse.csr_matrix(sparse.diags(1 / norms[usable]) @ kept[usable])
    return usable[_above(scaled)]


def _above(scaled: Any) -> Ints:
    """Positions (m, 2), i < j, of rows of unit length with a large enough product."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    turned = sparse.csc_matrix(scaled.T)
    for start in range(0, scaled.shape[0], 500):
        product = (scaled[start : start + 500] @ turned).tocoo()
        near = (product.data >= NEAR_COSINE) & (product.row + start < product.col)
        found.append(np.column_stack([product.row[near] + start, product.col[near]]).astype(np.int64))
    return _sorted(np.concatenate(found))


def _near_dense(X: Any) -> Ints:
    """Pairs whose distance is at most NEAR_DISTANCE of the median one, columns standardised."""
    spread = X.std(axis=0, dtype=np.float64)
    scaled = ((X - X.mean(axis=0, dtype=np.float64)) / np.where(spread > 0, spread, 1.0)).astype(np.float32)
    squares = (scaled.astype(np.float64) ** 2).sum(axis=1)
    found, limit = [np.zeros((0, 2), dtype=np.int64)], _limit(scaled, squares)
    for start in range(0, len(scaled), 500):
        part = slice(start, start + 500)
        distance = squares[part, None] + squares - 2.0 * (scaled[part] @ scaled.T)
        i, j = np.nonzero(distance <= limit)
        found.append(np.column_stack([i + start, j])[i + start < j])
    return _sorted(np.concatenate(found))


def _limit(scaled: Any, squares: Floats) -> float:
    """The squared distance below which rows are near, from at most 500 rows spread evenly."""
    some = np.unique(np.linspace(0, len(scaled) - 1, min(500, len(scaled))).astype(int))
    distance = squares[some, None] + squares[some] - 2.0 * (scaled[some] @ scaled[some].T)
    others = distance[np.triu_indices(len(some), k=1)]
    return float(np.median(np.maximum(others, 0.0))) * NEAR_DISTANCE**2 if len(others) else 0.0


def _sorted(pairs: Ints) -> Ints:
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
