"""MLSMOTE, MLSOL and MLUL against loops written from their papers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise import measures
from equipoise.resampling.neighbours import nearest
from equipoise.strategies import mlsol
from equipoise.strategies.mlsmote import ranked

from .shared.neighbours import nearest_loop, resampled, world

seeds = st.integers(0, 2**32)


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
