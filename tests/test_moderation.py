"""Moderated variances: golden numbers, limits, and how often the procedure is wrong on simulated tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize, special, stats

from equipoise.report.moderation import (
    Prior,
    fit_prior,
    inverse_trigamma,
    moderated,
    pooled_df,
    posterior,
    squared_correlation,
)
from equipoise.report.significance import EQUAL, Difference, difference, holm
from equipoise.report.units import OTHER, SAME, excess, mean_correlation

Family = dict[str, np.ndarray]


def named(deltas: np.ndarray) -> Family:
    return {f"s{i}": row for i, row in enumerate(deltas)}


# --- golden numbers
def test_the_prior_by_hand() -> None:
    """Variances 1, 2, 4, 8 with 4 degrees of freedom, from the formulas of Smyth (2004), section 6.2."""
    found = fit_prior(np.array([1.0, 2.0, 4.0, 8.0]), np.full(4, 4.0))
    # var(log s²) = log(2)²·5/3 = .800755, and ψ'(2) = π²/6 − 1 = .644934.
    surplus = math.log(2) ** 2 * 5 / 3 - (math.pi**2 / 6 - 1)
    half = optimize.brentq(lambda x: special.polygamma(1, x) - surplus, 1, 100)
    centre = 1.5 * math.log(2) - (1 - np.euler_gamma) + math.log(2)
    assert found.df == pytest.approx(2 * half)
    assert found.df == pytest.approx(13.80, abs=0.02)
    assert found.variance == pytest.approx(math.exp(centre) * math.exp(special.digamma(half)) / half)
    assert found.variance == pytest.approx(3.44, abs=0.005)
    assert posterior(found, 1.0, 4.0) == pytest.approx((found.df * found.variance + 4) / (found.df + 4))


def test_noise_that_all_share_makes_variances_look_alike() -> None:
    """With a squared correlation of one half, sampling explains half as much spread, so that the prior counts for less."""
    variances, dfs = np.array([1.0, 2.0, 4.0, 8.0]), np.full(4, 4.0)
    assert fit_prior(variances, dfs, 0.5).df < fit_prior(variances, dfs).df
    assert pooled_df(dfs, 0.0) == 16  # four independent strategies
    assert pooled_df(dfs, 1.0) == 4  # one, four times
    assert pooled_df(dfs, 0.25) == pytest.approx(16 / 1.75)


@pytest.mark.parametrize("value", [1e-3, 0.1, 0.644934, 1.644934, 30.0, 1e4])
def test_inverse_trigamma(value: float) -> None:
    assert float(special.polygamma(1, inverse_trigamma(value))) == pytest.approx(value, rel=1e-8)
    assert inverse_trigamma(math.pi**2 / 6) == pytest.approx(1)


def test_chances_and_what_could_be_detected_by_hand() -> None:
    found = Difference(0.02, error=0.01, df=4.0, pairs=5)
    assert found.chances is not None
    # P(t₄ < 1) = .8130 and P(t₄ < −3) = .0200, from a table of Student's t.
    assert found.chances.better == pytest.approx(0.8130, abs=1e-4)
    assert found.chances.worse == pytest.approx(0.0200, abs=1e-4)
    assert sum(found.chances) == pytest.approx(1)
    # Beyond t₄(.975) = 2.776445, or with five comparisons t₄(.995) = 4.604095, lie 80 % of the noncentral t distribution.
    for size, critical in ((found.detectable(), 2.776445), (found.detectable(5), 4.604095)):
        assert stats.nct.sf(critical, 4, size / 0.01) == pytest.approx(0.8, abs=1e-5)
    assert Difference(0.02).chances is None
    assert math.isnan(Difference(0.02).detectable())


def test_chances_of_a_large_sample_are_normal() -> None:
    found = Difference(0.0, error=EQUAL, df=math.inf, pairs=5)
    assert found.chances == pytest.approx((0.158655, 0.682689, 0.158655), abs=1e-6)


# --- limits
def test_one_or_two_strategies_are_not_moderated() -> None:
    deltas = np.array([[0.02, 0.05, 0.03, 0.01, 0.04], [0.0, 0.01, -0.02, 0.03, 0.01]])
    for count in (1, 2):
        for name, found in moderated(named(deltas[:count]), 0.0).items():
            values = deltas[int(name[1])]
            assert found == difference(dict(enumerate(values)), dict.fromkeys(range(5), 0.0), ratio=0.0)
            assert found.p == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)


def test_equal_variances_give_an_infinite_prior() -> None:
    prior = fit_prior(np.full(6, 2.0), np.full(6, 4.0))
    assert math.isinf(prior.df)
    # log s² is below log σ² on average, by log(d/2) − ψ(d/2) = .2704.
    assert prior.variance == pytest.approx(2 * math.exp(math.log(2) - (1 - np.euler_gamma)))
    assert posterior(prior, 99.0, 4.0) == prior.variance


def test_very_unequal_variances_are_hardly_moderated() -> None:
    prior = fit_prior(np.geomspace(1e-8, 1e8, 8), np.full(8, 4.0))
    assert prior.df < 0.5
    assert posterior(Prior(math.nan, 0.0), 3.0, 4.0) == 3.0


def test_copies_of_one_strategy_say_no_more_than_one() -> None:
    row = np.array([0.02, 0.05, 0.03, 0.01, 0.04])
    found = moderated(named(np.stack([row] * 6)), 0.0)["s0"]
    assert found.df == pytest.approx(4)


def test_undefined_splits_leave_no_correlation_to_trust() -> None:
    rng = np.random.default_rng(0)
    deltas = {"a": rng.normal(size=5), "b": rng.normal(size=4), "c": rng.normal(size=5)}
    assert squared_correlation(list(deltas.values())) == 1.0
    assert all(found.df <= 14 / 3 + 1e-9 for found in moderated(deltas, 0.0).values())


def test_what_has_no_variance_lends_none() -> None:
    rng = np.random.default_rng(1)
    three = named(rng.normal(size=(3, 5)))
    same, constant = np.zeros(5), np.full(5, 0.25)
    found = moderated(three | {"same": same, "constant": constant}, 0.0)
    assert {name: found[name] for name in three} == moderated(three, 0.0)
    assert found["same"].identical
    assert math.isnan(found["constant"].p)


@pytest.mark.parametrize("splits", [1, 2])
def test_no_interval_below_three_splits(splits: int) -> None:
    rng = np.random.default_rng(2)
    for found in moderated(named(rng.normal(size=(6, splits))), 0.0).values():
        assert math.isnan(found.low)
        assert math.isnan(found.p)
        assert not holm({"a": found})["a"].significant
        assert found.pairs == splits


# --- correlated splits
def test_the_mean_correlation_counts_pairs_of_splits() -> None:
    one, two = [(0, split) for split in range(5)], [(0, split) for split in range(10)]
    assert mean_correlation(one) == pytest.approx(SAME)
    # Of 90 ordered pairs of ten splits, 40 lie in one repetition.
    assert mean_correlation(two) == pytest.approx((40 * SAME + 50 * OTHER) / 90)
    # Another seed deals the rows anew, like another repetition.
    assert mean_correlation([(0, 0), (1, 0)]) == pytest.approx(OTHER)
    assert mean_correlation([(0, 0)]) == mean_correlation([(0, "official"), (1, "official")]) == 0
    rho = mean_correlation(two)
    assert excess(two) == pytest.approx(rho / (1 - rho))


# --- properties
tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.integers(3, 10)),
    elements=st.floats(-0.5, 0.5).map(lambda x: round(x, 4)),
)


@settings(max_examples=60)
@given(tables, st.floats(0, 0.5))
def test_signs_scales_and_order_do_not_matter(deltas: np.ndarray, more: float) -> None:
    found = moderated(named(deltas), more)
    turned, doubled = moderated(named(-deltas), more), moderated(named(2 * deltas), more)
    for name, one in found.items():
        assert (one.mean, one.low) == pytest.approx((-turned[name].mean, -turned[name].high), nan_ok=True)
        assert (2 * one.low, one.p) == pytest.approx(
            (doubled[name].low, doubled[name].p), nan_ok=True, abs=1e-9
        )
        assert one.chances is None or sum(one.chances) == pytest.approx(1)
    back = moderated(dict(reversed(named(deltas).items())), more)
    assert all(back[name].p == pytest.approx(one.p, nan_ok=True, abs=1e-9) for name, one in found.items())


@settings(max_examples=60)
@given(tables)
def test_a_variance_is_never_moderated_downwards(deltas: np.ndarray) -> None:
    alone = {name: moderated({name: row}, 0.0)[name] for name, row in named(deltas).items()}
    for name, one in moderated(named(deltas), 0.0).items():
        if math.isfinite(one.error):
            assert one.error >= alone[name].error * (1 - 1e-12)
            assert one.df >= alone[name].df


# --- how often it is wrong
def simulated(rng: np.random.Generator, strategies: int, splits: int, spread: float) -> np.ndarray:
    """Differences without any effect: each strategy's noise, its size lognormal, minus the noise of one baseline."""
    sizes = np.exp(rng.normal(0, spread, strategies))[:, None]
    return sizes * (rng.normal(size=(strategies, splits)) - rng.normal(size=splits))


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("strategies", "splits"), [(3, 5), (8, 3), (8, 5), (15, 5), (8, 10)])
def test_false_claims_and_coverage(strategies: int, splits: int, spread: float) -> None:
    rng, tables_, false, covered = np.random.default_rng([strategies, splits]), 400, 0, 0.0
    for _ in range(tables_):
        found = moderated(named(simulated(rng, strategies, splits, spread)), 0.0)
        false += any(one.significant for one in holm(found).values())
        covered += float(np.mean([one.low <= 0 <= one.high for one in found.values()])) / tables_
    # 5 % of 400, and three standard errors of a binomial count.
    assert false <= 0.05 * tables_ + 3 * math.sqrt(tables_ * 0.05 * 0.95)
    assert covered >= 0.93


def test_it_finds_more_than_a_plain_t_test() -> None:
    rng, found, plain = np.random.default_rng(5), 0, 0
    for _ in range(200):
        deltas = simulated(rng, 8, 4, 0.2)
        deltas[0] += 2.5
        family = named(deltas)
        found += holm(moderated(family, 0.0))["s0"].significant
        alone = {name: moderated({name: row}, 0.0)[name] for name, row in family.items()}
        plain += holm(alone)["s0"].significant
    assert found > 1.3 * plain
