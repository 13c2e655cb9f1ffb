"""Random data, and neighbours found by a loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise import Context, Rows, get_strategy, measures


def world(seed: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Random features and labels; with `ties`, features are small integers, so that rows are equally near or equal."""
    rng = np.random.default_rng(seed)
    n, d, labels = rng.integers(2, 60), rng.integers(1, 5), rng.integers(1, 7)
    X = rng.integers(0, 3, (n, d)).astype(float) if ties else rng.normal(size=(n, d))
    return X, (rng.random((n, labels)) < rng.random(labels) ** 2).astype(np.uint8)


def resampled(spec: str, X: Any, Y: np.ndarray, seed: int = 0, nominal: np.ndarray | None = None) -> Rows:
    ctx = Context(Y.sum(0), len(Y), rng=np.random.default_rng(seed))
    return get_strategy(spec).resample(Rows(np.arange(len(Y)), Y, X, nominal=nominal), ctx)


def nearest_loop(X: np.ndarray, k: int) -> np.ndarray:
    """For each row, the other rows sorted by distance, then by position."""
    out = []
    for i, row in enumerate(X):
        others = [(float(((row - other) ** 2).sum()), j) for j, other in enumerate(X) if j != i]
        out.append([j for _, j in sorted(others)[:k]])
    return np.array(out, dtype=np.int64).reshape(len(X), min(k, len(X) - 1))


def spared(Y: np.ndarray) -> np.ndarray:
    ratios = measures.irlbl(Y)
    rare = np.isfinite(ratios) & (ratios > measures.mean_ir(Y))
    return Y[:, rare].any(1)
