"""Measures of label dependence: values computed by hand, no findings on independent data, findings on planted dependence."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from equipoise.contracts.dataset import Dataset
from equipoise.diagnosis.sections import joint, pairs
from equipoise.diagnosis.sections.conditional import conditional_section, sample_rows
from equipoise.diagnosis.sections.dependence import verdict, words
from equipoise.diagnosis.sections.numbers import labelsets_section


def numeric(X: np.ndarray, Y: np.ndarray, name: str = "made") -> Dataset:
    return Dataset(name, X, Y, tuple("abcdefghijkl"[: Y.shape[1]]))


def logistic(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(z.shape) < 1 / (1 + np.exp(-z))).astype(np.uint8)


def world(coupled: bool, rows: int = 500, seed: int = 0) -> Dataset:
    """Three labels that depend on the same input; `coupled` makes the second repeat the first label's noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4))
    Y = logistic(X @ np.array([[1.5, 1.5, 0], [0, 0, 1.5], [0, 0, 0], [0.5, 0.5, 0]]), rng)
    if coupled:
        Y[:, 1] = np.where(rng.random(rows) < 0.85, Y[:, 0], Y[:, 1])
    return numeric(X, Y)


def test_pair_measures_by_hand() -> None:
    # a on in 4 of 8 rows, b in 2, both in 2: b only beside a.
    Y = np.array([[1, 1], [1, 1], [1, 0], [1, 0], [0, 0], [0, 0], [0, 0], [0, 0]])
    found = pairs.measure_pairs(Y)
    assert found.phi[0] == pytest.approx((8 * 2 - 4 * 2) / math.sqrt(4 * 4 * 2 * 6))
    assert found.lift[0] == pytest.approx(2.0)
    joint_entropy = -(2 * 0.25 * math.log2(0.25) + 0.5 * math.log2(0.5))
    marginal = 1.0 - 0.25 * math.log2(0.25) - 0.75 * math.log2(0.75)
    assert found.information[0] == pytest.approx(marginal - joint_entropy)
    assert found.p[0] == pytest.approx(12 / 28)  # 2 of 8 rows: both in a, or none in a: (6 + 6) / 28


def test_the_exact_p_is_the_share_of_all_shuffles() -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        Y = rng.integers(0, 2, (6, 2))
        if not (0 < Y[:, 0].sum() < 6 and 0 < Y[:, 1].sum() < 6):
            continue
        phi = abs(np.corrcoef(Y.T)[0, 1])
        shuffled = [abs(np.corrcoef(Y[:, 0], Y[list(order), 1])[0, 1]) for order in permutations(range(6))]
        expected = np.mean([value >= phi - 1e-9 for value in shuffled])
        assert pairs.measure_pairs(Y).p[0] == pytest.approx(expected)


def test_the_exact_p_agrees_with_fisher_where_both_tails_are_alike() -> None:
    both, a, b, rows = 31, 50, 50, 100
    table = [[both, a - both], [b - both, rows - a - b + both]]
    counts = (np.array([both]), np.array([a]), np.array([b]))
    assert pairs.permutation_p(*counts, rows)[0] == pytest.approx(fisher_exact(table)[1])


def test_corrections_by_hand() -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    assert pairs.holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert pairs.benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert len(pairs.holm([])) == len(pairs.benjamini_hochberg([])) == 0


def test_labels_that_never_vary_are_in_no_pair() -> None:
    Y = np.column_stack([np.zeros(20), np.ones(20), np.arange(20) % 2, np.arange(20) % 3 == 0])
    section = pairs.pairs_section(Y, "nabc")
    assert (section["tested"], section["labels_tested"]) == (1, 2)
    assert pairs.pairs_section(Y[:, :2], "na")["tested"] == 0


def test_total_correlation_by_hand() -> None:
    assert joint.total_correlation([[0, 0], [1, 1]] * 4) == pytest.approx(1.0)  # H = 1 + 1 − 1
    assert joint.total_correlation([[0, 0], [0, 1], [1, 0], [1, 1]] * 3) == pytest.approx(0.0)
    three = [
        [0, 0, 0],
        [0, 1, 1],
        [1, 0, 1],
        [1, 1, 0],
    ] * 5  # pairwise independent: only together they depend
    assert joint.total_correlation(three) == pytest.approx(1.0)
    found = joint.joint_section(three, seed=0, shuffles=60)
    assert pairs.pairs_section(three, "abc")["found_holm"] == 0
    assert found["p"] < 0.05 < 0.5 < found["corrected_bits"]


