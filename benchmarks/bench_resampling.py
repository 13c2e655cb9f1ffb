"""Compares resamplers with the same rules written as plain loops and with `multismote`, and measures their growth with rows.

    pytest benchmarks/bench_resampling.py -m slow             # minutes
    pytest benchmarks/bench_resampling.py -m slow -k contest  # the comparison alone

The loops follow the papers row by row, with NumPy for the arithmetic of a row, as one would write them on a first reading. They
do the same as `equipoise`, but draw other random numbers. `multismote` (PyPI, `pip install equipoise[bench]`) pools the rows of
all rare labels and moves all columns by the same factor. That is less work for a row, so compare its seconds per new row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equipoise import get_strategy, measures

#: Rows, labels and features of the comparison, small enough for the loops to take seconds.
LOOPED = {"ml_ros": (20_000, 20, 50), "mlsmote": (20_000, 20, 50), "mlsol": (5000, 20, 50)}


def data_of(n: int, labels: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose labels range from frequent (30 %) to rare (.5 %); each label shifts the features."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, labels)) < np.geomspace(0.3, 0.005, labels)).astype(np.uint8)
    X = rng.normal(size=(n, d)).astype(np.float32)
    X += Y @ rng.normal(size=(labels, d)).astype(np.float32)
    return X, Y


# --- the rules as loops


def ml_ros_recounting(X: np.ndarray, Y: np.ndarray, p: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """ML-ROS that counts all labels again after each clone."""
    rng, ratios, limit = np.random.default_rng(0), measures.irlbl(Y), measures.mean_ir(Y)
    bags = {j: np.flatnonzero(Y[:, j]) for j in range(Y.shape[1]) if limit < ratios[j] < np.inf}
    index, end = list(range(len(Y))), len(Y) + int(p * len(Y))
    while bags and len(index) < end:
        for label in list(bags):
            if len(index) == end:
                break
            index.append(int(rng.choice(bags[label])))
            counts = Y[index].sum(0)
            if counts.max() / counts[label] <= limit:
                del bags[label]
    return X[index], Y[index]


def ml_ros_counting_on(X: np.ndarray, Y: np.ndarray, p: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """ML-ROS that updates the counts with each clone: the fastest loop over clones."""
    rng, ratios, limit = np.random.default_rng(0), measures.irlbl(Y), measures.mean_ir(Y)
    bags = {j: np.flatnonzero(Y[:, j]) for j in range(Y.shape[1]) if limit < ratios[j] < np.inf}
    index, end, counts = list(range(len(Y))), len(Y) + int(p * len(Y)), Y.sum(0, dtype=np.int64)
    while bags and len(index) < end:
        for label in list(bags):
            if len(index) == end:
                break
            index.append(bags[label][rng.integers(len(bags[label]))])
            counts += Y[index[-1]]
            if counts.max() / counts[label] <= limit:
                del bags[label]
    return X[index], Y[index]


def nearest(X: np.ndarray, row: int, k: int) -> np.ndarray:
    distance = ((X - X[row]) ** 2).sum(1)
    distance[row] = np.inf
    return np.argsort(distance, kind="stable")[: min(k, len(X) - 1)]


def mlsmote(X: np.ndarray, Y: np.ndarray, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng, ratios, limit = np.random.default_rng(0), measures.irlbl(Y), measures.mean_ir(Y)
    new_X, new_Y = list(X), list(Y)
    for label in range(Y.shape[1]):
        if not limit < ratios[label] < np.inf:
            continue
        bag = np.flatnonzero(Y[:, label])
        for i in range(len(bag) if len(bag) > 1 else 0):
            near = bag[nearest(X[bag], i, k)]
            seed, ref = X[bag[i]], X[rng.choice(near)]
            new_X.append(seed + rng.random(X.shape[1]) * (ref - seed))
            votes = Y[bag[i]].astype(int) + Y[near].sum(0)
            new_Y.append((votes > (len(near) + 1) / 2).astype(np.uint8))
    return np.array(new_X), np.array(new_Y)


def mlsol(X: np.ndarray, Y: np.ndarray, p: float = 0.3, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng, (n, labels) = np.random.default_rng(0), Y.shape
    near = [nearest(X, row, k) for row in range(n)]
    rarer = (2 * Y.sum(0) <= n).astype(int)
    C = np.full((n, labels), np.nan)
    for i in range(n):
        for j in range(labels):
            if Y[i, j] == rarer[j]:
                C[i, j] = np.mean(Y[near[i], j] != Y[i, j])
    valid = np.where(C < 1, C, 0)
    weight = (valid / np.maximum(valid.sum(0), 1e-300)).sum(1)
    kind = np.select([np.isnan(C), C < 0.3, C < 0.7, C < 1], [4, 0, 1, 2], 3)
    changed = True
    while changed:
        changed = False
        for i, j in zip(*np.nonzero(kind == 2), strict=True):
            if (kind[near[i], j] <= 1).any():
                kind[i, j], changed = 1, True
    reach, new_X, new_Y = (0.5, 0.75, 1 + 1e-5, -1e-5), list(X), list(Y)
    for _ in range(int(p * n)):
        s = rng.choice(n, p=weight / weight.sum())
        r = rng.choice(near[s])
        row = X[s] + rng.random(X.shape[1]) * (X[r] - X[s])
        one, two = np.linalg.norm(row - X[s]), np.linalg.norm(row - X[r])
        cd, values = one / (one + two), Y[s].copy()
        for j in np.flatnonzero(Y[s] != Y[r]):
            a, b, away = (s, r, cd) if kind[s, j] != 4 else (r, s, 1 - cd)
            values[j] = Y[a, j] if away <= reach[kind[a, j]] else Y[b, j]
        new_X.append(row)
        new_Y.append(values)
    return np.array(new_X), np.array(new_Y)


def multismote(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    peer = pytest.importorskip("multismote")
    out: tuple[np.ndarray, np.ndarray] = peer.MultiSMOTE(k_neighbors=5, random_state=0).fit_resample(X, Y)
    return out


def ours(name: str) -> Any:
    return lambda X, Y: get_strategy(name).fit_resample(X, Y)


CONTESTS = {
    "ml_ros": {
        "equipoise": ours("ml_ros"),
        "loop": ml_ros_recounting,
        "loop-counting-on": ml_ros_counting_on,
    },
    "mlsmote": {"equipoise": ours("mlsmote"), "loop": mlsmote, "multismote": multismote},
    "mlsol": {"equipoise": ours("mlsol"), "loop": mlsol},
}


@pytest.mark.slow  # minutes: the row loops
@pytest.mark.parametrize(
    ("rule", "who"), [(rule, who) for rule, all_ in CONTESTS.items() for who in all_], ids=str
)
def test_contest(benchmark: Any, rule: str, who: str) -> None:
    """All implementations of a rule on the same data."""
    X, Y = data_of(*LOOPED[rule])
    benchmark.group = f"{rule} on {len(X)} rows × {Y.shape[1]} labels × {X.shape[1]} features"
    # Imports modules.
    CONTESTS[rule][who](X[:200], Y[:200])
    out, _ = benchmark.pedantic(CONTESTS[rule][who], (X, Y), rounds=1 if who == "loop" else 7)
    benchmark.extra_info.update(rows=len(X), rows_made=len(out) - len(X))
    assert len(out) > len(X)


GROWTH = {
    "ml_ros": (1_000, 10_000, 100_000, 1_000_000),
    "ml_rus": (1_000, 10_000, 100_000, 1_000_000),
    "lp_ros": (1_000, 10_000, 100_000, 1_000_000),
    "remedial": (1_000, 10_000, 100_000, 1_000_000),
    "mlsmote": (1_000, 10_000, 100_000),
    "mlsol": (1_000, 10_000, 30_000),
}


@pytest.mark.slow  # minutes
@pytest.mark.parametrize(("name", "n"), [(name, n) for name, sizes in GROWTH.items() for n in sizes])
def test_growth(benchmark: Any, name: str, n: int) -> None:
    """20 labels; 20 features for resamplers that compute distances, one for the others."""
    benchmark.group = f"growth of {name}"
    numeric = name in ("mlsmote", "mlsol")
    X, Y = data_of(n, 20, 20 if numeric else 1)
    benchmark.extra_info["rows"] = n
    benchmark.pedantic(
        ours(name), (X, Y), rounds=1 if n > 100_000 or numeric else 3, warmup_rounds=n <= 10_000
    )


@pytest.mark.slow  # minutes
@pytest.mark.parametrize("what", ["ml_ros", "counting and drawing"])
def test_100_000_rows_and_500_labels(benchmark: Any, what: str) -> None:
    """ML-ROS takes about as long as counting labels, finding their rows and drawing, below which no code can go."""
    benchmark.group = "100,000 rows × 500 labels"
    X, Y = data_of(100_000, 500, 1)
    benchmark.extra_info["rows"] = len(X)

    def floor(X: np.ndarray, Y: np.ndarray) -> Any:
        counts, rng = Y.sum(0, dtype=np.int64), np.random.default_rng(0)
        rows = [np.flatnonzero(column) for column in Y[:, counts < counts.mean()].T]
        drawn = [bag[rng.integers(len(bag), size=25_000 // len(rows) + 1)] for bag in rows]
        index = np.concatenate([np.arange(len(Y)), *drawn])
        return X[index], Y[index]

    benchmark.pedantic(ours(what) if what == "ml_ros" else floor, (X, Y), rounds=5, warmup_rounds=1)
