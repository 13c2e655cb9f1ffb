"""Compares stratified folds (five of 100,000 rows × 100 labels) with those of other libraries, in speed and quality.

    pytest benchmarks/bench_stratification.py --import-mode=importlib            # ours
    pytest benchmarks/bench_stratification.py --import-mode=importlib -m slow    # only the others, in minutes

Quality is in each benchmark's extra_info: the largest deviation of a fold's positives from a fifth of all positives, averaged
over labels, and over pairs of labels that occur together at least five times. EQUIPOISE_BENCH_ROWS and EQUIPOISE_BENCH_LABELS
make the problem smaller.

Measured in one run on a busy 2-core server: ours 1.2 s (labels 0.53, pairs 1.36); iterative-stratification 0.1.9 3.3 s (0.53,
5.52); scikit-multilearn with order=2 72 s (4.77, 3.04). Without swaps, ours took 0.3 s (0.53, 5.30). 2000 rows with 14 labels
take 20 ms.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.splits.outer import stratified_folds

ROWS = int(os.environ.get("EQUIPOISE_BENCH_ROWS", "100000"))
LABELS = int(os.environ.get("EQUIPOISE_BENCH_LABELS", "100"))
FOLDS = 5


@pytest.fixture(scope="module")
def Y() -> NDArray[np.uint8]:
    """Labels of 20 % down to 0.05 % of the rows, correlated in groups of five."""
    rng = np.random.Generator(np.random.PCG64(0))
    shares = np.geomspace(0.2, 0.0005, LABELS)
    group = np.arange(LABELS) % max(1, LABELS // 5)
    shared = rng.random((ROWS, int(group.max()) + 1))[:, group]
    independent = rng.random((ROWS, LABELS))
    return (np.where(rng.random((ROWS, LABELS)) < 0.3, shared, independent) < shares).astype(np.uint8)


def quality(Y: NDArray[np.uint8], folds: NDArray[np.int64]) -> dict[str, float]:
    """How far the folds are from equal numbers of rows, labels and label pairs."""
    parts = [Y[folds == fold].astype(np.float32) for fold in range(FOLDS)]
    labels = np.stack([part.sum(axis=0) for part in parts])
    pairs = np.stack([(part.T @ part)[np.triu_indices(Y.shape[1], 1)] for part in parts])
    pairs = pairs[:, pairs.sum(axis=0) >= FOLDS]
    sizes = np.bincount(folds, minlength=FOLDS)
    off = {"labels": labels, "pairs": pairs}
    deviations = {key: float(np.abs(v - v.mean(axis=0)).max(axis=0).mean()) for key, v in off.items()}
    return {**deviations, "rows": float(np.ptp(sizes))}


def checked(Y: NDArray[np.uint8], folds: NDArray[np.int64]) -> dict[str, float]:
    """The quality of the folds, of which there must be as many as asked for."""
    assert set(np.unique(folds)) == set(range(FOLDS))
    return {f"off_{key}": round(value, 3) for key, value in quality(Y, folds).items()}


def run(benchmark: Any, Y: NDArray[np.uint8], split: Callable[[], NDArray[np.int64]]) -> None:
    """Time another library once."""
    benchmark.extra_info.update(checked(Y, benchmark.pedantic(split)), rows=len(Y))


def timed_folds(timed: Callable[..., Any], Y: NDArray[np.uint8]) -> None:
    facts = timed(lambda: stratified_folds(Y, FOLDS, seed=0), group="folds", rows=len(Y), labels=Y.shape[1])
    facts.update(checked(Y, stratified_folds(Y, FOLDS, seed=0)))


def test_equipoise(timed: Callable[..., Any], Y: NDArray[np.uint8]) -> None:
    timed_folds(timed, Y)


def test_equipoise_everyday(timed: Callable[..., Any], Y: NDArray[np.uint8]) -> None:
    """2000 rows and 14 labels, as a usual cell needs several times."""
    timed_folds(timed, np.ascontiguousarray(Y[:2000, :: max(1, LABELS // 14)][:, :14]))


def test_the_seed_alone_decides(Y: NDArray[np.uint8]) -> None:
    one, again, other = (stratified_folds(Y[:20000], FOLDS, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.slow
def test_iterative_stratification(benchmark: Any, Y: NDArray[np.uint8]) -> None:
    library = pytest.importorskip("iterstrat.ml_stratifiers")

    def split() -> NDArray[np.int64]:
        splitter = library.MultilabelStratifiedKFold(FOLDS, shuffle=True, random_state=0)
        return _ids(len(Y), splitter.split(np.zeros((len(Y), 1)), Y))

    run(benchmark, Y, split)


@pytest.mark.slow
@pytest.mark.global_rng
def test_scikit_multilearn(benchmark: Any, Y: NDArray[np.uint8]) -> None:
    library = pytest.importorskip("skmultilearn.model_selection")

    def split() -> NDArray[np.int64]:
        splitter = library.IterativeStratification(n_splits=FOLDS, order=2)
        return _ids(len(Y), splitter.split(np.zeros((len(Y), 1)), Y))

    run(benchmark, Y, split)


def _ids(rows: int, splits: Any) -> NDArray[np.int64]:
    folds = np.full(rows, -1, dtype=np.int64)
    for fold, (_, test) in enumerate(splits):
        folds[test] = fold
    return folds
