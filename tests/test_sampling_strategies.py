"""Sampling strategies: with which probability each row is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.strategy import Context
from equipoise.engine.sampler import BatchSampler

from .shared.calibrated import world


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
