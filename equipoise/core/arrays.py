"""Array functions that measures, metrics and thresholds share: checked inputs, sorting with ties, means that skip NaN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy  # its subpackages load on first use, so that `equipoise list` starts quickly
from numpy.typing import ArrayLike, NDArray

from equipoise.core.errors import EquipoiseError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK_CELLS = 1 << 20  # cells of a temporary: a few MB each, so 50,000 x 1000 never needs gigabytes


def label_matrix(Y: ArrayLike, name: str = "Y") -> Bools:
    """Return Y as an (n, L) bool array.

    Raises:
        EquipoiseError: Y is not two-dimensional, has no label, or holds a value other than 0 and 1 (NaN, for one).
    """
    array = np.asarray(Y)
    if array.ndim != 2 or array.shape[1] == 0:
        raise EquipoiseError(f"{name} has shape {array.shape}; needed: (rows, labels), labels > 0")
    if array.dtype == np.bool_:
        return array
    bits = array.astype(np.bool_)
    # NaN becomes True and differs from it, so it is refused as well.
    if not np.array_equal(bits, array):
        raise EquipoiseError(f"{name} holds values other than 0 and 1; 1 = the row has the label")
    return bits


def is_sparse(X: Any) -> bool:
    """Whether X is a SciPy sparse array or matrix (a plain bool: type checkers narrow SciPy's own to a bare base)."""
    return bool(scipy.sparse.issparse(X))


def score_matrix(scores: ArrayLike, shape: tuple[int, ...], name: str = "scores") -> NDArray[Any]:
    """Return scores as a floating array of the given shape without NaN, or raise EquipoiseError."""
    array = np.asarray(scores)
    if not np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float64)
    same_shape(array, shape, name)
    if np.isnan(array).any():
        raise EquipoiseError(f"{name} hold NaN; the training that made them probably diverged")
    return array


def same_shape(array: NDArray[Any], shape: tuple[int, ...], name: str) -> None:
    """Raise EquipoiseError unless the array has this shape."""
    if array.shape != shape:
        raise EquipoiseError(f"{name} has shape {array.shape}; the true labels have {shape}")


def train_matrix(Y_train: ArrayLike, labels: int) -> Bools:
    """Return Y_train as (n_train, L) bool; EquipoiseError unless it has as many labels as the scored rows."""
    train = label_matrix(Y_train, "Y_train")
    if train.shape[1] != labels:
        raise EquipoiseError(f"Y_train has {train.shape[1]} labels; the true labels have {labels}")
    return train


def row_chunks(rows: int, width: int) -> Iterator[slice]:
    """Yield slices that cover `rows` rows of `width` cells, each of about CHUNK_CELLS cells."""
    step = max(1, CHUNK_CELLS // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def descending(scores: NDArray[Any], Y: Bools) -> tuple[NDArray[Any], Bools]:
    """Sort each row of (m, n) scores from high to low, and Y in the same order; the order of equal scores is arbitrary."""
    order = np.argsort(-scores, axis=1)
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(Y, order, axis=1)


def ends_of_ties(ordered: NDArray[Any]) -> Bools:
    """For (m, n) scores sorted along each row: True where the next score differs, and at the end of the row."""
    ends = np.ones(ordered.shape, dtype=np.bool_)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=ends[:, :-1])
    return ends


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Divide elementwise in float64; NaN wherever the denominator is 0."""
    above, below = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    out = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=out, where=below != 0)
    return out


def mean_defined(values: ArrayLike) -> float:
    """Mean of the values that are not NaN; NaN where there is none."""
    array = np.asarray(values, dtype=np.float64)
    # `np.nanmean` would warn where nothing is left.
    kept = array[~np.isnan(array)]
    return float(kept.mean()) if kept.size else float("nan")
