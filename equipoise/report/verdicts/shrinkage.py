"""Probabilities of a gain that allow for the best strategy being picked because it looks best.

Under a flat prior the largest of m noisy differences is taken at its face value. Empirical Bayes (Morris 1983, DOI
10.1080/01621459.1983.10477920) takes the true differences y of one table and metric for draws from N(0, τ²), estimates τ² from
all of them, and shrinks each towards 0, the more the noisier it is:

    y | data ~ N( ȳ·τ²/(τ² + v), τ²·v/(τ² + v) ),        Σ ȳ²/(v + τ²) = m,        v = error²·df/(df − 2)
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from equipoise.core.arrays import Floats
from equipoise.report.significance import EQUAL, Chances, Difference, t_cdf

#: The least τ, in units of the metric: with τ = 0 no strategy could ever be said to gain anything.
LEAST_SPREAD = 0.005
#: Metrics lie in [0, 1], so that no spread of differences is larger.
MOST_SPREAD = 1.0


def shrunk(family: Mapping[str, Difference]) -> dict[str, Chances]:
    """Strategy → the probabilities that its true difference is above +EQUAL, within ±EQUAL, and below −EQUAL.

    `family` holds all strategies of a table that differ from the baseline in one metric; those without a standard error are
    missing from the result.
    """
    known = {name: delta for name, delta in family.items() if delta.error > 0}
    means = np.array([delta.mean for delta in known.values()], dtype=np.float64)
    variances = np.array([_variance(delta) for delta in known.values()], dtype=np.float64)
    prior = prior_variance(means, variances)
    kept = prior / (prior + variances)
    centres, spreads = means * kept, np.sqrt(variances * kept)
    return {
        name: _chances(float(centre), float(spread))
        for name, centre, spread in zip(known, centres, spreads, strict=True)
    }


def best_of(family: Mapping[str, Difference], strategy: str) -> float:
    """The probability that a strategy gains more than EQUAL, where it was picked from several; NaN otherwise, or if unknown."""
    found = shrunk(family).get(strategy) if len(family) > 1 else None
    return math.nan if found is None else found.better


def prior_variance(means: Floats, variances: Floats) -> float:
    """τ² from the means of m differences and their error variances, both (m,): the root of Σ ȳ²/(v + τ²) = m, or the floor."""
    low, high = LEAST_SPREAD**2, MOST_SPREAD**2

    def excess(tau2: float) -> float:
        return float((means**2 / (variances + tau2)).sum()) - len(means)

    if excess(low) <= 0:
        return low
    # The sum falls with τ², so that bisection finds its one root.
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return math.sqrt(low * high)


def _variance(delta: Difference) -> float:
    """The variance of the t distribution of a difference, at most that of three degrees of freedom.

    With two or fewer it has none, and with 2.1 it would be 21 times error²: more than anyone believes who knows error².
    """
    if math.isinf(delta.df):
        return delta.error**2
    return delta.error**2 * (delta.df / (delta.df - 2) if delta.df > 3 else 3.0)


def _chances(centre: float, spread: float) -> Chances:
    better = t_cdf((centre - EQUAL) / spread, math.inf)
    worse = t_cdf((-EQUAL - centre) / spread, math.inf)
    return Chances(better, max(0.0, 1.0 - better - worse), worse)
