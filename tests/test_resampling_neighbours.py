"""Resamplers that use neighbours equal the papers' definitions written as plain loops, and have general properties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from equipoise.resampling.interpolation import Columns, mode, neighbours
from equipoise.resampling.neighbours import nearest

from .shared.neighbours import nearest_loop, resampled, spared, world

SYNTHETIC = ("mlsmote", "mlsol")

CLEANING = ("mlul", "mlenn", "mltl", "mltl[variant=nearest]", "mltl[variant=authors]")

seeds = st.integers(0, 2**32)


# --- neighbours
@given(seeds, st.booleans(), st.integers(1, 7))
def test_nearest_is_the_loop(seed: int, ties: bool, k: int) -> None:
    X, _ = world(seed, ties)
    expected = nearest_loop(X, k)
    assert np.array_equal(nearest(X, k), expected)
    assert np.array_equal(nearest(sp.csr_matrix(X), k), expected)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_of_many_equal_rows_the_first_are_nearest(kind: Any) -> None:
    X = np.repeat(np.array([[0.0, 1.0], [0.1, 0.7], [5.0, 5.0]]), 40, axis=0)[
        np.random.default_rng(0).permutation(120)
    ]
    assert np.array_equal(nearest(kind(X), 5), nearest_loop(X, 5))


def test_a_tree_and_a_far_outlier_change_nothing() -> None:
    rng = np.random.default_rng(1)
    X = rng.integers(0, 40, (5200, 3)).astype(np.float32)
    X[7] = 1e6
    some = rng.choice(5200, 40, replace=False)
    found = nearest(X, 4)[some]
    for row, near in zip(some, found, strict=True):
        distance = ((X - X[row]).astype(np.float64) ** 2).sum(1)
        distance[row] = np.inf
        assert near.tolist() == np.lexsort((np.arange(5200), distance))[:4].tolist()


def test_codes_of_a_category_are_one_apart() -> None:
    X = np.array([[0.0, 0], [0.9, 0], [0.0, 7], [0.0, 1]])
    assert neighbours(X, 1, None).ravel().tolist() == [1, 0, 3, 0]
    assert neighbours(X, 2, np.array([False, True]))[0].tolist() == [1, 2]


# --- categories
def mode_loop(X: np.ndarray, near: np.ndarray, groups: list[list[int]]) -> np.ndarray:
    out = np.zeros((len(near), X.shape[1]))
    for i, others in enumerate(near):
        for group in groups:
            values = [tuple(X[j, group]) for j in others]
            out[i, group] = max(values, key=lambda v, values=values: (values.count(v), -values.index(v)))
    return out


@given(seeds)
def test_the_mode_is_the_loop_dense_and_sparse(seed: int) -> None:
    X, _ = world(seed, ties=True)
    near = nearest(X, 5)
    every, alone = np.ones(X.shape[1], dtype=bool), [[c] for c in range(X.shape[1])]
    expected = mode_loop(X, near, alone)
    assert np.array_equal(mode(X, near, Columns.of(every)), expected)
    sparse = mode(sp.csr_matrix(X), near, Columns.of(every))
    assert sp.issparse(sparse)
    assert np.array_equal(sparse.toarray(), expected)
    groups = np.arange(X.shape[1]) // 2 + 1
    together = [np.flatnonzero(groups == g).tolist() for g in np.unique(groups)]
    assert np.array_equal(mode(X, near, Columns.of(groups)), mode_loop(X, near, together))


@pytest.mark.parametrize("name", SYNTHETIC)
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_categories_stay_on_their_codes(name: str, kind: Any) -> None:
    rng = np.random.default_rng(3)
    hot = np.eye(3)[rng.integers(3, size=90)]
    X = np.hstack([rng.normal(size=(90, 2)), rng.choice([-0.7, 1.4], (90, 1)), hot]).astype(np.float32)
    Y = (rng.random((90, 4)) < [0.7, 0.4, 0.2, 0.12]).astype(np.uint8)
    sparse = kind is sp.csr_matrix
    out = resampled(
        name, kind(X), Y, nominal=np.array([0, 0, 1, 2, 2, 2]) if not sparse else np.arange(6) > 1
    )
    made = out.synthetic.toarray() if sparse else out.synthetic
    assert len(made) > 15
    assert np.isin(made[:, 2], X[:, 2]).all()
    assert np.isin(made[:, 3:], [0, 1]).all()
    if not sparse:
        assert (made[:, 3:].sum(1) == 1).all()


def test_the_pipeline_says_which_columns_are_categories() -> None:
    from equipoise.contracts.features import Standardised

    rng = np.random.default_rng(0)
    X = np.column_stack(
        [rng.normal(size=50), rng.integers(4, size=50), rng.integers(2, size=50), rng.normal(size=50)]
    )
    features = Standardised().fit(X, np.array([False, True, True, False]))
    assert features.nominal is not None
    assert features.nominal.tolist() == [0, 1, 0, 2, 2, 2, 2]  # the four codes of column 1 go to the end
    assert features.transform(X).width == 7
    assert Standardised().fit(X).nominal is None


# --- what holds for all of them
@pytest.mark.parametrize("name", [*SYNTHETIC, *CLEANING])
@given(seed=seeds, ties=st.booleans(), sparse=st.booleans())
def test_any_data(name: str, seed: int, ties: bool, sparse: bool) -> None:
    dense, Y = world(seed, ties)
    X = sp.csr_matrix(dense) if sparse else dense.astype(np.float32)
    before = (X.copy(), Y.copy())
    out, again = (resampled(name, X, Y, seed % 7) for _ in range(2))
    assert np.array_equal(Y, before[1])
    assert not (before[0] != X).sum()
    assert len(out) >= 1
    assert (out.Y <= 1).all()
    assert out.Y.dtype == np.uint8
    assert out.Y.shape == (len(out.index) + out.n_synthetic, Y.shape[1])
    assert np.array_equal(out.Y[: len(out.index)], Y[out.index])
    assert np.array_equal(out.Y, again.Y)
    if name in SYNTHETIC:
        assert np.array_equal(out.index, np.arange(len(Y)))
    elif name not in ("mlul", "mltl[variant=authors]"):
        assert spared(Y)[np.setdiff1d(np.arange(len(Y)), out.index)].sum() == 0
    if out.n_synthetic:
        assert sp.issparse(out.synthetic) == sparse
        made, own = (m.toarray() if sparse else m for m in (out.synthetic, X))
        assert ((made >= own.min(0)) & (made <= own.max(0))).all()
        assert not out.Y[len(Y) :, ~Y.any(0)].any()
        assert out.Y[len(Y) :, Y.all(0)].all()


@pytest.mark.parametrize("name", [*SYNTHETIC, *CLEANING])
@given(seed=seeds)
def test_permuting_the_labels_permutes_the_result(name: str, seed: int) -> None:
    X, Y = world(seed)
    order = np.random.default_rng(seed).permutation(Y.shape[1])
    plain, turned = resampled(name, X, Y), resampled(name, X, np.ascontiguousarray(Y[:, order]))
    assert np.array_equal(turned.index, plain.index)
    assert np.array_equal(turned.Y, plain.Y[:, order])
    if plain.n_synthetic:
        assert np.array_equal(turned.synthetic, plain.synthetic)


@pytest.mark.parametrize(
    "spec", ["mlsol[p=0.0]", "mlul[p=0.0]", "mlenn[threshold=1.0]", "mltl[threshold=1.0]"]
)
@given(seed=seeds)
def test_off_is_nothing(spec: str, seed: int) -> None:
    X, Y = world(seed)
    out = resampled(spec, X, Y)
    assert np.array_equal(out.index, np.arange(len(Y)))
    assert np.array_equal(out.Y, Y)
    assert not out.n_synthetic
