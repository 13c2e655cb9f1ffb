"""Resampling of plain arrays, outside of any sweep, as users of imbalanced-learn know it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy

from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.arrays import is_sparse, label_matrix
from equipoise.core.errors import EquipoiseError
from equipoise.core.seeds import stream


def fit_resample(
    strategy: Strategy, X: Any, Y: Any, seed: int = 0, nominal: Any = None
) -> tuple[Any, np.ndarray]:
    """Resample plain arrays, see `Strategy.fit_resample`."""

    parts = strategy.chain("resample")
    if not parts and strategy.name != "none":
        raise EquipoiseError(
            f"strategy {strategy.spec!r} does not resample; those that do have the stage `resample` in docs/strategies.md, "
            "e.g. ml_ros or mlsmote"
        )
    asker = next((p.name for p in parts if "numeric" in p.requires), None)
    labels = label_matrix(Y.toarray() if is_sparse(Y) else Y).astype(np.uint8)
    array = scipy.sparse.csr_matrix(X) if is_sparse(X) else np.asarray(X)
    if array.ndim == 0 or array.shape[0] != len(labels) or len(labels) == 0:
        raise EquipoiseError(
            f"X and Y must have the same rows, at least one; got {array.shape} and {labels.shape}"
        )
    shared = None if asker is None else _numbers(asker, array)
    rows = before = Rows(np.arange(len(labels)), labels, shared, nominal=_nominal(nominal, array))
    ctx = Context(labels.sum(0, dtype=np.int64), len(labels))
    for place, part in enumerate(parts):
        rows = part.resample(rows, replace(ctx, rng=stream("resample", "plain arrays", seed, place)))
    kind = Y.dtype if hasattr(Y, "dtype") else np.int64
    return array[rows.index] if shared is None else rows.X, rows.Y.astype(kind, copy=rows is before)


def _numbers(name: str, X: Any) -> Any:
    """X as finite floating-point numbers (n, d), dense or CSR."""
    if X.ndim != 2 or X.dtype.kind not in "biuf":
        raise EquipoiseError(
            f"{name} takes distances, so X must be numbers (rows, columns); got {X.dtype} {X.shape}"
            "; ml_ros, ml_rus, lp_ros, lp_rus and remedial take anything"
        )
    wide = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    if not np.isfinite(wide.data if is_sparse(wide) else wide).all():
        raise EquipoiseError("X holds NaN or infinite values: fill them in first")
    return wide


def _nominal(nominal: Any, X: Any) -> np.ndarray | None:
    if nominal is None:
        return None
    mask = np.asarray(nominal)
    if X.ndim != 2 or mask.shape != X.shape[1:] or mask.dtype.kind not in "biu":
        raise EquipoiseError(
            f"nominal must say of each column of X {X.shape} whether it is a category; got {mask.shape}"
        )
    return mask if mask.dtype == np.bool_ else mask.astype(np.int64)
