"""What holds for random resampling on any labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise import Context, Rows, get_strategy

from .shared.label_matrices import matrices, resampled

RANDOM = ("ml_ros", "ml_rus", "lp_ros", "lp_rus")


# --- what holds for all of them
@pytest.mark.parametrize("name", [*RANDOM, "remedial", "remedial+ml_ros"])
@given(Y=matrices(), seed=st.integers(0, 3))
def test_any_labels(name: str, Y: np.ndarray, seed: int) -> None:
    before, world = Y.copy(), Rows(np.arange(len(Y)), Y)
    parts = get_strategy(name).parts

    def run() -> Rows:
        rows = world
        for part in parts:
            rows = part.resample(rows, Context(Y.sum(0), len(Y), rng=np.random.default_rng(seed)))
        return rows

    out, again = run(), run()
    assert np.array_equal(Y, before)
    assert np.array_equal(world.index, np.arange(len(Y)))
    assert out.Y.dtype == np.uint8
    assert out.Y.shape == (len(out.index), Y.shape[1])
    assert len(out) >= 1
    assert (out.Y <= 1).all()
    assert np.array_equal(out.Y, again.Y)
    assert np.array_equal(out.index, again.index)
    assert (Y[out.index] >= out.Y).all()  # nobody gains a label
    assert ((out.Y.sum(0) > 0) == (Y.sum(0) > 0)).all() or "rus" in name


@pytest.mark.parametrize("name", ["lp_ros", "lp_rus", "remedial"])
@given(Y=matrices(), seed=st.integers(0, 9))
def test_the_order_of_labels_does_not_matter_where_the_rule_does_not_ask(
    name: str, Y: np.ndarray, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(Y.shape[1])
    plain, turned = resampled(name, Y), resampled(name, np.ascontiguousarray(Y[:, order]))
    if name == "remedial":
        assert np.array_equal(turned.index, plain.index)
        assert np.array_equal(turned.Y, plain.Y[:, order])
    else:  # which rows of a labelset is chance, how many of each labelset is not
        one, two = (np.unique(Y_, axis=0, return_counts=True) for Y_ in (plain.Y[:, order], turned.Y))
        assert np.array_equal(one[0], two[0])
        assert np.array_equal(one[1], two[1])


@pytest.mark.parametrize("name", RANDOM)
@given(Y=matrices())
def test_off_is_nothing(name: str, Y: np.ndarray) -> None:
    out = resampled(f"{name}[p=0.0]", Y)
    assert np.array_equal(out.index, np.arange(len(Y)))
    assert np.array_equal(out.Y, Y)


def test_remedial_after_synthesis_keeps_labels_with_their_features() -> None:
    rng = np.random.default_rng(0)
    Y = (rng.random((80, 5)) < [0.8, 0.5, 0.3, 0.1, 0.05]).astype(np.uint8)
    X = np.hstack([Y, np.arange(80)[:, None]]).astype(np.float32)
    rows = Rows(np.arange(80), Y, X).add(np.hstack([Y[:9], -np.ones((9, 1))]), Y[:9])
    out = get_strategy("remedial").resample(rows, Context(Y.sum(0), 80))
    held = out.X[:, :5].astype(np.uint8)  # what each row held before it was split
    assert len(out) > len(rows)
    assert out.n_synthetic > 9
    assert (held >= out.Y).all()
    assert np.array_equal(out.Y.sum(0), rows.Y.sum(0))
