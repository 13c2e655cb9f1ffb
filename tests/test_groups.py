"""Groups of rows stay on one side of every split: equal inputs, and what a data set itself puts together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.api import choose
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import load_dataset
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.prepared import Prepared, prepare
from equipoise.splits.groups import dealt, grouping_note, groups_of, twins
from equipoise.splits.outer import outer_split, split_hash, stratified_folds
from equipoise.sweep.plan import Plan, make_plan


def labels(rows: int, seed: int, n_labels: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((rows, n_labels)) < rng.uniform(0.05, 0.5, n_labels)).astype(np.uint8)


def copied(rows: int = 300, different: int = 200, seed: int = 0) -> Dataset:
    """Rows of which some have equal inputs, with labels that depend on the inputs."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(different, 4)).astype(np.float32)[rng.integers(0, different, rows)]
    return Dataset("copied", X, (X[:, :3] > 0.5).astype(np.uint8), ("a", "b", "c"))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(12, 150),
    groups=st.integers(2, 150),
    k=st.integers(2, 6),
    seed=st.integers(0, 10**6),
)
def test_no_fold_separates_a_group(rows: int, groups: int, k: int, seed: int) -> None:
    of_row = np.random.default_rng(seed).integers(0, groups, rows) * 7 - 3
    Y = labels(rows, seed)
    folds = stratified_folds(Y, k, seed, of_row)
    in_folds = dealt(of_row, k)
    if in_folds is None:
        assert np.array_equal(folds, stratified_folds(Y, k, seed)), "too few groups: as if there were none"
        return
    assert np.array_equal(folds >= 0, in_folds)
    assert set(folds[in_folds]) == set(range(k)), "no fold is empty"
    for group in np.unique(of_row):
        assert len(set(folds[of_row == group])) == 1
    assert np.array_equal(folds, stratified_folds(Y, k, seed, of_row + 5)), "names of groups do not matter"


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(10, 200), k=st.integers(2, 5), seed=st.integers(0, 10**6))
def test_groups_of_one_row_change_nothing(rows: int, k: int, seed: int) -> None:
    Y, alone = labels(rows, seed), np.random.default_rng(seed).permutation(rows)
    assert np.array_equal(stratified_folds(Y, k, seed), stratified_folds(Y, k, seed, alone))
    without, grouped = outer_split(Y, seed % 10, seed), outer_split(Y, seed % 10, seed, groups=alone)
    assert split_hash(*without) == split_hash(*grouped)


@pytest.mark.parametrize("seed", range(4))
def test_small_groups_cost_no_evenness(seed: int) -> None:
    """Groups of one to four rows, of 600: labels and sizes are as even as those of single rows, within two rows."""
    rng = np.random.default_rng(seed)
    of_row = np.sort(rng.integers(0, 300, 600))
    Y = labels(600, seed)
    folds = stratified_folds(Y, 5, seed, of_row)
    counts = np.stack([Y[folds == fold].sum(0) for fold in range(5)])
    assert np.ptp(np.bincount(folds)) <= 1
    assert np.abs(counts - Y.sum(0) / 5).max() < 3
    at_random = rng.integers(0, 5, 300)[of_row - of_row.min()]
    by_chance = np.stack([Y[at_random == fold].sum(0) for fold in range(5)])
    assert np.abs(by_chance - Y.sum(0) / 5).max() > 6, "what dealing groups at random would give"


def test_a_group_that_fills_a_fold_is_only_trained_on() -> None:
    of_row = np.concatenate([np.zeros(40, dtype=int), np.arange(1, 81)])
    Y = labels(120, 1)
    tested = np.concatenate([outer_split(Y, split, 0, groups=of_row)[1] for split in range(5)])
    assert sorted(tested) == list(range(40, 120)), "the others are tested once each"
    trained = [outer_split(Y, split, 0, groups=of_row)[0] for split in range(5)]
    assert all(set(range(40)) <= set(train) and len(train) == 104 for train in trained)
    data = Dataset("large", np.arange(120.0)[:, None], Y, tuple("abcde"), groups=of_row)
    assert grouping_note(data, groups_of(data), 5) == (
        "rows of one group stay on one side of every split (120 rows, 81 groups); 1 group is too large for a test fold and "
        "only trained on, so that each split tests on about 16 rows instead of 24"
    )


