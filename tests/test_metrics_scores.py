"""Metrics of scores equal scikit-learn's where both are defined, ties and degenerate data included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit
from sklearn import metrics as sklearn_metrics

from equipoise import metrics
from equipoise.core import arrays
from equipoise.core.errors import EquipoiseError

World = tuple[np.ndarray, np.ndarray]


@st.composite
def worlds(draw: st.DrawFn, rows: int = 15, labels: int = 6) -> World:
    shape = (draw(st.integers(1, rows)), draw(st.integers(1, labels)))
    true = draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))
    ties = st.integers(-2, 2).map(float)  # few values: many ties
    spread = st.floats(-30, 30, width=32)
    kind = draw(st.sampled_from([np.float32, np.float64]))
    return true, draw(hnp.arrays(kind, shape, elements=draw(st.sampled_from([ties, spread]))))


@given(worlds())
def test_average_precision_as_scikit_learn(world: World) -> None:
    true, scores = world
    scored = true.any(axis=0)
    theirs = [
        sklearn_metrics.average_precision_score(true[:, j], scores[:, j]) for j in np.flatnonzero(scored)
    ]
    assert metrics.average_precision_per_label(true, scores)[scored] == pytest.approx(theirs)
    tested = [theirs[i] for i, j in enumerate(np.flatnonzero(scored)) if not true[:, j].all()]
    expected = np.mean(tested) if tested else math.nan
    assert metrics.mean_average_precision(true, scores) == pytest.approx(expected, nan_ok=True)


@given(worlds())
def test_auroc_as_scikit_learn(world: World) -> None:
    true, scores = world
    both = true.any(axis=0) & ~true.all(axis=0)
    theirs = [sklearn_metrics.roc_auc_score(true[:, j], scores[:, j]) for j in np.flatnonzero(both)]
    expected = np.mean(theirs) if theirs else math.nan
    assert metrics.auroc(true, scores) == pytest.approx(expected, nan_ok=True)
    assert np.isnan(metrics.auroc_per_label(true, scores)).tolist() == (~both).tolist()


@given(worlds())
def test_metrics_of_rows_as_scikit_learn(world: World) -> None:
    true, scores = world
    some, both = true.any(axis=1), true.any(axis=1) & ~true.all(axis=1)
    for ours, theirs, rows in (
        (metrics.lrap, sklearn_metrics.label_ranking_average_precision_score, some),
        (metrics.coverage, sklearn_metrics.coverage_error, some),
        (metrics.ranking_loss, sklearn_metrics.label_ranking_loss, both),
    ):
        if rows.any() and true.shape[1] > 1:  # scikit-learn refuses one column
            assert ours(true, scores) == pytest.approx(theirs(true[rows], scores[rows]))
        elif not rows.any():
            assert math.isnan(ours(true, scores))


@given(worlds())
def test_brier_as_scikit_learn(world: World) -> None:
    true, scores = world
    p = expit(scores.astype(float))
    theirs = sklearn_metrics.brier_score_loss(true.ravel(), p.ravel(), pos_label=1)
    assert metrics.brier(true, p) == pytest.approx(theirs)


@given(worlds())
def test_only_the_order_counts_and_chunks_change_nothing(world: World) -> None:
    true, scores = world
    kept = arrays.CHUNK_CELLS
    whole = metrics.score_metrics(true, scores, true)
    try:
        arrays.CHUNK_CELLS = 8
        assert metrics.score_metrics(true, scores, true) == pytest.approx(whole, nan_ok=True)
    finally:
        arrays.CHUNK_CELLS = kept
    shifted = metrics.score_metrics(true, scores.astype(float) * 0.25, true)
    for name in ("map", "auroc", "lrap", "ranking_loss", "coverage"):
        assert shifted[name] == pytest.approx(whole[name], nan_ok=True)


def test_by_hand() -> None:
    true = np.array([[1, 0, 1], [0, 1, 0]])
    scores = np.array([[3.0, 2.0, 1.0], [1.0, 1.0, 0.0]])
    assert metrics.lrap(true, scores) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert metrics.coverage(true, scores) == pytest.approx((3 + 2) / 2)
    assert metrics.ranking_loss(true, scores) == pytest.approx((1 / 2 + 1 / 2) / 2)  # the tie counts as wrong
    assert metrics.auroc(true, scores) == pytest.approx((1 + 0 + 1) / 3)
    assert metrics.mean_average_precision(true, scores) == pytest.approx((1 + 1 / 2 + 1) / 3)


def test_calibration_by_hand() -> None:
    true = np.array([[1, 0], [1, 0]])
    p = np.array([[0.9, 0.9], [0.3, 0.1]])
    assert metrics.ece(true, p, bins=2) == pytest.approx((2 * abs(0.5 - 0.9) + 2 * abs(0.5 - 0.2)) / 4)
    assert metrics.ece(true, p, bins=1) == pytest.approx(abs(0.5 - 0.55))
    assert metrics.ece(true, true.astype(float)) == 0.0  # 1 belongs to the last bin, 0 to the first
    assert metrics.ece(true, 0.5 + 0 * p) == 0.0  # believed half the time, and right
    assert metrics.ece(true, 1.0 - true) == 1.0
    assert metrics.brier(true, p) == pytest.approx((0.01 + 0.81 + 0.49 + 0.01) / 4)


def test_degenerate_worlds() -> None:
    scores = np.array([[1.0, -1.0]])
    one_row = metrics.score_metrics(np.array([[1, 0]]), scores, np.ones((1, 2)))
    assert (one_row["lrap"], one_row["ranking_loss"], one_row["coverage"]) == (1, 0, 1)
    assert math.isnan(one_row["map"])  # the first label is in every row, the second in none
    assert math.isnan(one_row["auroc"])  # neither label has both a positive and a negative
    empty = metrics.score_metrics(np.zeros((3, 2)), np.zeros((3, 2)), np.ones((1, 2)))
    undefined = {name for name, value in empty.items() if math.isnan(value)}
    assert undefined == {"map", "auroc", "lrap", "ranking_loss", "coverage"}
    full = metrics.score_metrics(np.ones((3, 2)), np.zeros((3, 2)), np.ones((1, 2)))
    assert (full["lrap"], full["coverage"], full["brier"]) == (1, 2, 0.25)
    assert {name for name, value in full.items() if math.isnan(value)} == {"map", "auroc", "ranking_loss"}
    no_rows = metrics.score_metrics(np.zeros((0, 2)), np.zeros((0, 2)), np.ones((1, 2)))
    assert all(math.isnan(value) for value in no_rows.values())


def test_extreme_logits_stay_finite() -> None:
    scores = np.array([[np.inf, -np.inf, 800.0], [-800.0, 1e30, -np.inf]], dtype=np.float64)
    found = metrics.score_metrics(np.array([[1, 0, 1], [0, 1, 0]]), scores, np.ones((1, 3)))
    assert found["map"] == found["lrap"] == 1.0
    assert found["brier"] == found["ece"] == 0.0


def test_bad_scores_are_said_in_one_line() -> None:
    true = np.ones((2, 2))
    with pytest.raises(EquipoiseError, match="scores hold NaN"):
        metrics.lrap(true, np.full((2, 2), np.nan))
    with pytest.raises(EquipoiseError, match=r"scores has shape \(2, 3\)"):
        metrics.mean_average_precision(true, np.ones((2, 3)))
    with pytest.raises(EquipoiseError, match=r"must lie in \[0, 1\]"):
        metrics.brier(true, np.full((2, 2), 3.0))
