"""Random logits, labels and folds."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

World = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def worlds(draw: st.DrawFn, rows: int = 10, labels: int = 4) -> World:
    shape = (draw(st.integers(1, rows)), draw(st.integers(1, labels)))
    true = draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))
    spread = st.floats(-1e6, 1e6, width=32)
    values = draw(st.sampled_from([st.integers(-2, 2).map(float), spread]))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    folds = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, 2)))
    return draw(hnp.arrays(kind, shape, elements=values)), true, folds


def just_above(logits: np.ndarray) -> np.ndarray:
    """The lowest thresholds (L,) at which nothing is predicted."""
    return np.nextafter(logits.astype(float).max(axis=0), np.inf)
