"""Swaps between folds keep sizes, make labels no less even and pairs more even, and count exactly."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from equipoise.catalog.datasets import load_dataset
from equipoise.splits import swaps as module
from equipoise.splits.iterative import labelset_order, packed, stratify
from equipoise.splits.label_pairs import traits_of
from equipoise.splits.outer import stratified_folds
from equipoise.splits.swaps import swap_refine
from equipoise.splits.units import Units

Flags = NDArray[np.bool_]
Index = NDArray[np.int64]
rows_of_labels = st.tuples(st.integers(10, 80), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.bool_, shape, elements=st.sampled_from([False, False, True]))
)
seeds = st.integers(0, 2**32)


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def dealt(present: Flags, k: int, seed: int) -> tuple[Index, Index, Index]:
    """Folds before and after the exchanges, and the order of rows."""
    rng = generator(seed)
    units = Units.rows(present)
    order = labelset_order(units, rng)
    before = stratify(units, k, order, rng)
    after = before.copy()
    swap_refine(present, units, after, k, order, rng)
    return before, after, order


def counts(present: Flags, folds: Index, k: int) -> Index:
    """(k, L, L): rows of a fold with both labels; with the label itself on the diagonal."""
    parts = (present[folds == fold].astype(np.int64) for fold in range(k))
    return np.stack([part.T @ part for part in parts])


def unevenness(table: Index) -> Index:
    """(L, L): the sum over folds of squared deviations, times k."""
    spread: Index = len(table) * (table**2).sum(axis=0) - table.sum(axis=0) ** 2
    return spread


def pair_unevenness(present: Flags, folds: Index, k: int) -> int:
    return int(np.triu(unevenness(counts(present, folds, k)), 1).sum())


def label_unevenness(present: Flags, folds: Index, k: int) -> Index:
    return np.diag(unevenness(counts(present, folds, k)))


def dependent_labels(rows: int, shares: list[float], seed: int) -> Flags:
    """Labels of which pairs tend to occur together."""
    rng = generator(seed)
    shared = np.repeat(rng.random((rows, len(shares) // 2)), 2, axis=1)
    own = rng.random((rows, len(shares)))
    flags: Flags = np.where(rng.random(own.shape) < 0.4, shared, own) < np.array(shares)
    return flags


@given(rows_of_labels, st.integers(2, 7), seeds)
def test_sizes_stay_and_labels_get_no_worse(present: Flags, k: int, seed: int) -> None:
    before, after, _ = dealt(present, k, seed)
    assert np.array_equal(np.bincount(before, minlength=k), np.bincount(after, minlength=k))
    scarce = present.sum(axis=0) <= k
    old, new = (label_unevenness(present, folds, k) for folds in (before, after))
    assert (new[scarce].sum(), new.sum()) <= (old[scarce].sum(), old.sum())


@given(rows_of_labels, st.integers(2, 5), seeds)
def test_the_generator_alone_decides(present: Flags, k: int, seed: int) -> None:
    """The memory layout and the dtype of the matrix have no influence."""
    one = stratified_folds(present, k, seed)
    again = stratified_folds(np.asfortranarray(present.astype(np.float64)), k, seed)
    assert np.array_equal(one, again)


@given(st.integers(2, 6), seeds)
@settings(max_examples=25)
def test_scarce_labels_stay_apart(k: int, seed: int) -> None:
    """A label with no more positives than folds, each in a row with other labels, is at most once in a fold."""
    rng = generator(seed)
    present = rng.random((40 * k, 8)) < [0.5, 0.4, 0.3, 0.2, 0.1, 0, 0, 0]
    for label, positives in ((5, 2), (6, k - 1), (7, k)):
        present[rng.choice(len(present), positives, replace=False), label] = True
    folds = stratified_folds(present, k, seed)
    assert counts(present, folds, k)[:, [5, 6, 7], [5, 6, 7]].max() == 1


@pytest.mark.parametrize("k", [2, 3, 5, 10])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_get_much_better(k: int, seed: int) -> None:
    present = dependent_labels(1500, [0.4, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.04, 0.02], seed)
    before, after, _ = dealt(present, k, seed)
    assert pair_unevenness(present, after, k) < 0.5 * pair_unevenness(present, before, k)
    assert label_unevenness(present, after, k).sum() <= label_unevenness(present, before, k).sum()


@given(rows_of_labels)
def test_traits_are_labels_and_repeated_pairs(present: Flags) -> None:
    """Compared with a loop over all pairs; the packed words contain the labels."""
    traits = traits_of(present)
    together = present.T.astype(int) @ present.astype(int)
    repeated = [p for p in itertools.combinations(range(present.shape[1]), 2) if together[p] > 1]
    assert traits.pairs == len(repeated)
    for row, labels in enumerate(present):
        expected = [*np.flatnonzero(labels), traits.total - 1]
        expected += [present.shape[1] + i for i, (a, b) in enumerate(repeated) if labels[a] and labels[b]]
        assert sorted(traits.of[traits.start[row] : traits.start[row + 1]]) == sorted(expected)
    assert np.array_equal(np.bitwise_count(traits.words).sum(axis=1), present.sum(axis=1))


def test_words_hold_the_first_label_highest() -> None:
    present = np.zeros((3, 70), dtype=bool)
    present[0, 0] = present[1, 63] = present[2, 64] = True
    assert packed(present).tolist() == [[2**63, 0], [1, 0], [0, 2**63]]


def test_rows_of_an_order_have_like_labelsets_beside_each_other() -> None:
    present = generator(0).random((300, 5)) < 0.5
    order = labelset_order(Units.rows(present), generator(1))
    changes = (present[order][1:] != present[order][:-1]).any(axis=1).sum()
    assert changes == len(np.unique(present, axis=0)) - 1
    assert sorted(order) == list(range(300))


def test_with_too_many_pairs_those_of_the_scarcest_labels_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    present = generator(0).random((400, 6)) < [0.9, 0.8, 0.7, 0.2, 0.15, 0.1]
    few = traits_of(present, most=100)
    scarce = present[:, 3:].astype(int)
    together = scarce.T @ scarce
    assert few.pairs == 3  # of the last three labels
    assert np.bincount(few.of)[6:9].tolist() == [together[0, 1], together[0, 2], together[1, 2]]
    monkeypatch.setattr(module, "traits_of", lambda labels: traits_of(labels, most=100))
    before, after, _ = dealt(present, 5, 0)
    assert pair_unevenness(present[:, 3:], after, 5) < pair_unevenness(present[:, 3:], before, 5)
    assert label_unevenness(present, after, 5).sum() <= label_unevenness(present, before, 5).sum()


def test_what_labels_would_pay_for_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even without the repair of labels and with weights that ignore them, the last attempt keeps labels as even as before."""
    monkeypatch.setattr(module, "repair", lambda *_: None)
    monkeypatch.setattr(module, "STAGES", (0,))
    present = dependent_labels(600, [0.4, 0.3, 0.2, 0.2, 0.1, 0.1], 0)
    before, after, _ = dealt(present, 5, 0)
    assert label_unevenness(present, after, 5).sum() <= label_unevenness(present, before, 5).sum()
    assert pair_unevenness(present, after, 5) < pair_unevenness(present, before, 5)


@pytest.mark.global_rng  # scikit-multilearn shuffles with numpy's
@pytest.mark.parametrize("name", ["yeast", "enron"])
def test_pairs_no_worse_than_those_of_scikit_multilearn(name: str, data_dir: Path) -> None:
    """Both pairs and labels are more even than with the order-2 stratification of Szymański & Kajdanowicz 2017."""
    library = pytest.importorskip("skmultilearn.model_selection")
    present = load_dataset(name, data_dir=data_dir).Y != 0
    theirs = np.full(len(present), -1)
    parts = library.IterativeStratification(n_splits=5, order=2).split(np.zeros((len(present), 1)), present)
    for fold, (_, test) in enumerate(parts):
        theirs[test] = fold
    ours = stratified_folds(present, 5, 0)
    assert pair_unevenness(present, ours, 5) < pair_unevenness(present, theirs, 5)
    assert label_unevenness(present, ours, 5).sum() < label_unevenness(present, theirs, 5).sum()
