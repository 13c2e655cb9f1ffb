"""Data health: planted problems are found, and clean data give no findings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from equipoise.contracts.dataset import Dataset
from equipoise.diagnosis.sections.health import health_section
from equipoise.diagnosis.sections.similar import near_pairs
from equipoise.splits.groups import exact_groups

WORDS = [f"word{i}" for i in range(400)]


def texts(rows: int = 60, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 30)) for _ in range(rows)]


def of_texts(lines: list[str], Y: np.ndarray | None = None) -> Dataset:
    if Y is None:
        Y = np.random.default_rng(1).integers(0, 2, (len(lines), 2))
    return Dataset("mails", np.array(lines, dtype=object), Y, tuple("abcdef"[: Y.shape[1]]))


def of_numbers(X: Any, Y: np.ndarray | None = None, **more: Any) -> Dataset:
    if Y is None:
        Y = np.random.default_rng(1).integers(0, 2, (X.shape[0], 2))
    return Dataset("table", X, Y, tuple("abcdef"[: Y.shape[1]]), **more)


def health(data: Dataset, inner: int = 3) -> dict[str, Any]:
    half = data.n_rows // 2
    split = (np.arange(half), np.arange(half, data.n_rows))
    return health_section(data, split, "halves", inner, seed=0)


def test_clean_data_raise_no_alarm() -> None:
    for data in (of_texts(texts()), of_numbers(np.random.default_rng(2).normal(size=(60, 8)))):
        found = health(data)
        alarms = [line for line in found["problems"] if "no label" not in line]
        assert alarms == []
        assert {
            "no equal rows",
            "no row on both sides of the split",
            "no input that reveals a label",
        } <= set(found["fine"])


def test_equal_texts_are_found_whatever_their_case_and_punctuation() -> None:
    lines = texts()
    lines[50] = "  " + lines[3].upper().replace(" ", ",  ") + "!"
    Y = np.zeros((60, 2), dtype=int)
    Y[3, 0] = Y[50, 0] = Y[50, 1] = 1
    exact = health(of_texts(lines, Y))["duplicates"]["exact"]
    assert (exact["groups"], exact["rows_too_many"], exact["examples"]) == (1, 1, [[3, 50]])
    assert exact["contradicting_examples"] == [{"rows": [3, 50], "labels": ["b"]}]


def test_equal_rows_with_equal_labels_do_not_contradict() -> None:
    X = np.random.default_rng(0).normal(size=(40, 6))
    X[30] = X[2]
    Y = np.zeros((40, 2), dtype=int)
    Y[[2, 30], 1] = 1
    for form in (X, sparse.csr_matrix(X)):
        found = health(of_numbers(form, Y))
        assert found["duplicates"]["exact"]["groups"] == 1
        assert found["duplicates"]["exact"]["contradicting_groups"] == 0
        assert found["duplicates"]["across_split"] == {
            "test_rows": 20,
            "exact": 1,
            "near": 0,
            "examples": [30],
        }
        assert any("equal" in line and "too optimistic" in line for line in found["problems"])


def test_minus_zero_is_zero() -> None:
    X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    X[7] = X[3]
    X[3, 0], X[7, 0] = 0.0, -0.0
    assert exact_groups(of_numbers(X).X)[7] == exact_groups(of_numbers(X).X)[3]


def test_near_rows_are_found_in_every_form_and_across_the_split() -> None:
    lines = texts()
    lines[41] = lines[4] + " postscript"
    X = np.random.default_rng(0).normal(size=(60, 8))
    X[41] = X[4] + 1e-4
    bags = sparse.random(60, 300, 0.1, "csr", rng=np.random.default_rng(3))
    bags = sparse.vstack([bags[:41], bags[4] * 1.001, bags[42:]], format="csr")
    for data in (of_texts(lines), of_numbers(X), of_numbers(bags)):
        pairs, compared = near_pairs(data, exact_groups(data.X), 0)
        assert pairs.tolist() == [[4, 41]]
        assert compared == 60
        across = health(data)["duplicates"]["across_split"]
        assert (across["exact"], across["near"]) == (0, 1)


def test_few_columns_have_no_near_rows() -> None:
    data = of_numbers(np.random.default_rng(0).normal(size=(200, 2)))
    assert near_pairs(data, exact_groups(data.X), 0)[1] == 0


@pytest.mark.parametrize("flip", [False, True])
def test_a_column_that_is_a_label_is_a_leak(flip: bool) -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(100, 5)), rng.integers(0, 2, (100, 2))
    X[:, 3] = (1 - Y[:, 1] if flip else Y[:, 1]) * 2.5 + rng.random(
        100
    )  # not equal, but in the label's order
    for form in (X, sparse.csr_matrix(np.where(Y[:, [1]] == flip, 0, np.abs(X)) * [0, 0, 0, 1, 0])):
        hints = health(of_numbers(form, Y, features=tuple("vwxyz")))["leaks"]["features"]
        assert [(hint["feature"], hint["label"], hint["same"]) for hint in hints] == [("y", "b", True)]


def test_a_word_that_is_a_label_is_a_leak_and_a_category_too() -> None:
    lines, Y = texts(), np.random.default_rng(1).integers(0, 2, (60, 2))
    marked = [line + " urgent" * int(y) for line, y in zip(lines, Y[:, 0], strict=True)]
    hints = health(of_texts(marked, Y))["leaks"]["features"]
    assert [(hint["feature"], hint["label"]) for hint in hints] == [("urgent", "a")]
    codes = np.where(Y[:, 0], 2.0, np.arange(60) % 2)[:, None]
    hints = health(of_numbers(codes, Y, features=("team",), nominal=np.array([True])))["leaks"]["features"]
    assert ("team = 2", "a") in [(hint["feature"], hint["label"]) for hint in hints]


def test_a_rare_label_has_no_leak_by_luck() -> None:
    X, Y = np.zeros((100, 2)), np.zeros((100, 2), dtype=int)
    X[0, 1] = Y[0, 0] = 1
    Y[::2, 1] = 1
    assert health(of_numbers(X, Y))["leaks"]["features"] == []


def test_rows_sorted_by_a_label_are_noticed() -> None:
    Y = np.column_stack([np.arange(60) < 25, np.arange(60) % 2])
    assert health(of_texts(texts(), Y))["leaks"]["sorted_by"] == ["a"]


def test_empty_and_constant_things_are_counted() -> None:
    X = np.random.default_rng(0).normal(size=(30, 6))
    X[:, 2], X[4] = 7.0, 0.0
    X[4, 2] = 7.0
    Y = np.ones((30, 2), dtype=int)
    Y[:3], Y[5, 0] = 0, 0
    found = health(of_numbers(X, Y, features=tuple("uvwxyz")))
    assert found["constant_features"] == ["w"]
    assert found["empty"] == {"rows_without_label": 3, "rows_without_input": 0}
    lines = [*texts(30)[:28], "", "  "]
    assert health(of_texts(lines))["empty"]["rows_without_input"] == 2


def test_rare_labels_are_told_what_will_happen() -> None:
    counts = {"never": 0, "single": 1, "below_outer": 3, "always": 60}
    Y = np.column_stack([np.arange(60) < n for n in counts.values()])
    troubled = {kind["kind"]: kind["labels"] for kind in health(of_texts(texts(), Y))["folds"]["troubled"]}
    assert troubled == {"never": ["a"], "single": ["b"], "below_outer": ["c"], "always": ["d"]}


@pytest.mark.parametrize(("inner", "needed"), [(1, 5), (2, 5), (3, 5), (5, 7), (10, 13)])
def test_rows_needed_for_every_fold(inner: int, needed: int) -> None:
    found = health(of_texts(texts()), inner)["folds"]
    assert found["rows_needed"] == needed
    worst = needed - -(-needed // 5)  # a test fold holds at most a fifth, rounded up
    assert worst >= (4 if inner == 1 else inner)


def test_lengths_of_texts() -> None:
    words = health(of_texts(["one two three"] * 59 + ["one " * 11]))["text_words"]
    assert (words["least"], words["median"], words["most"]) == (3, 3, 11)
