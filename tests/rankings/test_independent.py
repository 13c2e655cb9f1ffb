"""The published ranking, and the formulas of the report, computed again by other libraries."""

from __future__ import annotations

import ast
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from equipoise.rankings.model import FEWEST_BLOCKS
from equipoise.rankings.ranks import critical_difference, friedman
from equipoise.report.significance import difference, holm_adjusted
from equipoise.worlds import effects

PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "leaderboard-2026-11" / "ranking.csv"


@cache
def ranking(metric: str) -> pd.DataFrame:
    """The published ranking on the backbone with the most data sets, without what cannot differ from another strategy."""
    frame = pd.read_csv(PUBLISHED, keep_default_na=False, na_values=[""])
    frame = frame[(frame["metric"] == metric) & (frame["backbone"] == "linear") & frame["same_as"].isna()]
    return frame.assign(scores=[np.array(ast.literal_eval(text)) for text in frame["scores"]])


@pytest.mark.parametrize("metric", ["map", "tuned_macro_f1"])
def test_average_ranks_and_pairs_of_strategies(metric: str) -> None:
    posthocs = pytest.importorskip("scikit_posthocs")
    frame = ranking(metric)
    scores = np.round(np.stack(list(frame["scores"])), 12)
    strategies, blocks = scores.shape
    assert blocks >= FEWEST_BLOCKS
    average = stats.rankdata(-scores, axis=0).mean(axis=1)
    np.testing.assert_allclose(frame["average_rank"], average)
    chi2 = stats.friedmanchisquare(*scores).statistic
    expected = (blocks - 1) * chi2 / (blocks * (strategies - 1) - chi2)
    assert friedman(scores) == pytest.approx(
        (expected, stats.f.sf(expected, strategies - 1, (strategies - 1) * (blocks - 1)))
    )
    p = posthocs.posthoc_nemenyi_friedman(scores.T).to_numpy()
    apart = np.abs(average[:, None] - average) > critical_difference(strategies, blocks)
    np.testing.assert_array_equal(apart, p < 0.05)


@pytest.mark.parametrize("metric", ["map", "tuned_macro_f1"])
def test_published_p_values_and_probabilities(metric: str) -> None:
    baycomp: Any = pytest.importorskip("baycomp")
    multitest: Any = pytest.importorskip("statsmodels.stats.multitest")
    frame = ranking(metric).set_index("strategy")
    none, others = frame.loc["none", "scores"], frame.drop(index="none")
    adjusted = multitest.multipletests(others["delta_p"], method="holm")[1]
    np.testing.assert_allclose(others["delta_p_holm"], adjusted)
    for _, one in others.iterrows():
        found = baycomp.SignedRankTest.probs(none, one["scores"], 0.01, nsamples=1000)
        # Both draw from the posterior: ours 2000 times.
        np.testing.assert_allclose(
            one[["delta_worse", "delta_equal", "delta_better"]].astype(float), found, atol=0.08
        )


def test_the_corrected_t_test_is_that_of_baycomp() -> None:
    """Corani & Benavoli's correlated t test with ρ = 1/5 is Nadeau & Bengio's correction for five folds."""
    baycomp: Any = pytest.importorskip("baycomp")
    rng = np.random.default_rng(0)
    for gain in (0.0, 0.01, 0.03):
        none = rng.uniform(0.4, 0.6, 5)
        ours = none + gain + rng.normal(0, 0.01, 5)
        found = difference(dict(enumerate(ours)), dict(enumerate(none)))
        mean, variance, df = baycomp.CorrelatedTTest.compute_statistics(none, ours, runs=1)
        assert (found.mean, found.error, found.df) == pytest.approx((mean, math.sqrt(variance), df))
        worse, equal, better = baycomp.two_on_single(none, ours, rope=0.01, runs=1)
        assert found.chances == pytest.approx((better, equal, worse))


def test_holm_is_that_of_statsmodels() -> None:
    multitest: Any = pytest.importorskip("statsmodels.stats.multitest")
    p = {f"s{i}": float(value) for i, value in enumerate(np.random.default_rng(1).beta(0.3, 1, 20))}
    found = holm_adjusted(p | {"unknown": math.nan})
    assert "unknown" not in found
    np.testing.assert_allclose(
        [found[name] for name in p], multitest.multipletests(list(p.values()), method="holm")[1]
    )


def test_robust_errors_are_those_of_statsmodels() -> None:
    api: Any = pytest.importorskip("statsmodels.regression.linear_model")
    rng = np.random.default_rng(2)
    X = np.column_stack([np.ones(30), rng.normal(size=(30, 2))])
    y = X @ [0.1, 0.2, 0.0] + rng.normal(size=30) * np.exp(X[:, 1])
    found = effects.fit(y, {"mean": X[:, 0], "a": X[:, 1], "b": X[:, 2]})
    model = api.OLS(y, X).fit(cov_type="HC3", use_t=True)
    np.testing.assert_allclose(found.covariance, model.cov_params())
    for one, p, (low, high) in zip(found.terms.values(), model.pvalues, model.conf_int(), strict=True):
        assert (one.p, one.low, one.high) == pytest.approx((p, low, high))
