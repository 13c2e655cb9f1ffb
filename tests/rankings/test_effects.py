"""The mean difference from `none` over data sets: a published meta-analysis, properties, and its error rate."""

from __future__ import annotations

import importlib
import math
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from equipoise.core.errors import EquipoiseError
from equipoise.rankings import effects
from equipoise.rankings.model import Effect

pytest.importorskip("statsmodels")
pytest.importorskip("baycomp")

DOCS = Path(__file__).parents[2] / "docs"
#: Thirteen trials of the BCG vaccine (Colditz et al. 1994): cases and others, vaccinated, then not.
BCG = np.array(
    [
        (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
        (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232),
        (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
    ],
    dtype=np.float64,
)  # fmt: skip


def test_random_effects_as_published() -> None:
    """Log relative risks by Paule and Mandel: τ² = .3181 and mean −.7150, as the R package metafor prints for these trials."""
    a, b, c, d = BCG.T
    y = np.log(a / (a + b) / (c / (c + d)))
    v = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    mean, error, tau2 = effects.random_effects(y, v)
    assert mean == pytest.approx(-0.7150, abs=0.0002)
    assert tau2 == pytest.approx(0.3181, abs=0.0005)
    weights = 1 / (v + tau2)
    plain = math.sqrt(1 / weights.sum())
    factor = math.sqrt((weights * (y - mean) ** 2).sum() / 12)
    assert error == pytest.approx(plain * max(1.0, factor), rel=1e-3)


def test_equal_variances_give_the_t_test_of_one_sample() -> None:
    d = np.array([0.03, -0.01, 0.05, 0.02, 0.04, 0.01])
    found = effects.effect(d, np.full(6, 1e-9))
    t = stats.ttest_1samp(d, 0)
    assert found.mean == pytest.approx(d.mean())
    assert found.p == pytest.approx(t.pvalue, rel=1e-3)
    low, high = t.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-5)


def test_less_than_expected_scatter_does_not_narrow_the_interval() -> None:
    """Six equal differences, each uncertain by .01: the mean is uncertain by .01 / √6, whatever their scatter."""
    found = effects.effect(np.full(6, 0.02), np.full(6, 0.01**2))
    half = stats.t.ppf(0.975, 5) * 0.01 / math.sqrt(6)
    assert (found.low, found.high) == pytest.approx((0.02 - half, 0.02 + half))
    assert found.tau2 == 0


def test_no_difference_at_all_is_no_claim() -> None:
    found = effects.effect(np.zeros(6), np.full(6, np.nan))
    assert (found.mean, found.low, found.high, found.p, found.equal) == (0, 0, 0, 1, 1)


def test_four_data_sets_give_a_mean_alone() -> None:
    found = effects.effect(np.array([0.01, 0.02, 0.03, 0.04]), np.full(4, 1e-4))
    assert found.mean == pytest.approx(0.025)
    assert math.isnan(found.low)
    assert math.isnan(found.better)
    assert not found.significant


def test_probabilities_follow_the_differences() -> None:
    d = np.array([0.03, 0.05, 0.04, 0.02, 0.06, 0.03])
    worse, equal, better = effects.signed_rank(d)
    assert better > 0.95
    assert worse + equal + better == pytest.approx(1)
    assert effects.signed_rank(d[::-1]) == (worse, equal, better)
    assert effects.signed_rank(-d)[0] > 0.95
    assert effects.signed_rank(np.full(8, 0.004))[1] > 0.95


def test_probabilities_agree_with_a_direct_computation() -> None:
    """Dirichlet weights on the differences and one pseudo-difference of 0; Walsh averages beyond the region are counted."""
    d = np.sort(np.array([0.03, -0.0215, 0.0125, 0.021, 0.009]))
    z = np.append(0.0, d)
    walsh = (z[:, None] + z[None, :]) / 2
    weights = np.random.default_rng(5).dirichlet([0.5, 1, 1, 1, 1, 1], 20000)
    above = np.einsum("ri,ij,rj->r", weights, walsh > 0.01, weights)
    below = np.einsum("ri,ij,rj->r", weights, walsh < -0.01, weights)
    winner = np.argmax(np.stack([below, 1 - above - below, above]), axis=0)
    expected = np.bincount(winner, minlength=3) / len(winner)
    np.testing.assert_allclose(effects.signed_rank(d), expected, atol=0.025)


def test_holm_adjusts_and_passes_over_what_has_no_p() -> None:
    family = {"a": Effect(0.1, p=0.01), "b": Effect(0.1, p=0.04), "c": Effect(0.1, p=0.03), "d": Effect(0.1)}
    adjusted = {name: one.p_holm for name, one in effects.holm(family).items()}
    assert [adjusted[name] for name in "abc"] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(adjusted["d"])


def test_equal_strategies_are_seldom_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four strategies equal to `none` on average, on eight data sets: a false claim in at most 5 % of reports (SE 1 %)."""
    monkeypatch.setattr(effects, "signed_rank", lambda _: (0.0, 1.0, 0.0))
    reports = runpy.run_path(str(DOCS / "make_across.py"))["reports"]
    found = np.array(list(reports(8, 5, 0.010, 400, seed=3)), dtype=float)
    claims, covered, _, told = found.mean(axis=0)
    assert claims <= 0.075
    assert told <= 0.075
    assert 0.93 <= covered <= 0.98


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(
        EquipoiseError,
        match=r"^comparing data sets needs statsmodels: pip install 'equipoise\[statistics\]'$",
    ):
        effects.effect(np.arange(6.0), np.ones(6))
