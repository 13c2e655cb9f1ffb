"""Thresholds follow shifts, scales and increasing maps of scores, and never see the rows they decide."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise import thresholds
from equipoise.core.errors import EquipoiseError

from .shared.decisions import World, just_above, worlds


def test_positives_of_one_fold_are_no_evidence() -> None:
    """They were scored by a model trained without positives, whose scores are far below those of a refitted model."""
    rng = np.random.default_rng(0)
    folds = np.arange(300) % 3
    true = np.zeros((300, 2), dtype=int)
    true[:, 0] = rng.random(300) < 0.5
    true[[0, 3], 1] = 1  # both in fold 0
    logits = np.where(true == 1, 1.5, -1.5) + rng.normal(size=true.shape)
    logits[:, 1] = np.where(folds == 0, -20.0, rng.normal(-4, 1, size=300))
    for fit in (thresholds.scut, thresholds.scut_smoothed):
        assert fit(logits, true, folds)[1] == just_above(logits)[1]
        true[1, 1] = 1  # with evidence from a second fold the label has a threshold of its own
        assert fit(logits, true, folds)[1] < just_above(logits)[1]
        true[1, 1] = 0
    alone = thresholds.scut(logits, true, np.zeros(300))  # one fold is a holdout: fitted as it is
    assert alone[1] < just_above(logits)[1]


FITS = (thresholds.scut, thresholds.scut_smoothed)


@given(worlds(), st.data())
def test_a_shift_and_a_scale_of_each_label_move_its_threshold_along(
    world: World, data: st.DataObject
) -> None:
    """Score maps such as `logit_adjustment` and `platt` are lines: at tuned thresholds they change no decision."""
    logits, true, folds = world
    draw = st.lists(st.integers(-3, 3), min_size=true.shape[1], max_size=true.shape[1])
    shift, scale = np.array(data.draw(draw)) * 8.0, 2.0 ** np.array(data.draw(draw))
    scores = np.round(logits.astype(float))  # whole numbers, so that the line itself does not round
    for fit in FITS:
        before, after = fit(scores, true, folds), fit(scores * scale + shift, true, folds)
        np.testing.assert_allclose(after, before * scale + shift, rtol=1e-9, atol=1e-9)


@given(worlds())
def test_no_increasing_map_changes_the_decision_of_a_label_known_in_one_fold(world: World) -> None:
    logits, true, folds = world
    sparse = true.copy()
    sparse[folds != folds[0]] = 0
    several = len(np.unique(folds)) > 1
    for fit in FITS:
        for increasing in (np.exp, np.cbrt, lambda z: z - 100 * np.arange(z.shape[1])):
            mapped = increasing(logits.astype(float).clip(-20, 20))
            predicted = thresholds.predict(mapped, fit(mapped, sparse, folds))
            assert not (several and predicted.any())


@given(worlds())
def test_no_increasing_map_changes_a_decision_fitted_on_one_holdout(world: World) -> None:
    logits, true, folds = world
    _, ranks = np.unique(logits, return_inverse=True)
    ranks = ranks.reshape(logits.shape).astype(float)
    steep = np.exp(ranks / 4) * 3.0 ** np.arange(true.shape[1])
    for fit in FITS:
        decided = [thresholds.predict(z, fit(z, true, 0 * folds)) for z in (logits, ranks, steep)]
        assert np.array_equal(decided[0], decided[1])
        assert np.array_equal(decided[0], decided[2])


@given(worlds())
def test_cross_fitting_never_sees_the_rows_it_decides(world: World) -> None:
    logits, true, folds = world
    if len(np.unique(folds)) < 2:
        return
    for fit in (thresholds.global_threshold, thresholds.scut, thresholds.scut_smoothed):
        decided = thresholds.cross_fitted(fit, logits, true, folds)
        mine = folds == folds[0]
        flipped = np.where(mine[:, None], 1 - true, true)
        again = thresholds.cross_fitted(fit, logits, flipped, folds)
        assert np.array_equal(decided[mine], again[mine])
        fitted = fit(logits[~mine], true[~mine], folds[~mine])
        assert np.array_equal(decided[mine], thresholds.predict(logits[mine], fitted))


@given(worlds())
def test_label_order_and_memory_layout_do_not_matter(world: World) -> None:
    logits, true, folds = world
    strided = np.asfortranarray(np.repeat(logits, 2, axis=0))[::2]
    for fit in (thresholds.scut, thresholds.scut_smoothed):
        assert np.array_equal(fit(logits, true, folds), fit(strided, np.asfortranarray(true), folds))
    backwards = thresholds.scut(logits[:, ::-1], true[:, ::-1])
    assert np.array_equal(backwards[::-1], thresholds.scut(logits, true))


def test_quick_enough_for_every_trial() -> None:
    rng = np.random.default_rng(1)
    true = rng.random((2000, 53)) < rng.random(53) ** 3 / 2
    logits, folds = rng.normal(size=true.shape) + 2 * true, rng.integers(5, size=2000)
    for fit in (thresholds.global_threshold, thresholds.scut, thresholds.scut_smoothed):
        spent = []
        for _ in range(5):
            start = time.perf_counter()
            fit(logits, true, folds)
            spent.append(time.perf_counter() - start)
        assert min(spent) < 0.2  # measured: about a tenth of it; room for a busy machine


def test_bad_input_is_said_in_one_line() -> None:
    logits, true = np.zeros((3, 2)), np.ones((3, 2))
    with pytest.raises(EquipoiseError, match="logits hold NaN"):
        thresholds.scut(np.full((3, 2), math.nan), true)
    with pytest.raises(EquipoiseError, match="infinity"):
        thresholds.global_threshold(np.full((3, 2), math.inf), true)
    with pytest.raises(EquipoiseError, match="no rows"):
        thresholds.scut(np.zeros((0, 2)), np.zeros((0, 2)))
    with pytest.raises(EquipoiseError, match="one fold id for each of the 3 rows"):
        thresholds.scut_smoothed(logits, true, [0, 1])
    with pytest.raises(EquipoiseError, match="at least 2 folds"):
        thresholds.cross_fitted(thresholds.scut, logits, true, [1, 1, 1])
    with pytest.raises(EquipoiseError, match="did you mean 'macro'"):
        thresholds.global_threshold(logits, true, average="makro")  # type: ignore[arg-type]
