"""Lanes of backbones that are fitted by scikit-learn instead of trained by gradient steps: one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from equipoise.contracts.estimator import EstimatorBackbone
from equipoise.core.arrays import is_sparse
from equipoise.core.seeds import seed_of
from equipoise.engine.lanes import Lane, Softmax, Trained
from equipoise.ops.inputs import Dense, Inputs, Sparse


def predict(
    trained: Trained, inputs: Inputs, rows: np.ndarray, label_inputs: np.ndarray | None
) -> np.ndarray:
    """Logits (v, L) float32 of one fitted lane for rows (v,) of the inputs, with further inputs (v, G) as columns."""
    X = rows_of(inputs, rows)
    out: np.ndarray = trained.estimator.logits(X if label_inputs is None else _beside(X, label_inputs))
    return out


def rows_of(inputs: Inputs, rows: np.ndarray) -> Any:
    """Rows of the features (v, d), dense or CSR."""
    if isinstance(inputs, Dense):
        return inputs.array()[rows]
    if isinstance(inputs, Sparse):
        return inputs.matrix[rows]
    raise TypeError(f"estimators read vectors, not {type(inputs).__name__}")


def fit(lane: Lane, inputs: Inputs) -> Trained:
    """Fit a lane's estimator on its rows, with its sampling weights as the weights of rows."""
    from threadpoolctl import threadpool_limits

    backbone: Any = lane.backbone
    assert isinstance(backbone, EstimatorBackbone)
    X = rows_of(inputs, np.asarray(lane.index, dtype=np.int64))
    if lane.synthetic is not None and lane.synthetic.shape[0]:
        parts: Any = [X, lane.synthetic]
        X = sp.vstack(parts).tocsr() if is_sparse(X) else np.vstack(parts)
    if lane.label_inputs is not None:
        X = _beside(X, lane.label_inputs.matrix())
    seed = seed_of("estimator", *lane.role)
    # More threads would change the order of sums, and with it the bits.
    with threadpool_limits(limits=1):
        exclusive = isinstance(lane.strategy, Softmax)
        model = backbone.fit(X, np.asarray(lane.targets), _weights(lane), seed, exclusive)
    return Trained({}, lane.backbone, steps_run=0, settled=0.0, estimator=model)


def _weights(lane: Lane) -> np.ndarray | None:
    """Sampling weights as the weights of rows, of mean 1; of key frames over a training, their mean."""
    if lane.weights is None:
        return None
    frames = np.atleast_2d(np.asarray(lane.weights, dtype=np.float64))
    shares = (frames / frames.sum(1, keepdims=True)).mean(0)
    out: np.ndarray = shares * len(shares)
    return out


def _beside(X: Any, columns: np.ndarray) -> Any:
    """Further columns (v, G) at the right of X (v, d)."""
    if is_sparse(X):
        parts: Any = [X, sp.csr_matrix(columns, dtype=X.dtype)]
        return sp.hstack(parts).tocsr()
    return np.hstack([X, columns.astype(X.dtype)])
