"""Paired differences over splits: the corrected interval, cases that cannot be estimated, and Holm's adjustment."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from equipoise.report.significance import Difference, difference, holm


def test_corrected_interval_is_nadeau_and_bengios() -> None:
    ours, theirs = (
        {i: 0.6 + d for i, d in enumerate((0.02, 0.05, 0.03, 0.01, 0.04))},
        dict.fromkeys(range(5), 0.6),
    )
    found = difference(ours, theirs)
    # By hand: mean .03, s² = .00025, variance of the mean .00025 · (1/5 + 1/4), t(.975, 4) = 2.776445.
    half = 2.776445 * math.sqrt(0.00025 * 0.45)
    assert found.mean == pytest.approx(0.03)
    assert (found.low, found.high) == pytest.approx((0.03 - half, 0.03 + half), abs=1e-7)
    plain = stats.ttest_rel(list(ours.values()), list(theirs.values()))
    assert found.p > plain.pvalue  # the plain test is too sure
    assert difference(ours, theirs, ratio=0.0).p == pytest.approx(plain.pvalue)


@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=12))
def test_a_difference_turns_round_with_its_sides(deltas: list[float]) -> None:
    ours, theirs = dict(enumerate(deltas)), dict.fromkeys(range(len(deltas)), 0.0)
    there, back = difference(ours, theirs), difference(theirs, ours)
    assert there.mean == pytest.approx(-back.mean)
    assert np.isclose(there.low, -back.high, equal_nan=True)
    assert np.isclose(there.p, back.p, equal_nan=True)
    assert math.isnan(there.low) or there.low <= there.mean <= there.high


def test_no_interval_where_none_can_be_estimated() -> None:
    one = difference({0: 0.7}, {0: 0.6})
    assert one.mean == pytest.approx(0.1)
    assert math.isnan(one.low)
    assert not one.significant
    alike = difference({0: 0.75, 1: 0.5}, {0: 0.5, 1: 0.25})  # equal differences: no variance to speak of
    assert math.isnan(alike.low)
    assert not alike.significant
    assert math.isnan(difference({}, {0: 0.5}).mean)
    same = difference({0: 0.5, 1: 0.6}, {0: 0.5, 1: 0.6})
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_undefined_splits_are_left_out_of_the_pairs() -> None:
    found = difference({0: 0.6, 1: math.nan, 2: 0.7, 3: 0.9}, {0: 0.5, 1: 0.5, 2: 0.5})
    assert found.pairs == 2
    assert found.mean == pytest.approx(0.15)


def test_holm_is_the_step_down_procedure() -> None:
    family = {name: Difference(0.1, p=p) for name, p in zip("abcd", (0.01, 0.04, 0.03, 0.005), strict=True)}
    family["e"] = Difference(0.1)  # without a p-value: not in the family
    adjusted = {name: found.p_holm for name, found in holm(family).items()}
    assert {name: adjusted[name] for name in "dacb"} == pytest.approx(
        {"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06}
    )
    assert math.isnan(adjusted["e"])
