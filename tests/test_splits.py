"""Stratified folds are disjoint, even and seeded, spread rare labels, and are no worse than the published program's."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
from numpy.typing import NDArray

from equipoise.catalog.datasets import load_dataset
from equipoise.core.errors import EquipoiseError
from equipoise.splits.outer import outer_split, split_hash, stratified_folds

Matrix = NDArray[np.uint8]
label_rows = st.tuples(st.integers(10, 60), st.integers(1, 7)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1]))
)
seeds = st.integers(0, 2**64)


def random_labels(rows: int, shares: list[float], seed: int = 0) -> Matrix:
    rng = np.random.default_rng(seed)
    return (rng.random((rows, len(shares))) < shares).astype(np.uint8)


def per_fold(Y: Matrix, folds: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([Y[folds == fold].sum(axis=0, dtype=np.int64) for fold in range(folds.max() + 1)])


@given(label_rows, st.integers(2, 6), seeds)
def test_every_row_is_in_one_fold_and_sizes_are_even(Y: Matrix, k: int, seed: int) -> None:
    folds = stratified_folds(Y, k, seed)
    sizes = np.bincount(folds, minlength=k)
    assert folds.shape == (len(Y),)
    assert sizes.sum() == len(Y)
    assert len(sizes) == k
    assert sizes.max() - sizes.min() <= 1


@given(label_rows, seeds, st.integers(0, 3))
def test_the_five_splits_of_a_repetition_cover_every_row_once(Y: Matrix, seed: int, repetition: int) -> None:
    tests = []
    for split in range(5 * repetition, 5 * repetition + 5):
        train, test = outer_split(Y, split, seed)
        assert np.intersect1d(train, test).size == 0
        assert np.array_equal(np.union1d(train, test), np.arange(len(Y)))
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()
        tests.append(test)
    assert np.array_equal(np.sort(np.concatenate(tests)), np.arange(len(Y)))


@given(label_rows, st.integers(2, 5), seeds)
def test_a_seed_repeats(Y: Matrix, k: int, seed: int) -> None:
    assert np.array_equal(stratified_folds(Y, k, seed), stratified_folds(Y.astype(bool), k, seed))
    assert split_hash(*outer_split(Y, 3, seed)) == split_hash(*outer_split(Y.copy(), 3, seed))


@given(st.integers(30, 200), st.integers(2, 5), seeds)
@settings(max_examples=60)
def test_disjoint_labels_are_spread_within_one_of_ideal(rows: int, k: int, seed: int) -> None:
    """With at most one label per row, only the equal fold sizes can prevent the ideal counts."""
    which = np.random.default_rng(seed % 1000).choice(5, size=rows, p=[0.03, 0.07, 0.2, 0.3, 0.4])
    Y = np.eye(5, dtype=np.uint8)[which]
    assert np.abs(per_fold(Y, stratified_folds(Y, k, seed)) - Y.sum(axis=0) / k).max() < 1 + 1e-9


@pytest.mark.parametrize("seed", range(8))
def test_a_label_rarer_than_the_folds_never_meets_itself(seed: int) -> None:
    Y = random_labels(300, [0.5, 0.2, 0.1, 0, 0], seed)
    Y[[7, 107, 207], 3] = 1
    Y[[9, 50, 60, 299], 4] = 1
    counts = per_fold(Y, stratified_folds(Y, 5, seed))
    assert counts[:, 3:].max() == 1


@pytest.mark.parametrize("seed", range(5))
def test_overlapping_labels_are_spread(seed: int) -> None:
    Y = random_labels(500, [0.5, 0.3, 0.1, 0.05, 0.02, 0.01], seed)
    apart = np.abs(per_fold(Y, stratified_folds(Y, 5, seed)) - Y.sum(axis=0) / 5)
    assert apart[:, 3:].max() <= 1
    assert apart.max() <= 2


def test_equal_labelsets_are_spread() -> None:
    """Two rows with the same labelset go to different folds, which stratifying single labels does not ensure."""
    labelsets = np.unique(random_labels(200, [0.5] * 8), axis=0)
    Y = np.repeat(labelsets, 2, axis=0)
    folds = stratified_folds(Y, 2, 1)
    together = np.mean(folds[0::2] == folds[1::2])
    assert together < 0.2


def test_repetitions_and_seeds_differ() -> None:
    Y = random_labels(100, [0.5, 0.1])
    hashes = {split_hash(*outer_split(Y, split, seed)) for split in range(15) for seed in (0, 1)}
    assert len(hashes) == 30


def test_a_matrix_without_positives_or_columns_is_split_evenly() -> None:
    for Y in (np.zeros((23, 3)), np.ones((23, 3)), np.zeros((23, 0))):
        assert sorted(np.bincount(stratified_folds(Y, 5, 0))) == [4, 4, 5, 5, 5]


def test_refusals() -> None:
    Y = random_labels(10, [0.5])
    with pytest.raises(EquipoiseError, match="cannot make 11 folds of 10 rows"):
        stratified_folds(Y, 11, 0)
    with pytest.raises(EquipoiseError, match="at least 2"):
        stratified_folds(Y, 1, 0)
    with pytest.raises(EquipoiseError, match="shape"):
        stratified_folds(Y.ravel(), 2, 0)
    with pytest.raises(EquipoiseError, match="split must be 0 or more"):
        outer_split(Y, -1, 0)
    with pytest.raises(EquipoiseError, match="seed must be 0 or more"):
        outer_split(Y, 0, -1)


def test_hash_of_a_split_is_of_its_content() -> None:
    a, b = np.array([1, 2, 3]), np.array([4])
    assert split_hash(a, b) == split_hash(a.astype(np.int32), [4])
    assert len({split_hash(a, b), split_hash(b, a), split_hash(np.array([1, 2, 3, 4])), split_hash(a)}) == 4


def test_large_data_takes_seconds() -> None:
    """100,000 × 100 with ten labels per row, 4.5 million pairs. CPU time, with a bound that allows for a busy machine."""
    Y = random_labels(100_000, list(np.linspace(0.001, 0.2, 100)))
    start = time.process_time()
    folds = stratified_folds(Y, 5, 0)
    assert time.process_time() - start < 6
    assert np.bincount(folds).tolist() == [20_000] * 5


def deviation(Y: Matrix, folds: NDArray[np.int64]) -> float:
    """Label distribution of Sechidis 2011, simplified: mean distance of a fold's label shares from the whole's."""
    return float(np.mean([np.abs(Y[folds == f].mean(axis=0) - Y.mean(axis=0)) for f in np.unique(folds)]))


@pytest.mark.parametrize("name", ["yeast", "enron"])
def test_no_worse_than_the_published_program(name: str, data_dir: Path) -> None:
    Y = load_dataset(name, data_dir=data_dir).Y
    theirs, ours = [], []
    for seed in range(3):
        folds = np.zeros(len(Y), dtype=np.int64)
        program = MultilabelStratifiedKFold(n_splits=5, shuffle=True, random_state=seed)
        for fold, (_, test) in enumerate(program.split(Y, Y)):
            folds[test] = fold
        theirs.append(deviation(Y, folds))
        ours.append(deviation(Y, stratified_folds(Y, 5, seed)))
    assert np.mean(ours) <= np.mean(theirs)
