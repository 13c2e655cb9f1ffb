"""Resampling of plain arrays outside a sweep, with the interface that users of imbalanced-learn know."""

from __future__ import annotations

from dataclasses import replace
from numbers import Number
from typing import Any

import numpy as np
import scipy

from equipoise.contracts import hook_results
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.arrays import as_array, is_sparse, label_matrix, numbers
from equipoise.core.errors import EquipoiseError
from equipoise.core.seeds import stream


def fit_resample(
    strategy: Strategy, X: Any, Y: Any, seed: int = 0, nominal: Any = None
) -> tuple[Any, np.ndarray]:
    """X and Y after resampling by a strategy; see `Strategy.fit_resample` for arguments and errors."""
    parts = strategy.chain("resample")
    if not parts and strategy.name != "none":
        raise EquipoiseError(
            f"strategy {strategy.spec!r} does not resample; docs/strategies.md lists those that do (stage `resample`), "
            "e.g. ml_ros or mlsmote"
        )
    if from_file := next((p.name for p in parts if "file" in p.requires), None):
        raise EquipoiseError(
            f"{from_file} adds rows to the training folds of a data set, and plain arrays have no folds; "
            "append your rows to X and Y, or use `equipoise run`"
        )
    needs_numbers = next((p.name for p in parts if "numeric" in p.requires), None)
    Y = as_array(Y, "Y")
    labels = label_matrix(Y).astype(np.uint8)
    array = scipy.sparse.csr_matrix(X) if is_sparse(X) else _rows_of(X)
    if array.ndim == 0 or array.shape[0] != len(labels) or len(labels) == 0:
        raise EquipoiseError(
            f"X and Y must have the same number of rows, at least one; got {array.shape} and {labels.shape}"
        )
    # Strategies that take no distances never look at the features, so X may then be anything, e.g. texts.
    shared = None if needs_numbers is None else _numbers(needs_numbers, array)
    rows = before = Rows(np.arange(len(labels)), labels, shared, nominal=_nominal(nominal, array))
    ctx = Context(labels.sum(0, dtype=np.int64), len(labels))
    for step, part in enumerate(parts):
        made = part.resample(rows, replace(ctx, rng=stream("resample", "plain arrays", seed, step)))
        rows = hook_results.resampled_rows(part, made, rows)
    dtype = np.int64 if Y.dtype == object else Y.dtype
    # A copy if nothing was resampled: the result must never share memory with the caller's Y.
    return array[rows.index] if shared is None else rows.X, rows.Y.astype(dtype, copy=rows is before)


def _rows_of(X: Any) -> Any:
    """X as an array of n rows: numbers as numbers, everything else as objects.

    NumPy would make all texts of a list as wide as the longest, at four bytes a character, and turn the numbers beside a text
    into texts.
    """
    if not isinstance(X, list | tuple):
        return as_array(X, "X")
    try:
        array = np.array(X, dtype=object)
    except (TypeError, ValueError, RuntimeError):
        # Rows that are arrays or tensors themselves, of types that have no array of objects.
        return as_array(X, "X")
    plain = all(isinstance(value, Number | np.bool_) for value in array.flat)
    return as_array(X, "X") if plain or array.ndim == 0 else array


def _numbers(name: str, X: Any) -> Any:
    """X as finite floats (n, d), dense or CSR; `name` is the strategy that needs them."""
    if X.ndim == 2 and X.dtype == object and not any(isinstance(value, str | bytes) for value in X.flat):
        X = numbers(X, "X")
    if X.ndim != 2 or X.dtype.kind not in "biuf":
        raise EquipoiseError(
            f"{name} computes distances, so X must be numeric with shape (rows, columns); got {X.dtype} {X.shape}"
            "; ml_ros, ml_rus, lp_ros, lp_rus and remedial accept any X"
        )
    floats = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    values = floats.data if is_sparse(floats) else floats
    if not np.isfinite(values).all():
        raise EquipoiseError("X contains NaN or infinite values; fill them in first")
    # A squared distance is a sum over the columns of squares of up to twice the largest value.
    largest = np.sqrt(np.finfo(floats.dtype).max / (4.0 * X.shape[1] + 4.0))
    if values.size and np.abs(values).max() > largest:
        raise EquipoiseError(f"X has values beyond {largest:.0e}, too large for distances; scale its columns")
    return floats


def _nominal(nominal: Any, X: Any) -> np.ndarray | None:
    """`nominal` as `Rows` takes it: bool, or int64."""
    if nominal is None:
        return None
    mask = as_array(nominal, "nominal")
    if X.ndim != 2 or mask.shape != X.shape[1:] or mask.dtype.kind not in "biu":
        raise EquipoiseError(
            f"nominal must have one entry for each column of X {X.shape}; got shape {mask.shape}"
        )
    return mask if mask.dtype == np.bool_ else mask.astype(np.int64)