def test_bias_is_taken_off_total_correlation() -> None:
    Y = np.random.default_rng(1).random((300, 12)) < 0.3
    found = joint.joint_section(Y, seed=0, shuffles=80)
    assert found["total_correlation_bits"] > 1.0  # chance alone
    assert found["corrected_bits"] < 0.1
    assert found["p"] > 0.05


def test_null_pairs_are_not_found() -> None:
    rng = np.random.default_rng(3)
    false = [pairs.pairs_section(rng.random((200, 10)) < 0.2, "abcdefghij")["found_holm"] for _ in range(40)]
    assert sum(map(bool, false)) <= 6  # 5 % of 40 expected at most; 7 or more: chance 0.3 %


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dependence_that_the_input_explains_is_not_conditional(seed: int) -> None:
    data = world(coupled=False, seed=seed)
    section = conditional_section(data, 0, 2000, 30)
    found = pairs.pairs_section(data.Y, data.labels)
    assert section["log_loss_bits"]["input"] < 0.9 * section["log_loss_bits"]["frequency_only"]
    assert found["together"] >= 1  # a and b share their input
    assert section["gain_true"]["share"] < 0.01
    assert verdict(found, {"p": 0.0}, section) == "explained"


def test_planted_dependence_is_found_and_named() -> None:
    data = world(coupled=True)
    section = conditional_section(data, 0, 2000, 30)
    assert section["gain_true"]["low"] > 0.05
    partner = {one["label"]: one["tells_most"] for one in section["per_label"]}
    assert (partner["a"], partner["b"]) == ("b", "a")
    real = [one["label"] for one in section["per_label"] if one["gain_true"]["p_holm"] < 0.05]
    assert real == ["a", "b"]
    found = {"pairs": pairs.pairs_section(data.Y, data.labels), "joint": joint.joint_section(data.Y, 0, 40)}
    found |= {"conditional": section, "verdict": verdict(found["pairs"], found["joint"], section)}
    said = words(found)
    assert found["verdict"] == "combinations"
    assert "as long as each label is scored by itself" in said[0]
    assert any(line.startswith("These labels go together: a and b") for line in said)


def test_too_few_positives_are_said_not_guessed() -> None:
    data = numeric(np.random.default_rng(0).normal(size=(60, 2)), np.eye(60, 3))
    section = conditional_section(data, 0, 2000, 30)
    assert not section["tested"]
    assert "fewer than two labels" in section["why"]


def test_samples_are_drawn_from_the_seed_alone() -> None:
    assert np.array_equal(sample_rows(50, 50, 0), np.arange(50))
    one, again, other = sample_rows(5000, 100, 0), sample_rows(5000, 100, 0), sample_rows(5000, 100, 1)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert (len(np.unique(one)), bool((np.diff(one) > 0).all())) == (100, True)


def test_the_spectrum_counts_labelsets_by_how_often_they_occur() -> None:
    Y = np.array([[1, 0]] * 3 + [[0, 1]] * 3 + [[1, 1], [0, 0]])
    section = labelsets_section(numeric(np.ones((8, 1)), Y))
    assert section["spectrum"] == [{"rows": 1, "labelsets": 2}, {"rows": 3, "labelsets": 2}]
    assert (section["distinct"], section["singletons"], section["rows_in_singletons"]) == (4, 2, 0.25)
    assert section["most_frequent"][-1]["labels"] in ([], ["a", "b"])


def test_wide_inputs_are_told_apart_from_noise() -> None:
    """Constant columns and components with almost no variance must not dominate the others."""
    rng = np.random.default_rng(0)
    plain = world(coupled=False)
    noise = rng.normal(size=(plain.n_rows, 30)) @ rng.normal(size=(30, 500)) * 0.1
    for X in (np.hstack([plain.X, np.ones((500, 600))]), np.hstack([np.repeat(plain.X, 20, axis=1), noise])):
        section = conditional_section(numeric(X, plain.Y), 0, 2000, 30)
        assert section["log_loss_bits"]["input"] < 0.92 * section["log_loss_bits"]["frequency_only"]
        assert section["gain_true"]["share"] < 0.02
    assert "principal components" in section["sample"]
