"""Resamplers that use neighbours equal the papers' definitions written as plain loops, and have general properties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from equipoise import Context, Rows, get_strategy, load_dataset, measures
from equipoise.resampling.interpolation import Columns, mode, neighbours
from equipoise.resampling.neighbours import nearest
from equipoise.strategies import mlsol
from equipoise.strategies.mlsmote import ranked

SYNTHETIC = ("mlsmote", "mlsol")
CLEANING = ("mlul", "mlenn", "mltl", "mltl[variant=nearest]", "mltl[variant=authors]")
seeds = st.integers(0, 2**32)


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


# --- MLSMOTE


@given(seeds)
def test_mlsmote_is_made_of_neighbours_in_the_bag(seed: int) -> None:
    X, Y = world(seed)
    out = resampled("mlsmote", X, Y)
    ratios, mean = measures.irlbl(Y), measures.mean_ir(Y)
    bags = [np.flatnonzero(Y[:, j]) for j in range(Y.shape[1]) if mean < ratios[j] < np.inf]
    bags = sorted((b for b in bags if len(b) > 1), key=lambda b: (len(b), b.tobytes()))
    assert out.n_synthetic == sum(map(len, bags))
    made = iter(zip(out.synthetic if out.n_synthetic else [], out.Y[len(Y) :], strict=True))
    for bag in bags:
        near = nearest_loop(X[bag], 5)
        for place, (features, labels) in zip(range(len(bag)), made, strict=False):
            seed_row, others = X[bag[place]], X[bag[near[place]]]
            low, high = np.minimum(seed_row, others), np.maximum(seed_row, others)
            assert ((features >= low) & (features <= high)).all(1).any()  # within the box to one of them
            votes = Y[bag[place]].astype(int) + Y[bag[near[place]]].sum(0)
            assert labels.tolist() == (votes > (near.shape[1] + 1) / 2).astype(int).tolist()


def test_ranking_counts_the_seed() -> None:
    Y = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], dtype=np.uint8)
    assert ranked(Y, np.array([[1, 2], [0, 2], [0, 3], [0, 1]])).tolist() == [[1, 1], [1, 1], [0, 0], [1, 0]]


# --- MLSOL and MLUL


def local_loop(
    X: np.ndarray, Y: np.ndarray, k: int = 5
) -> tuple[np.ndarray, np.ndarray, list[list[int]], np.ndarray]:
    """C (NaN in majority cells), S (NaN where it has none), the types, the neighbours."""
    near, (n, labels) = nearest_loop(X, k), Y.shape
    rarer = [1 if 2 * Y[:, j].sum() <= n else 0 for j in range(labels)]
    C, S = np.full((n, labels), np.nan), np.full((n, labels), np.nan)
    for i in range(n):
        for j in range(labels):
            if Y[i, j] == rarer[j]:
                C[i, j] = sum(Y[m, j] != Y[i, j] for m in near[i]) / near.shape[1]
    for j in range(labels):
        total = sum(c for c in C[:, j] if c < 1)
        for i in range(n):
            if C[i, j] < 1:
                S[i, j] = C[i, j] / total if total > 0 else 0.0
    kind = [
        ["M" if np.isnan(c) else "S" if c < 0.3 else "B" if c < 0.7 else "R" if c < 1 else "O" for c in row]
        for row in C
    ]
    changed = True
    while changed:
        changed = False
        for i in range(n):
            for j in range(labels):
                if kind[i][j] == "R" and any(kind[m][j] in "SB" for m in near[i]):
                    kind[i][j], changed = "B", True
    return C, S, kind, near


@given(seeds, st.booleans())
def test_mlsol_weights_and_types_are_the_loop(seed: int, ties: bool) -> None:
    X, Y = world(seed, ties)
    C, S, kind, near = local_loop(X, Y)
    local = mlsol.Local.of(Y, nearest(X, 5))
    assert np.array_equal(local.minority, ~np.isnan(C))
    assert local.against / near.shape[1] == pytest.approx(np.nan_to_num(C))
    assert mlsol.seed_weights(local) == pytest.approx(np.nansum(S, 1))
    letters = {
        mlsol.SAFE: "S",
        mlsol.BORDERLINE: "B",
        mlsol.RARE: "R",
        mlsol.OUTLIER: "O",
        mlsol.MAJORITY: "M",
    }
    assert [[letters[t] for t in row] for row in local.types().tolist()] == kind


@given(seeds, st.booleans())
def test_mlul_weights_are_the_loop(seed: int, ties: bool) -> None:
    X, Y = world(seed, ties)
    _, S, _, near = local_loop(X, Y)
    v = np.nansum(S, 1)
    for i in range(len(Y)):
        followers = [r for r in range(len(Y)) if i in near[r]]
        u = 0.0
        for r in followers:
            for j in range(Y.shape[1]):
                if not np.isnan(S[r, j]):
                    u += S[r, j] if np.isnan(S[i, j]) else -S[r, j]
        v[i] -= u / max(len(followers), 1)
    expected = v - min(v.min(), 0)
    assert mlsol.keep_weights(mlsol.Local.of(Y, nearest(X, 5))) == pytest.approx(expected)


@given(seeds)
def test_mlsol_labels_are_the_loop(seed: int) -> None:
    X, Y = world(seed)
    rng = np.random.default_rng(seed)
    _C, _, kind, near = local_loop(X, Y)
    local = mlsol.Local.of(Y, nearest(X, 5))
    s = rng.integers(len(Y), size=40)
    r = near[s, rng.integers(near.shape[1], size=40)]
    nearness = rng.random(40)
    reach = {"S": 0.5, "B": 0.75, "R": 1 + 1e-5, "O": 0 - 1e-5}
    made = mlsol.inherited(Y, local, s, r, nearness)
    for i in range(40):
        for j in range(Y.shape[1]):
            first, second, cd = s[i], r[i], nearness[i]
            if Y[first, j] != Y[second, j]:
                if kind[first][j] == "M":
                    first, second, cd = second, first, 1 - cd
                expected = Y[first, j] if cd <= reach[kind[first][j]] else Y[second, j]
            else:
                expected = Y[first, j]
            assert made[i, j] == expected


def test_mlul_keeps_the_heavy_and_deletes_weight_nothing_first() -> None:
    X, Y = world(11)
    weight = mlsol.keep_weights(mlsol.Local.of(Y, nearest(X, 5)))
    kept = np.zeros(len(Y))
    for seed in range(400):
        kept[resampled("mlul", X, Y, seed).index] += 1
    heavy = np.argsort(weight)[-5:]
    light = np.argsort(weight)[:5]
    assert kept[heavy].mean() > kept[light].mean()
    assert (kept[weight == 0] <= kept[weight > 0].min()).all()


# --- cleaning


def label_distance(a: np.ndarray, b: np.ndarray) -> float:
    both = int(a.sum() + b.sum())
    return float((a != b).sum() / both) if both else 0.0


def spared(Y: np.ndarray) -> np.ndarray:
    ratios = measures.irlbl(Y)
    rare = np.isfinite(ratios) & (ratios > measures.mean_ir(Y))
    return Y[:, rare].any(1)


@given(seeds, st.booleans())
def test_mlenn_is_the_loop(seed: int, ties: bool) -> None:
    X, Y = world(seed, ties)
    near, safe, kept = nearest_loop(X, 3), spared(Y), []
    for i in range(len(Y)):
        differing = sum(label_distance(Y[i], Y[m]) > 0.75 for m in near[i])
        if safe[i] or differing < near.shape[1] / 2:
            kept.append(i)
    assert resampled("mlenn", X, Y).index.tolist() == (kept or list(range(len(Y))))


@given(seeds, st.booleans(), st.sampled_from(["pair", "nearest"]))
def test_mltl_is_the_loop(seed: int, ties: bool, variant: str) -> None:
    X, Y = world(seed, ties)
    near, safe, kept = nearest_loop(X, 1)[:, 0], spared(Y), []
    indicator = 1 / np.sqrt(measures.mean_ir(Y))
    threshold = 0.15 if indicator < 0.3 else 0.3 if indicator < 0.5 else 0.5
    for i in range(len(Y)):
        link = variant == "nearest" or near[near[i]] == i
        if safe[i] or not link or label_distance(Y[i], Y[near[i]]) <= threshold:
            kept.append(i)
    assert resampled(f"mltl[variant={variant}]", X, Y).index.tolist() == (kept or list(range(len(Y))))


@given(seeds, st.booleans(), st.booleans())
def test_mltl_of_the_authors_is_the_loop(seed: int, ties: bool, sparse: bool) -> None:
    X, Y = world(seed, ties)
    span = np.ptp(X, axis=0)
    near = nearest_loop(np.hstack([X / np.where(span > 0, span, 1), Y]), 1)[:, 0]
    frequent = measures.irlbl(Y) < measures.mean_ir(Y)
    indicator = 1 / np.sqrt(measures.mean_ir(Y))
    threshold = 0.15 if indicator < 0.3 else 0.3 if indicator < 0.5 else 0.5
    threshold = 0.5 if measures.scumble(Y) > 0.3 else threshold
    kept = []
    for i in range(len(Y)):
        a, b = set(np.flatnonzero(Y[i])), set(np.flatnonzero(Y[near[i]]))
        if not Y[i, frequent].any() or len(a ^ b) <= threshold * len(a | b):
            kept.append(i)
    out = resampled("mltl[variant=authors]", sp.csr_matrix(X) if sparse else X, Y)
    assert out.index.tolist() == (kept or list(range(len(Y))))
    assert out.Y.any(1).sum() - Y.any(1).sum() == len(out) - len(Y), "rows without labels stay"


@pytest.mark.parametrize(("name", "dropped"), [("flags", 6), ("emotions", 1), ("yeast", 34)])
def test_mltl_drops_as_many_rows_as_its_authors_program(name: str, dropped: int, data_dir: Path) -> None:
    data = load_dataset(name, data_dir=data_dir)
    out = resampled("mltl[variant=authors]", data.X, data.Y, nominal=data.nominal)
    assert len(data.Y) - len(out) == dropped


def test_variants_of_mltl_differ_as_its_docstring_says(data_dir: Path) -> None:
    data = load_dataset("yeast", data_dir=data_dir)
    X = (data.X - data.X.mean(0)) / data.X.std(0)
    left = [len(resampled(f"mltl[variant={v}]", X, data.Y)) for v in ("pair", "nearest", "authors")]
    assert [2417 - rows for rows in left] == [343, 1316, 34]


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
