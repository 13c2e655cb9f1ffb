"""Strategies on scores and decisions (calibration, logit adjustment, top-k, expected F1), and progressive sampling."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from equipoise import metrics
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.strategy import Context
from equipoise.strategies.calibration import fitted, softened
from equipoise.strategies.thresholds import best_expected_f1, best_k, expected_f1, rowwise

from .shared.calibrated import world


def cross_entropy(z: np.ndarray, Y: np.ndarray) -> float:
    return float((np.logaddexp(0.0, z) - Y * z.astype(float)).mean())


@pytest.mark.parametrize(
    "name", ["temperature", "temperature[per_label=true]", "platt", "platt[per_label=false]"]
)
def test_calibration_repairs_overconfidence_and_keeps_the_order(name: str) -> None:
    true, Y, ctx = world()
    wild = 5 * true
    tame = get_strategy(name).adjust(wild, Y, ctx)
    fixed = tame(wild)
    assert fixed.dtype == np.float32
    assert fixed.shape == wild.shape
    assert cross_entropy(fixed, Y) < 0.5 * cross_entropy(wild, Y)
    assert metrics.brier(Y, expit(fixed)) < metrics.brier(Y, expit(wild))
    for j in range(Y.shape[1]):
        assert (np.diff(fixed[np.argsort(wild[:, j], kind="stable"), j]) >= 0).all()


def test_temperature_is_what_undoes_a_factor() -> None:
    true, Y, ctx = world(20_000, 3)
    line = get_strategy("temperature").adjust(5 * true[:, :2], Y[:, :2], ctx)
    assert line(np.ones((1, 2)))[0] == pytest.approx([0.2, 0.2], rel=0.05)
    assert line(np.zeros((1, 2)))[0] == pytest.approx([0.0, 0.0])


def test_platt_pooled_is_logistic_regression() -> None:
    true, Y, _ = world()
    z = 3 * true.astype(float) + 1
    line = fitted(z, Y.astype(float), 1.0, bias=True, per_label=False)
    plain = LogisticRegression(C=1e8, tol=1e-10, max_iter=1000).fit(z.reshape(-1, 1), Y.ravel())
    assert line.a[0, 0] == pytest.approx(plain.coef_[0, 0], rel=1e-4)
    assert line.b[0, 0] == pytest.approx(plain.intercept_[0], rel=1e-4)


def test_platt_of_a_label_is_ridge_regression_around_the_common_line() -> None:
    """At the minimum the gradient is 0, and the cost is convex."""
    true, Y, _ = world()
    z, targets = 3.0 * true + 1, softened(Y)
    common = fitted(z, targets, 7.0, bias=True, per_label=False)
    own = fitted(z, targets, 7.0, bias=True, per_label=True)
    error = expit(own(z.astype(float))) - targets
    assert np.abs((error * z).sum(0) + 7.0 * (own.a - common.a)).max() < 1e-3 * len(z)
    assert np.abs(error.sum(0) + 7.0 * (own.b - common.b)).max() < 1e-3 * len(z)
    assert np.abs(own.a - common.a).max() > 0.01


@pytest.mark.parametrize("name", ["temperature[per_label=true]", "platt"])
def test_a_rare_label_stays_near_the_common_line(name: str) -> None:
    """With a single, perfectly separated positive, the slope would be infinite without shrinkage."""
    z = np.linspace(-4, 4, 300).reshape(-1, 1).repeat(3, 1).astype(np.float32)
    Y = (np.random.default_rng(1).random((300, 3)) < expit(z)).astype(np.uint8)
    Y[:, 1], Y[:, 2] = 0, 0
    Y[-1, 1] = 1
    line = get_strategy(name).adjust(z, Y, Context(Y.sum(0), 300))
    assert (np.abs(line(z)) < 40).all()


def test_logit_adjustment_takes_the_prior_off() -> None:
    true, Y, ctx = world()
    n = np.clip(Y.sum(0), 0.5, len(Y) - 0.5)
    shifted = get_strategy("logit_adjustment[tau=0.5]").adjust(true, Y, ctx)(true)
    assert shifted == pytest.approx(true - 0.5 * logit(n / len(Y)), abs=1e-5)
    off = get_strategy("logit_adjustment[tau=0.0]").adjust(true, Y, ctx)(true)
    assert np.array_equal(off, true)
    assert off.dtype == true.dtype


def brute(p: np.ndarray) -> float:
    """The best expected F1 over all 2^L decisions, each by summing over all 2^L truths."""
    cells = np.array(list(product([0, 1], repeat=len(p))))
    chance = np.where(cells, p, 1 - p).prod(1)
    sizes = cells.sum(1)[:, None] + cells.sum(1)
    f1 = 2 * cells @ cells.T / np.maximum(sizes, 1)
    return float((f1 @ chance).max())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_row_expected_f1_is_as_good_as_any_decision(p: list[float]) -> None:
    ordered = -np.sort(-np.array(p))
    assert expected_f1(ordered[None])[0].max() == pytest.approx(brute(ordered), abs=1e-12)


def test_row_decision_takes_the_best_number_of_the_most_probable() -> None:
    z = np.random.default_rng(3).normal(scale=3, size=(50, 6)).astype(np.float32)
    predicted = rowwise(z)
    for row, chosen in zip(z, predicted, strict=True):
        p, k = np.sort(expit(row.astype(float)))[::-1], int(chosen.sum())
        assert k >= 1
        assert chosen[np.argsort(-row)[:k]].all()
        assert expected_f1(p[None])[0, k - 1] == pytest.approx(brute(p), abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_f_star_is_the_best_ratio_of_expectations(p: list[float]) -> None:
    column = -np.sort(-np.array(p))
    ratios = 2 * np.cumsum(column) / np.maximum(column.sum() + np.arange(1, len(p) + 1), 1e-300)
    assert best_expected_f1(column[:, None])[0] == pytest.approx(max(ratios.max(), 1e-12), abs=1e-9)


def test_expected_f1_is_half_f_star_and_near_the_best_threshold() -> None:
    true, Y, ctx = world(20_000, 5)
    predicted = get_strategy("expected_f1[calibrate=false]").decide(true, Y, ctx)(true)
    best = get_strategy("scut[smooth=false]").decide(true, Y, ctx)(true)
    assert metrics.f1(Y[:, :4], predicted[:, :4]) > metrics.f1(Y[:, :4], best[:, :4]) - 0.02
    half = best_expected_f1(expit(true.astype(float))) / 2
    assert np.array_equal(predicted, expit(true.astype(float)) > half)


def test_a_global_threshold_may_be_chosen_from_the_grid_of_the_paper() -> None:
    true, Y, ctx = world()
    for scores in (true, true + 0.2, true - 5):
        chosen = get_strategy("global_threshold[grid=true]").decide(scores, Y, ctx)(scores)
        tried = [metrics.f1(Y, expit(scores.astype(float)) > t, "micro") for t in np.linspace(0.4, 0.6, 21)]
        assert metrics.f1(Y, chosen, "micro") == pytest.approx(max(tried))
    free = get_strategy("global_threshold").decide(true - 5, Y, ctx)(true - 5)
    assert metrics.f1(Y, free, "micro") > max(tried)


@pytest.mark.parametrize("name", ["expected_f1", "rowwise_expected_f1"])
def test_expected_f1_calibrates_first(name: str) -> None:
    """Scores on a wrong scale, as a re-weighting loss gives, cost decisions only where calibration is switched off."""
    true, Y, ctx = world(20_000, 5)
    wrong = 0.3 * true + 3
    score = metrics.macro_f1 if name == "expected_f1" else metrics.samples_f1
    best = score(Y, get_strategy(f"{name}[calibrate=false]").decide(true, Y, ctx)(true))
    for scores in (true, wrong):
        decided = get_strategy(name).decide(scores, Y, ctx)(scores)
        assert score(Y, decided) > best - 0.02
    raw = get_strategy(f"{name}[calibrate=false]").decide(wrong, Y, ctx)(wrong)
    assert score(Y, raw) < best - 0.1
    calibrated = get_strategy("platt").adjust(wrong.astype(float), Y, ctx)(wrong.astype(float))
    by_hand = get_strategy(f"{name}[calibrate=false]").decide(calibrated, Y, ctx)(calibrated)
    assert (get_strategy(name).decide(wrong, Y, ctx)(wrong) != by_hand).mean() < 1e-5


def test_top_k_predicts_k_and_chooses_the_k_of_the_best_micro_f1() -> None:
    true, Y, ctx = world()
    assert (get_strategy("top_k[k=2]").decide(true, Y, ctx)(true).sum(1) == 2).all()
    assert get_strategy("top_k[k=99]").decide(true, Y, ctx)(true).all()
    chosen = best_k(true, Y)
    scores = [
        metrics.f1(Y, get_strategy(f"top_k[k={k}]").decide(true, Y, ctx)(true), "micro") for k in range(1, 7)
    ]
    assert np.argmax(scores) + 1 == chosen
    assert (get_strategy("top_k").decide(true, Y, ctx)(true).sum(1) == chosen).all()


def test_ties_go_to_the_label_that_comes_first() -> None:
    z = np.zeros((2, 4), dtype=np.float32)
    predicted = get_strategy("top_k[k=1]").decide(z, np.eye(2, 4, dtype=np.uint8), Context(np.ones(4), 2))(z)
    assert predicted.tolist() == [[True, False, False, False]] * 2
