"""Recall of rare, unseen and paired labels: hand-counted examples, a slow reference, and its 0/0 rule."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from equipoise import metrics
from equipoise.core.errors import EquipoiseError

A, B, C, AB, AC, BC, NONE = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (0, 0, 0)
TRAIN = np.array([A] * 5 + [AB] * 2 + [BC] + [NONE])
TRUE = np.array([A, AB, AB, AB, BC, AC, AC, NONE])
PREDICTED = np.array([A, AB, A, AB, (1, 1, 1), AC, NONE, NONE])


def test_rare_combinations_by_hand() -> None:
    # seen 1..3 times and present: AB (2 of its 3 rows exact), BC (0 of 1). A is too frequent, AC unseen.
    assert metrics.rare_combination_recall(TRUE, PREDICTED, TRAIN, k=3) == pytest.approx((2 / 3 + 0) / 2)
    assert metrics.rare_combination_recall(TRUE, PREDICTED, TRAIN, 3, "micro") == pytest.approx(2 / 4)
    soft = ((1 + 1 / 2 + 1) / 3 + 2 / 3) / 2  # Jaccard: A for AB is 1/2, ABC for BC is 2/3
    assert metrics.rare_combination_recall(TRUE, PREDICTED, TRAIN, 3, "soft") == pytest.approx(soft)
    assert metrics.rare_combination_support(TRUE, TRAIN, 3) == (2, 4)
    # k = 10 lets A in; k = 1 leaves BC alone
    assert metrics.rare_combination_recall(TRUE, PREDICTED, TRAIN) == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert metrics.rare_combination_support(TRUE, TRAIN, 1) == (1, 1)


def test_unseen_combinations_by_hand() -> None:
    assert metrics.unseen_combination_recall(TRUE, PREDICTED, TRAIN) == 0.5
    assert metrics.unseen_combination_recall(TRUE, PREDICTED, TRAIN, "soft") == 0.5
    assert metrics.unseen_combination_support(TRUE, TRAIN) == (1, 2)


def test_rare_pairs_by_hand() -> None:
    # AB co-occurs twice in training and in three rows here (2 hit); BC once, in one row, hit by ABC; AC never.
    assert metrics.rare_pair_recall(TRUE, PREDICTED, TRAIN, k=3) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.rare_pair_support(TRUE, TRAIN, k=3) == (2, 4)
    assert metrics.rare_pair_recall(TRUE, PREDICTED, TRAIN, k=1) == 1.0


def test_the_empty_labelset_is_no_combination() -> None:
    nothing, train = np.zeros((4, 3)), np.array([NONE, A])
    assert math.isnan(metrics.rare_combination_recall(nothing, nothing, train))
    assert math.isnan(metrics.unseen_combination_recall(nothing, nothing, np.array([A])))
    assert metrics.rare_combination_support(nothing, train) == (0, 0)
    assert metrics.unseen_combination_support(nothing, np.array([A])) == (0, 0)


@pytest.mark.parametrize("average", ["macro", "micro", "soft"])
def test_nothing_to_score_is_nan(average: str) -> None:
    seen_often = np.array([A] * 4)
    recall = metrics.rare_combination_recall(np.array([A]), np.array([A]), seen_often, 3, average)  # type: ignore[arg-type]
    unseen = metrics.unseen_combination_recall(np.array([A]), np.array([A]), seen_often, average)  # type: ignore[arg-type]
    assert math.isnan(recall)
    assert math.isnan(unseen)
    assert math.isnan(metrics.rare_pair_recall(np.array([A]), np.array([A]), seen_often))
    one_label = np.ones((2, 1))
    assert math.isnan(metrics.rare_pair_recall(one_label, one_label, one_label))


def test_no_training_rows_makes_everything_unseen() -> None:
    none = np.zeros((0, 3))
    assert metrics.unseen_combination_recall(TRUE, TRUE, none) == 1.0
    assert metrics.unseen_combination_support(TRUE, none) == (4, 7)
    assert math.isnan(metrics.rare_combination_recall(TRUE, TRUE, none))


def test_k_and_average_are_checked() -> None:
    with pytest.raises(EquipoiseError, match="k = 0"):
        metrics.rare_combination_recall(TRUE, TRUE, TRAIN, k=0)
    with pytest.raises(EquipoiseError, match="did you mean 'soft'"):
        metrics.unseen_combination_recall(TRUE, TRUE, TRAIN, "sofd")  # type: ignore[arg-type]


def matrix(labels: int) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(0, 15), st.just(labels))
    return shapes.flatmap(lambda shape: hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels = draw(st.integers(1, 4))
    true, train = draw(matrix(labels)), draw(matrix(labels))
    predicted = draw(hnp.arrays(np.uint8, true.shape, elements=st.integers(0, 1)))
    return true, predicted, train


def slow_rcr(true: np.ndarray, predicted: np.ndarray, seen: list[int], wanted: range) -> dict[str, float]:
    """The definitions of the metrics, written as plain loops."""
    exact: dict[tuple[int, ...], list[float]] = {}
    soft: dict[tuple[int, ...], list[float]] = {}
    for row, guess, count in zip(true.tolist(), predicted.tolist(), seen, strict=True):
        if any(row) and count in wanted:
            both = sum(a and b for a, b in zip(row, guess, strict=True))
            exact.setdefault(tuple(row), []).append(row == guess)
            either = sum(a or b for a, b in zip(row, guess, strict=True))
            soft.setdefault(tuple(row), []).append(both / either)
    if not exact:
        return dict.fromkeys(("macro", "micro", "soft"), math.nan)
    rows = [mark for marks in exact.values() for mark in marks]
    return {
        "macro": sum(sum(m) / len(m) for m in exact.values()) / len(exact),
        "micro": sum(rows) / len(rows),
        "soft": sum(sum(m) / len(m) for m in soft.values()) / len(soft),
    }


@given(worlds(), st.integers(1, 4))
def test_against_the_definition(world: tuple[np.ndarray, np.ndarray, np.ndarray], k: int) -> None:
    true, predicted, train = world
    counts = Counter(tuple(row) for row in train.tolist())
    seen = [counts[tuple(row)] for row in true.tolist()]
    rare, unseen = slow_rcr(true, predicted, seen, range(1, k + 1)), slow_rcr(true, predicted, seen, range(1))
    for average in ("macro", "micro", "soft"):
        found = metrics.rare_combination_recall(true, predicted, train, k, average)  # type: ignore[arg-type]
        assert found == pytest.approx(rare[average], nan_ok=True)
        found = metrics.unseen_combination_recall(true, predicted, train, average)  # type: ignore[arg-type]
        assert found == pytest.approx(unseen[average], nan_ok=True)


@given(worlds(), st.integers(1, 4))
def test_pairs_against_the_definition(world: tuple[np.ndarray, np.ndarray, np.ndarray], k: int) -> None:
    true, predicted, train = (matrix.astype(bool) for matrix in world)
    recalls = []
    for a, b in combinations(range(true.shape[1]), 2):
        rows = true[:, a] & true[:, b]
        if 1 <= (train[:, a] & train[:, b]).sum() <= k and rows.any():
            recalls.append((predicted[:, a] & predicted[:, b])[rows].mean())
    found = metrics.rare_pair_recall(true, predicted, train, k)
    assert found == pytest.approx(np.mean(recalls) if recalls else math.nan, nan_ok=True)
    assert metrics.rare_pair_support(true, train, k).combinations == len(recalls)


@given(worlds())
def test_soft_is_never_below_exact(world: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    found = metrics.decision_metrics(*world)
    for exact, soft in (
        ("rcr_at_3", "rcr_soft_at_3"),
        ("rcr_at_10", "rcr_soft_at_10"),
        ("unseen_recall", "unseen_soft"),
    ):
        assert math.isnan(found[exact]) == math.isnan(found[soft])
        assert math.isnan(found[exact]) or found[exact] <= found[soft] + 1e-12
