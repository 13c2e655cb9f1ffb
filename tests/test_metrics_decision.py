"""Metrics of 0/1 predictions equal scikit-learn's where it defines them, and are NaN where it puts 0."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sklearn_metrics

from equipoise import metrics
from equipoise.core.errors import EquipoiseError

KEYS = {
    f"{average}_{metric}"
    for average in ("micro", "macro", "samples")
    for metric in ("f1", "precision", "recall")
} | {"hamming_loss", "subset_accuracy", "head_f1", "medium_f1", "tail_f1", "labels_scored"}
KEYS |= {
    f"{name}_at_{k}"
    for k in (3, 10)
    for name in ("rcr", "rcr_micro", "rcr_soft", "rcr_support", "rcr_rows", "rpr", "rpr_support")
}
KEYS |= {"unseen_recall", "unseen_micro", "unseen_soft", "unseen_support", "unseen_rows"}
FUNCTIONS = {"f1": metrics.f1, "precision": metrics.precision, "recall": metrics.recall}
THEIRS = {
    "f1": sklearn_metrics.f1_score,
    "precision": sklearn_metrics.precision_score,
    "recall": sklearn_metrics.recall_score,
}


@st.composite
def decisions(draw: st.DrawFn, rows: int = 20, labels: int = 6) -> tuple[np.ndarray, np.ndarray]:
    shape = (draw(st.integers(1, rows)), draw(st.integers(1, labels)))
    bits = hnp.arrays(np.uint8, shape, elements=st.integers(0, 1))
    return draw(bits), draw(bits)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("average", ["micro", "macro", "samples"])
@settings(max_examples=50)  # times nine
@given(pair=decisions())
def test_as_scikit_learn_where_scored(name: str, average: str, pair: tuple[np.ndarray, np.ndarray]) -> None:
    true, predicted = pair
    found = FUNCTIONS[name](true, predicted, average)  # type: ignore[arg-type]
    if average == "macro":
        scored = true.any(axis=0) & ~true.all(axis=0)
        true, predicted = true[:, scored], predicted[:, scored]
    if average == "samples":
        true, predicted = true[true.any(axis=1)], predicted[true.any(axis=1)]
    if true.size == 0:
        assert math.isnan(found)
        return
    if true.shape[1] == 1 and average != "micro":  # scikit-learn would take one column for a binary problem
        zero = np.zeros_like(true)
        true, predicted = np.hstack([true, zero]), np.hstack([predicted, zero])
    options = {"labels": [0]} if average == "macro" and not true[:, -1].any() else {}
    if true.shape[1] == 1:
        true, predicted, average = true.ravel(), predicted.ravel(), "binary"
    theirs = THEIRS[name](true, predicted, average=average, zero_division=np.nan, **options)
    assert found == pytest.approx(theirs, nan_ok=True)


@given(decisions())
def test_hamming_and_subset_as_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    true, predicted = pair
    assert metrics.hamming_loss(true, predicted) == pytest.approx(
        sklearn_metrics.hamming_loss(true, predicted)
    )
    exact = sklearn_metrics.accuracy_score(true, predicted)
    assert metrics.subset_accuracy(true, predicted) == pytest.approx(exact)


@given(decisions())
def test_the_summary_holds_what_the_single_functions_give(pair: tuple[np.ndarray, np.ndarray]) -> None:
    true, predicted = pair
    train = predicted[::-1]
    found = metrics.decision_metrics(true, predicted, train)
    assert set(found) == KEYS
    for average in ("micro", "macro", "samples"):
        for name, function in FUNCTIONS.items():
            alone = function(true, predicted, average)  # type: ignore[arg-type]
            assert found[f"{average}_{name}"] == pytest.approx(alone, nan_ok=True)
    for k in (3, 10):
        rare = metrics.rare_combination_recall(true, predicted, train, k)
        assert found[f"rcr_at_{k}"] == pytest.approx(rare, nan_ok=True)
        assert found[f"rcr_support_at_{k}"] == metrics.rare_combination_support(true, train, k).combinations
        pairs = metrics.rare_pair_recall(true, predicted, train, k)
        assert found[f"rpr_at_{k}"] == pytest.approx(pairs, nan_ok=True)
    unseen = metrics.unseen_combination_recall(true, predicted, train)
    assert found["unseen_recall"] == pytest.approx(unseen, nan_ok=True)


def test_by_hand() -> None:
    true = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    predicted = np.array([[1, 0, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 1, 0]])
    found = metrics.decision_metrics(true, predicted, true)
    assert found["labels_scored"] == 2  # of four: the third and the fourth have no positive in these rows
    assert found["macro_f1"] == pytest.approx((0.8 + 0.0) / 2)
    assert found["macro_recall"] == pytest.approx((1.0 + 0.0) / 2)
    assert found["macro_precision"] == pytest.approx(2 / 3)  # the second is never predicted: left out, not 0
    assert found["micro_f1"] == pytest.approx(2 * 2 / (5 + 4))  # false alarms on absent labels count here
    assert found["samples_f1"] == pytest.approx(
        (2 / 3 + 2 / 3 + 0) / 3
    )  # the row without a label is not scored
    assert found["hamming_loss"] == pytest.approx(5 / 16)
    assert found["subset_accuracy"] == 0.0


def test_groups_by_training_frequency() -> None:
    train = np.zeros((40, 5), dtype=int)
    for label, count in enumerate((35, 34, 9, 8, 0)):
        train[:count, label] = 1
    groups = {name: mask.tolist() for name, mask in metrics.frequency_groups(train).items()}
    assert groups["head"] == [True, False, False, False, False]
    assert groups["medium"] == [False, True, True, False, False]
    assert groups["tail"] == [False, False, False, True, True]
    true = np.array([[1, 1, 1, 0, 1], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0]])
    predicted = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0]])
    found = metrics.frequency_f1(true, predicted, train)
    assert found == pytest.approx({"head_f1": 1.0, "medium_f1": 0.5, "tail_f1": 2 / 3})
    assert math.isnan(metrics.frequency_f1(true, predicted, train, head=99, tail=98)["head_f1"])
    with pytest.raises(EquipoiseError, match="tail = 9 and head = 9"):
        metrics.frequency_groups(train, head=9, tail=9)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_nothing_true_and_nothing_predicted_is_nan(rows: int) -> None:
    nothing = np.zeros((rows, 2))
    found = metrics.decision_metrics(nothing, nothing, np.ones((4, 2)))
    defined = {name for name, value in found.items() if not math.isnan(value)}
    supports = {name for name in KEYS if "support" in name or "rows" in name}
    always = {"labels_scored"} | supports
    assert defined == (always | {"hamming_loss", "subset_accuracy"} if rows else always)
    assert all(found[name] == 0 for name in always)


def test_a_label_that_is_always_on() -> None:
    ones = np.ones((3, 1))
    found = metrics.decision_metrics(ones, ones, ones)
    assert (found["micro_f1"], found["samples_f1"], found["rcr_at_3"]) == (1, 1, 1)
    missed = metrics.decision_metrics(ones, 0 * ones, ones)
    assert missed["micro_f1"] == 0
    assert math.isnan(missed["macro_precision"])


@given(decisions())
def test_a_label_that_is_always_on_moves_no_macro_average(pair: tuple[np.ndarray, np.ndarray]) -> None:
    true, predicted = pair
    always = np.ones((len(true), 1), dtype=np.uint8)
    scores = np.random.default_rng(0).normal(size=true.shape)
    more, guess = np.hstack([true, always]), np.hstack([predicted, 1 - always])
    one = metrics.decision_metrics(true, predicted, true)
    two = metrics.decision_metrics(more, guess, more)
    for name in ("macro_f1", "macro_precision", "macro_recall", "labels_scored"):
        assert two[name] == pytest.approx(one[name], nan_ok=True)
    assert metrics.macro_f1(more, guess) == pytest.approx(one["macro_f1"], nan_ok=True)
    wider = np.hstack([scores, -always])
    for name in ("map", "auroc"):
        found = metrics.score_metrics(more, wider, more)[name]
        assert found == pytest.approx(metrics.score_metrics(true, scores, true)[name], nan_ok=True)
    assert metrics.mean_average_precision(more, wider) == pytest.approx(
        metrics.mean_average_precision(true, scores), nan_ok=True
    )


def test_per_label_table() -> None:
    true = np.array([[1, 0, 0], [1, 0, 1]])
    predicted = np.array([[1, 1, 0], [0, 0, 0]])
    scores = np.array([[2.0, 1.0, 0.5], [-1.0, 0.0, -0.5]])
    table = metrics.per_label(true, predicted, scores, np.ones((4, 3)))
    assert table["n_train"] == [4, 4, 4]
    assert table["n_test"] == [2, 0, 1]
    assert table["precision"] == pytest.approx([1.0, 0.0, math.nan], nan_ok=True)
    assert table["recall"] == pytest.approx([0.5, math.nan, 0.0], nan_ok=True)
    assert table["f1"] == pytest.approx([2 / 3, math.nan, 0.0], nan_ok=True)
    assert table["average_precision"] == pytest.approx([1.0, math.nan, 0.5], nan_ok=True)
    assert all(type(value) in (int, float) for column in table.values() for value in column)


def test_wrong_shapes_and_names_are_said_in_one_line() -> None:
    square = np.ones((2, 2))
    with pytest.raises(EquipoiseError, match=r"Y_pred has shape \(2, 3\)"):
        metrics.f1(square, np.ones((2, 3)))
    with pytest.raises(EquipoiseError, match="Y_train has 3 labels"):
        metrics.decision_metrics(square, square, np.ones((5, 3)))
    with pytest.raises(EquipoiseError, match="did you mean 'macro'"):
        metrics.f1(square, square, "marco")  # type: ignore[arg-type]
