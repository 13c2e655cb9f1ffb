"""Fits lanes whose backbone is a scikit-learn estimator, one after the other, instead of training them by gradient steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from equipoise.contracts.estimator import EstimatorBackbone
from equipoise.core.arrays import is_sparse
from equipoise.core.lazy import lazy
from equipoise.core.seeds import seed_of
from equipoise.engine.lanes import Lane, Softmax, Trained
from equipoise.engine.sampler import mean_probabilities
from equipoise.ops.inputs import Dense, Inputs, Sparse

if TYPE_CHECKING:
    import threadpoolctl
else:
    threadpoolctl = lazy("threadpoolctl")


def predict(
    trained: Trained, inputs: Inputs, rows: np.ndarray, label_inputs: np.ndarray | None
) -> np.ndarray:
    """Logits (v, L) float32 of one fitted lane for rows (v,) of the inputs; label inputs (v, G) are additional columns."""
    X = rows_of(inputs, rows)
    logits: np.ndarray = trained.estimator.logits(
        X if label_inputs is None else _with_columns(X, label_inputs)
    )
    return logits


def rows_of(inputs: Inputs, rows: np.ndarray) -> Any:
    """Rows (v,) of the features as an array (v, d), dense or CSR."""
    if isinstance(inputs, Dense):
        return inputs.array()[rows]
    if isinstance(inputs, Sparse):
        return inputs.matrix[rows]
    raise TypeError(f"estimators read vectors, not {type(inputs).__name__}")


def fit(lane: Lane, inputs: Inputs) -> Trained:
    """Fit a lane's estimator on its rows; its sampling weights become weights of the rows."""
    backbone: Any = lane.backbone
    assert isinstance(backbone, EstimatorBackbone)
    X = rows_of(inputs, np.asarray(lane.index, dtype=np.int64))
    if lane.synthetic is not None and lane.synthetic.shape[0]:
        parts: Any = [X, lane.synthetic]
        X = sp.vstack(parts).tocsr() if is_sparse(X) else np.vstack(parts)
    if lane.label_inputs is not None:
        X = _with_columns(X, lane.label_inputs.matrix())
    seed = seed_of("estimator", *lane.role)
    # More threads would change the order of sums, and with it the bits.
    with threadpoolctl.threadpool_limits(limits=1):
        exclusive = isinstance(lane.strategy, Softmax)
        model = backbone.fit(X, np.asarray(lane.targets), _weights(lane), seed, exclusive)
    return Trained({}, lane.backbone, steps_run=0, settled=0.0, estimator=model)


def _weights(lane: Lane) -> np.ndarray | None:
    """The weights of rows (m,), of mean 1, from sampling weights."""
    if lane.weights is None:
        return None
    # Weights that change during training are averaged: an estimator sees all rows at once.
    shares = mean_probabilities(lane.weights)
    weights: np.ndarray = shares * len(shares)
    return weights


def _with_columns(X: Any, columns: np.ndarray) -> Any:
    """X (v, d) with additional columns (v, G) at the right."""
    if is_sparse(X):
        parts: Any = [X, sp.csr_matrix(columns, dtype=X.dtype)]
        return sp.hstack(parts).tocsr()
    return np.hstack([X, columns.astype(X.dtype)])
