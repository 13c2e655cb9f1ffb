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
from equipoise.engine.sampler import BatchSampler
from equipoise.strategies.calibration import fitted, softened
from equipoise.strategies.thresholds import best_expected_f1, best_k, expected_f1, rowwise


def world(n: int = 1200, labels: int = 6) -> tuple[np.ndarray, np.ndarray, Context]:
    """Calibrated log-odds (n, L) of labels from frequent to very rare, the labels drawn from them, the last one absent."""
    rng = np.random.default_rng(0)
    true = rng.normal(scale=2, size=(n, labels)) + logit(np.geomspace(0.4, 0.002, labels))
    Y = (rng.random((n, labels)) < expit(true)).astype(np.uint8)
    Y[:, -1] = 0
    return true.astype(np.float32), Y, Context(Y.sum(0), n, folds=np.arange(n) % 3)


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


def test_square_root_sampling_draws_labels_by_the_root_of_their_count() -> None:
    Y = np.repeat(np.eye(3, dtype=np.uint8), [100, 25, 4], axis=0)
    weights = get_strategy("sqrt_sampling").weights(Y, Context(Y.sum(0), len(Y)))
    assert [weights[Y[:, j] > 0].sum() for j in range(3)] == pytest.approx([10 / 17, 5 / 17, 2 / 17])
    by_rows = get_strategy("sqrt_sampling[power=1.0]").weights(Y, Context(Y.sum(0), len(Y)))
    assert by_rows == pytest.approx(np.full(len(Y), 1 / len(Y)))


def test_labelset_sampling_draws_every_labelset_equally_often() -> None:
    _, Y, ctx = world()
    labelsets, ids = np.unique(Y, axis=0, return_inverse=True)
    counts = np.bincount(ids.ravel())
    for name, expected in (("labelset_sampling", counts**0.0), ("labelset_sampling[power=0.5]", counts**0.5)):
        weights = get_strategy(name).weights(Y, ctx)
        drawn = np.bincount(ids.ravel(), weights / weights.sum())
        assert drawn == pytest.approx(expected / expected.sum())
        assert len(drawn) == len(labelsets) > 8


def test_bernoulli_sampling_meets_its_targets_and_keeps_the_interactions() -> None:
    rng = np.random.default_rng(4)
    hidden = rng.normal(size=(4000, 1))
    Y = (hidden + rng.normal(size=(4000, 4)) > [0.0, 0.8, 1.6, 3.0]).astype(np.uint8)
    ctx = Context(Y.sum(0), len(Y))
    share = Y.mean(0)
    for power in (0.0, 0.5):
        weights = get_strategy(f"bernoulli_sampling[power={power}]").weights(Y, ctx)
        weights = weights / weights.sum()
        target = share**power * share.sum() / (share**power).sum()
        assert weights @ Y == pytest.approx(target, abs=2e-3)
        # Log-odds ratios of a pair within rows that agree in the other labels: an interaction, untouched by main effects.
        for columns in ((0, 1), (1, 2)):
            others = np.delete(Y, columns, axis=1)
            rows = (others == 0).all(1)
            cells = [[rows & (Y[:, columns] == (a, b)).all(1) for b in (0, 1)] for a in (0, 1)]
            before, after = (
                np.log([[m[c].sum() for c in line] for line in cells]) for m in (np.ones(4000), weights)
            )
            ratio = [m[0, 0] + m[1, 1] - m[0, 1] - m[1, 0] for m in (before, after)]
            assert ratio[0] == pytest.approx(ratio[1], abs=1e-9)


def test_bernoulli_sampling_gives_in_where_a_target_is_out_of_reach() -> None:
    Y = np.zeros((100, 2), dtype=np.uint8)
    Y[:50, 0] = Y[:2, 1] = 1  # the rare label occurs beside the frequent one only
    weights = get_strategy("bernoulli_sampling[power=0.0]").weights(Y, Context(Y.sum(0), 100))
    drawn = weights @ Y
    assert np.isfinite(weights).all()
    assert drawn[1] > 0.2
    assert drawn[0] >= drawn[1]
    Y[:99, 0] = 1
    almost_off = get_strategy("bernoulli_sampling[power=0.999]").weights(Y, Context(Y.sum(0), 100))
    assert almost_off @ Y == pytest.approx(Y.mean(0), abs=5e-3), "the limit makes no frequent label rarer"
    empty = get_strategy("bernoulli_sampling").weights(0 * Y, Context(0 * Y.sum(0), 100))
    assert (empty == empty[0]).all()


def test_progressive_sampling_moves_from_rows_to_labels() -> None:
    Y = np.repeat(np.eye(3, dtype=np.uint8), [80, 15, 5], axis=0)
    ctx = Context(Y.sum(0), len(Y))
    frames = get_strategy("progressive_sampling").weights(Y, ctx)
    assert frames[0] == pytest.approx(np.full(100, 0.01))
    assert np.array_equal(frames[1], get_strategy("balanced_sampling").weights(Y, ctx))
    drawn = BatchSampler(100, frames, np.random.default_rng(0), 200_000).take(200_000)
    for part, t in ((drawn[:20_000], 0.05), (drawn[90_000:110_000], 0.5), (drawn[-20_000:], 0.95)):
        share = Y[part].mean(0)
        assert share == pytest.approx((1 - t) * np.array([0.8, 0.15, 0.05]) + t / 3, abs=0.012)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=6), st.integers(1, 4))
def test_a_stream_does_not_depend_on_how_it_is_cut(parts: list[int], frames: int) -> None:
    weights = np.random.default_rng(1).random((frames, 30))
    cut, whole = (BatchSampler(30, weights, np.random.default_rng(2), 300) for _ in range(2))
    assert np.array_equal(np.concatenate([cut.take(n) for n in parts]), whole.take(sum(parts)))


def test_one_frame_is_plain_weights_and_the_last_frame_stays() -> None:
    weights = np.random.default_rng(1).random(30)
    one, plain = (BatchSampler(30, w, np.random.default_rng(2)) for w in (weights[None], weights))
    assert np.array_equal(one.take(500), plain.take(500))
    only_first, only_last = np.eye(2, 30)
    stream = BatchSampler(30, np.stack([only_first, only_last]), np.random.default_rng(3), 100)
    assert 20 < (stream.take(100) == 0).sum() < 80
    assert (stream.take(50) == 1).all()
