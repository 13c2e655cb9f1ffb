"""Numeric features: the same standardisation as scikit-learn's, without importing it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from equipoise.contracts.features import Standardised
from equipoise.ops.inputs import Dense


def standardised(X: np.ndarray) -> np.ndarray:
    made = Standardised().fit(X).transform(X)
    assert isinstance(made, Dense)
    return made.array()


@given(st.integers(2, 80), st.integers(1, 6), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3), st.integers(0, 99))
def test_standardised_numbers_are_scikit_learn_s(
    n: int, d: int, shift: float, scale: float, seed: int
) -> None:
    X = np.random.default_rng(seed).normal(shift, scale, (n, d))
    X[:, 0] = shift  # one column is constant
    assert np.allclose(standardised(X), StandardScaler().fit_transform(X), atol=1e-4)


def test_new_rows_are_moved_by_the_training_rows() -> None:
    features = Standardised().fit(np.array([[0.0, 5.0], [2.0, 5.0]]))
    made = features.transform(np.array([[4.0, 6.0]]))
    assert isinstance(made, Dense)
    assert made.array().tolist() == [[3.0, 1.0]]