def test_too_few_groups_cannot_make_folds_and_that_is_said() -> None:
    data = Dataset("coarse", np.arange(60.0)[:, None] % 3, labels(60, 2), tuple("abcde"))
    groups = groups_of(data)
    assert np.array_equal(outer_split(data.Y, 0, 0, groups=groups)[1], outer_split(data.Y, 0, 0)[1])
    assert "are on both sides of the splits" in grouping_note(data, groups, 5)


def test_the_groups_of_a_data_set_and_equal_inputs_are_joined() -> None:
    X = np.array([[0.0], [1.0], [1.0], [2.0], [3.0], [4.0]])
    data = Dataset("x", X, labels(6, 0, 2), ("a", "b"), groups=np.array(["p", "p", "q", "q", "r", "s"]))  # type: ignore[arg-type]
    assert groups_of(data) is not None
    assert groups_of(data).tolist() == [0, 0, 0, 0, 1, 2]  # type: ignore[union-attr]
    assert groups_of(data, equal_inputs=False).tolist() == [0, 0, 1, 1, 2, 3]  # type: ignore[union-attr]
    plain = Dataset("x", X, data.Y, ("a", "b"))
    assert groups_of(plain, equal_inputs=False) is None
    assert len({data.sha256, plain.sha256}) == 2
    renamed = Dataset("x", X, data.Y, ("a", "b"), groups=np.array([5, 5, 1, 1, 9, 2]))
    assert renamed.sha256 == data.sha256
    assert renamed.take([0, 2, 5]).groups.tolist() == [0, 1, 2]  # type: ignore[union-attr]
    with pytest.raises(EquipoiseError, match="`groups` must hold a value for each of 6 rows"):
        Dataset("x", X, data.Y, ("a", "b"), groups=np.zeros(5, dtype=np.int64))


def test_twins_are_counted() -> None:
    groups = np.array([0, 0, 1, 2, 2, 3])
    assert twins(groups, np.array([0, 2, 3]), np.array([1, 4, 5])) == pytest.approx(2 / 3)
    assert twins(None, np.array([0]), np.array([1])) == 0.0


def plan_of(data: Dataset, **more: Any) -> Plan:
    tiny = {"trials": 2, "folds": 3, "epochs": 2, **more}
    chosen = choose(None, [data.name], ["linear"], ["none"], tiny, 2, None)
    return make_plan(chosen, device="cpu", data={data.name: data})


def prepared_of(data: Dataset, **more: Any) -> Prepared:
    return prepare(plan_of(data, **more).cells[1], data, get_backbone("linear"))


def test_equal_inputs_share_the_outer_split_and_the_inner_fold() -> None:
    data = copied()
    for folds in (3, 1):
        prepared = prepared_of(data, folds=folds)
        groups = groups_of(data)
        assert groups is not None
        assert twins(groups, prepared.train, prepared.test) == 0.0
        of_train = groups[prepared.train]
        assert all(len(set(prepared.folds[of_train == g])) == 1 for g in np.unique(of_train))
    apart = prepared_of(data, group_equal_inputs=False)
    assert twins(groups, apart.train, apart.test) > 0.2
    assert split_hash(apart.train, apart.test) == split_hash(*outer_split(data.Y, 1, 0))


def test_a_row_says_how_many_groups_there_are_and_what_crosses_the_split() -> None:
    data = copied()
    together, apart = plan_of(data).cells[0], plan_of(data, group_equal_inputs=False).cells[0]
    assert together.key != apart.key
    row, other = run_alone(together, data)[0], run_alone(apart, data)[0]
    assert (row["groups"], row["test_twins"]) == (len(np.unique(data.X, axis=0)), 0.0)
    assert other["groups"] is None
    assert other["test_twins"] > 0.2
    assert row["split_sha256"] != other["split_sha256"]


def test_a_column_of_a_table_names_the_groups(tmp_path: Path) -> None:
    rows = [f"{i / 7},{i % 5},{'' if i > 27 else f'p{i // 2}'},{i % 2},{i % 3 // 2}" for i in range(30)]
    file = tmp_path / "visits.csv"
    file.write_text("\n".join(["pulse,weight,patient,ill,tired", *rows]) + "\n", encoding="utf-8")
    data = load_dataset(f"{file}[group_column=patient]")
    assert data.features == ("pulse", "weight")
    assert data.labels == ("ill", "tired")
    assert data.groups is not None
    assert data.groups.tolist() == [*(i // 2 for i in range(28)), 14, 15]
    with pytest.raises(EquipoiseError, match=r"column of visits.csv: 'pateint'; did you mean 'patient'"):
        load_dataset(f"{file}[group_column=pateint]")
