"""Texts for the tests of encoders."""

from __future__ import annotations

import numpy as np

WORDS = ["server", "database", "layout", "colour", "deadline", "budget"]


def texts(rows: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.7, (rows, len(WORDS)))
    made = [" ".join(np.repeat(WORDS, own)) + f" row {i}" for i, own in enumerate(counts)]
    return np.array(made, dtype=object)
