"""Random label matrices, and resampling them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from equipoise import Context, Rows, get_strategy


def _skewed(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (rng.integers(2, 80), rng.integers(1, 9))
    return (rng.random(shape) < rng.random(shape[1]) ** 3).astype(np.uint8)


def matrices(max_rows: int = 30) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(1, max_rows), st.integers(1, 7))
    dense = shapes.flatmap(lambda s: hnp.arrays(np.uint8, s, elements=st.integers(0, 1)))
    seeds = st.integers(0, 2**32)
    skewed = st.builds(_skewed, seeds)
    return st.one_of(dense, skewed)


def resampled(spec: str, Y: np.ndarray, seed: int = 0) -> Rows:
    ctx = Context(Y.sum(0), len(Y), rng=np.random.default_rng(seed))
    return get_strategy(spec).resample(Rows(np.arange(len(Y)), Y), ctx)
