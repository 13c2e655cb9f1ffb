"""Array functions that measures, metrics and thresholds share: checked inputs, sorting with ties, means that skip NaN."""

from __future__ import annotations

import sys
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
    array = as_array(Y, name)
    if is_sparse(array):
        array = array.toarray()
    if array.ndim != 2 or array.shape[1] == 0:
        raise EquipoiseError(f"{name} has shape {array.shape}; needed: (rows, labels), labels > 0")
    if array.dtype == np.bool_:
        return array
    try:
        bits = array.astype(np.bool_)
        # NaN becomes True and differs from it, so it is refused as well.
        valid = np.array_equal(bits, array)
    except (TypeError, ValueError):  # objects that are neither true nor false, such as pandas' NA
        valid = False
    if not valid:
        raise EquipoiseError(f"{name} holds values other than 0 and 1; 1 = the row has the label")
    return bits


def as_array(values: Any, name: str) -> Any:
    """Values of any array library as a NumPy array, or unchanged if they are a SciPy sparse matrix; a view where possible.

    A PyTorch tensor may be sparse, need gradients or lie on a device; bfloat16, which NumPy lacks, becomes float32. Nullable
    numbers of pandas, which NumPy would take for objects, become float64, with NaN where a value is missing.

    Raises:
        EquipoiseError: rows of different lengths, or masked values, whose mask NumPy would drop.
    """
    if is_sparse(values):
        return values
    if isinstance(values, list | tuple) and values and _is_tensor(values[0]):
        values = [as_array(row, name) for row in values]
    try:
        array = np.asarray(_of_tensor(values) if _is_tensor(values) else values)
    except (TypeError, ValueError) as problem:
        # NumPy's message on rows of different lengths speaks of its own terms only.
        why = "its rows differ in length" if "inhomogeneous" in str(problem) else str(problem)
        raise EquipoiseError(f"{name} is not an array: {why}") from None
    if np.ma.is_masked(values):
        raise EquipoiseError(f"{name} has masked values; fill them in first")
    return _of_nullable(values) if array.dtype == object and _is_nullable(values) else array


def _is_tensor(values: Any) -> bool:
    # Where there is a tensor, PyTorch is loaded; importing it here would take seconds.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, getattr(torch, "Tensor", ()))


def _of_tensor(tensor: Any) -> NDArray[Any]:
    tensor = tensor.detach().cpu()
    if tensor.layout is not sys.modules["torch"].strided:
        tensor = tensor.to_dense()
    if tensor.dtype is sys.modules["torch"].bfloat16:
        tensor = tensor.float()
    array: NDArray[Any] = tensor.resolve_conj().resolve_neg().numpy()
    return array


def _is_nullable(values: Any) -> bool:
    """Whether this is a frame or series of pandas that holds numbers only, in types of its own."""
    dtypes: Any = getattr(values, "dtypes", None)
    if not hasattr(values, "columns"):
        dtypes = [dtypes]
    kinds = {getattr(dtype, "kind", "O") for dtype in dtypes}
    return hasattr(values, "to_numpy") and kinds <= set("biuf")


def _of_nullable(values: Any) -> NDArray[Any]:
    array: NDArray[Any] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return array


def is_sparse(X: Any) -> bool:
    """Whether X is a SciPy sparse array or matrix (a plain bool: type checkers narrow SciPy's own to a bare base)."""
    return bool(scipy.sparse.issparse(X))


def score_matrix(scores: ArrayLike, shape: tuple[int, ...], name: str = "scores") -> NDArray[Any]:
    """Return scores as a floating array of the given shape without NaN, or raise EquipoiseError."""
    array = as_array(scores, name)
    if not np.issubdtype(array.dtype, np.floating):
        array = numbers(array, name)
    same_shape(array, shape, name)
    if np.isnan(array).any():
        raise EquipoiseError(f"{name} hold NaN; the training that made them probably diverged")
    return array


def numbers(values: Any, name: str) -> Floats:
    """Values of any array library as float64.

    Raises:
        EquipoiseError: they are no real numbers. Texts are none, even if they spell numbers; neither are dates.
    """
    array = as_array(values, name)
    if is_sparse(array):
        array = array.toarray()
    texts = array.dtype == object and any(isinstance(value, str | bytes) for value in array.flat)
    if texts or array.dtype.kind not in "biufO":
        raise EquipoiseError(f"{name} must be numbers, not {'texts' if texts else array.dtype}")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as problem:
        raise EquipoiseError(f"{name} must be numbers ({problem})") from None


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
