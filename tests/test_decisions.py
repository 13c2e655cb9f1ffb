"""Thresholds equal the best of all cuts on small data with ties; they are finite, deterministic, and fast to compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from equipoise import metrics, thresholds

from .shared.decisions import World, just_above, worlds


def cuts(scores: np.ndarray) -> list[float]:
    """All possible cuts of these scores: below all, between two neighbours, above all."""
    values = np.unique(scores.astype(float))
    return [values[0] - 1, *((values[1:] + values[:-1]) / 2), values[-1] + 1]


def f1(true: np.ndarray, predicted: np.ndarray) -> float:
    size = true.sum() + predicted.sum()
    return 2.0 * (true & predicted).sum() / size if size else 0.0


@given(worlds())
def test_global_is_as_good_as_any_cut(world: World) -> None:
    logits, true, folds = world
    for average in ("micro", "macro"):
        threshold = thresholds.global_threshold(logits, true, folds, average=average)  # type: ignore[arg-type]
        found = metrics.f1(true, thresholds.predict(logits, threshold), average)  # type: ignore[arg-type]
        if not true.any():
            assert not thresholds.predict(logits, threshold).any()
            continue
        best = max(metrics.f1(true, logits > cut, average) for cut in cuts(logits))  # type: ignore[arg-type]
        # Macro-F1 is undefined where no label has both a positive and a negative row.
        assert found == pytest.approx(best, nan_ok=True)


@given(worlds())
def test_scut_is_as_good_as_any_cut_of_each_label(world: World) -> None:
    logits, true, _ = world
    fitted = thresholds.scut(logits, true)
    predicted = thresholds.predict(logits, fitted)
    assert fitted.shape == (true.shape[1],)
    assert np.isfinite(fitted).all()
    for j in range(true.shape[1]):
        if true[:, j].any():
            best = max(f1(true[:, j], logits[:, j] > cut) for cut in cuts(logits[:, j]))
            assert f1(true[:, j], predicted[:, j]) == pytest.approx(best)
        else:
            assert fitted[j] == just_above(logits)[j]


@given(worlds())
def test_a_threshold_equals_no_score_it_was_fitted_on(world: World) -> None:
    logits, true, folds = world
    scored = true.any(axis=0)
    fitted = thresholds.scut(logits, true)
    assert not (logits.astype(float) == fitted)[:, scored].any()
    one_fold = thresholds.scut_smoothed(logits, true, 0 * folds)
    assert not (logits.astype(float) == one_fold)[:, scored].any()


def slow_smoothed(logits: np.ndarray, true: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Lin and Lin's rule, written directly by trying every cut."""
    frequency = true.sum(axis=0)
    order = sorted(range(true.shape[1]), key=lambda j: (-int(frequency[j]), j))
    sums, times = np.zeros(true.shape[1]), np.zeros(true.shape[1])
    for fold in np.unique(folds):
        z, y = logits[folds == fold].astype(float), true[folds == fold].astype(bool)
        done: list[int] = []
        decided = np.zeros_like(y)
        for j in order:
            if not y[:, j].any():
                sums[j] += np.nextafter(z[:, j].max(), np.inf)
                times[j] += 1
                continue
            done.append(j)
            best, best_cut = -1.0, 0.0
            for cut in reversed(cuts(z[:, j])):
                decided[:, j] = z[:, j] > cut
                value = f1(y[:, j], decided[:, j]) / len(done) + f1(y[:, done], decided[:, done])
                if value > best + 1e-11:
                    best, best_cut = value, cut
            decided[:, j] = z[:, j] > best_cut
            values = np.unique(z[:, j])
            best_cut = np.nextafter(values[-1], np.inf) if best_cut > values[-1] else best_cut
            best_cut = np.nextafter(values[0], -np.inf) if best_cut < values[0] else best_cut
            sums[j] += best_cut
            times[j] += 1
    with np.errstate(invalid="ignore"):
        return sums / times


@given(worlds())
def test_smoothed_is_the_published_rule(world: World) -> None:
    logits, true, folds = world
    found = thresholds.scut_smoothed(logits, true, folds)
    expected = slow_smoothed(logits, true, folds)
    held = np.array([true[folds == fold].any(axis=0) for fold in np.unique(folds)])
    some = held.sum(axis=0) >= min(2, len(held))
    assert found[some] == pytest.approx(expected[some])
    assert (found[~some] == just_above(logits)[~some]).all()


def test_by_hand() -> None:
    logits = np.array([[3.0], [2.0], [1.0], [0.0]])
    true = np.array([[1], [0], [1], [0]])
    assert thresholds.scut(logits, true).tolist() == [0.5]  # F1 4/5, against 2/3 for the top one alone
    assert thresholds.global_threshold(logits, true) == 0.5
    assert thresholds.scut(logits, true, folds=[0, 0, 1, 1]).tolist() == [1.5]  # mean of 2.5 and 0.5
    assert thresholds.scut(logits, [[1], [1], [0], [0]], folds=[0, 1, 2, 3]).tolist() == pytest.approx([2.5])
    assert thresholds.predict(logits, 2.0).ravel().tolist() == [True, False, False, False]


def test_ties_are_not_separated_and_the_fewest_predictions_win() -> None:
    tied = np.array([[1.0], [1.0], [0.0]])
    predicted = thresholds.predict(tied, thresholds.scut(tied, [[1], [0], [0]]))
    assert predicted.ravel().tolist() == [True, True, False]
    even = np.array([[3.0], [2.0], [1.0], [0.0]])  # F1 is 2/3 for the top one, the top two no better
    assert thresholds.scut(even, [[1], [0], [0], [1]]).tolist() == [2.5]


def test_adjacent_floats_and_rounding() -> None:
    low = 1.0
    high = np.nextafter(low, 2)
    logits = np.array([[high], [low]])
    assert thresholds.predict(logits, thresholds.scut(logits, [[1], [0]])).ravel().tolist() == [True, False]
    near = np.array([[np.nextafter(np.float32(1), np.float32(2))], [1.0]], dtype=np.float32)
    threshold = thresholds.global_threshold(near, [[1], [0]])
    assert thresholds.predict(near, threshold).ravel().tolist() == [True, False]


def test_smoothing_spares_a_rare_label_its_burst_of_false_positives() -> None:
    rng = np.random.default_rng(0)
    true = np.zeros((400, 3), dtype=int)
    true[:200, 0] = true[100:260, 1] = 1
    true[399, 2] = 1  # one positive, in the middle of the noise
    logits = np.where(true == 1, 2.0, -2.0) + rng.normal(size=true.shape)
    logits[:, 2] = rng.normal(size=400)
    logits[399, 2] = 1.0
    raw = thresholds.predict(logits, thresholds.scut(logits, true))
    smooth = thresholds.predict(logits, thresholds.scut_smoothed(logits, true, np.zeros(400)))
    assert raw[:, 2].sum() > 30
    assert smooth[:, 2].sum() == 0
    assert metrics.micro_f1(true, smooth) > metrics.micro_f1(true, raw) + 0.03
