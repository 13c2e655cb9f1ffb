"""Moderated variances: strategies of one table lend each other what their few splits say about the noise.

The variance of a strategy's differences, estimated on five splits, is poor, and the star goes to whoever has it too small by
chance. Smyth (2004, DOI 10.2202/1544-6115.1027) assumes that the variances σ² of one table come from one distribution,
s0²·d0/χ²(d0), estimates s0² and d0 from all of them, and replaces a strategy's s² (d degrees of freedom) by

    s̃² = (d0·s0² + d·s²) / (d0 + d)        with d0 + d degrees of freedom.

He has thousands of independent genes; a table has a dozen strategies that share the noise of one baseline, so that their
variances look more alike than they are. Unchanged, the procedure was seen to claim too much (docs/statistics.md). Three things
differ. With r² the mean squared correlation of the strategies' differences, sampling explains only (1 − r²) of the spread of
log s² that it would explain among independent strategies; the degrees of freedom are at most those of the mean of correlated
variances, see `pooled_df`; and a variance is never moderated downwards: the larger of s² and s̃² is used, because a strategy may
well vary more than the others, and d0 rests on few of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from equipoise.core.arrays import Floats
from equipoise.report.significance import Difference, plain, with_variance

#: With fewer strategies there is nothing to learn about the distribution of their variances.
MIN_STRATEGIES = 3


class Prior(NamedTuple):
    """The distribution of the variances: `variance` s0² counts as much as `df` d0 observed degrees of freedom."""

    variance: float
    df: float


def moderated(deltas: Mapping[str, Floats], excess: float) -> dict[str, Difference]:
    """Strategy → its difference, with the variances of all strategies moderated by each other.

    Args:
        deltas: the differences to the baseline over splits, of each strategy, without undefined ones.
        excess: ρ/(1 − ρ), see `equipoise.report.units`.
    """
    found = {name: plain(values) for name, values in deltas.items()}
    varied = {name: deltas[name] for name, difference in found.items() if difference is None}
    variances = np.array([values.var(ddof=1) for values in varied.values()])
    dfs = np.array([len(values) - 1.0 for values in varied.values()])
    shared = squared_correlation(list(varied.values()))
    prior = fit_prior(variances, dfs, shared)
    most = pooled_df(dfs, shared)
    for (name, values), variance, df in zip(varied.items(), variances, dfs, strict=True):
        # Never fewer degrees of freedom than the strategy's own splits give.
        total = max(df, min(prior.df + df, most))
        larger = max(float(variance), posterior(prior, float(variance), float(df)))
        found[name] = with_variance(values, larger, total, excess)
    return {name: difference for name, difference in found.items() if difference is not None}


def fit_prior(variances: Floats, dfs: Floats, shared: float = 0.0) -> Prior:
    """Estimate s0² and d0 from sample variances and their degrees of freedom, both (m,); d0 = 0 for fewer than three.

    By the moments of log s² (Smyth 2004, section 6.2): ψ'(d0/2) is what their variance has more than sampling explains.
    `shared` is the mean squared correlation r² of the differences; 0 gives Smyth's estimate.
    """
    if len(variances) < MIN_STRATEGIES:
        return Prior(math.nan, 0.0)
    from scipy import special

    logs = np.log(variances) - special.digamma(dfs / 2) + np.log(dfs / 2)
    centre = float(logs.mean())
    # The noise that all variances share moves them together, and does not spread them.
    surplus = float(logs.var(ddof=1)) - (1 - shared) * float(special.polygamma(1, dfs / 2).mean())
    # Less spread than chance alone makes: all strategies have the same noise, as far as one can see.
    if surplus <= 0:
        return Prior(math.exp(centre), math.inf)
    half = inverse_trigamma(surplus)
    return Prior(math.exp(centre + float(special.digamma(half)) - math.log(half)), 2 * half)


def posterior(prior: Prior, variance: float, df: float) -> float:
    """The moderated variance s̃²."""
    if prior.df == 0:
        return variance
    if math.isinf(prior.df):
        return prior.variance
    return (prior.df * prior.variance + df * variance) / (prior.df + df)


def squared_correlation(deltas: Sequence[Floats]) -> float:
    """The mean squared correlation of pairs of strategies; 1 where splits that are undefined for some leave no pairs to align."""
    if len(deltas) < MIN_STRATEGIES or len({len(values) for values in deltas}) > 1:
        return 1.0
    squared = np.corrcoef(np.stack(deltas)) ** 2
    m = len(deltas)
    return min(1.0, float((squared.sum() - m) / (m * (m - 1))))


def pooled_df(dfs: Floats, shared: float) -> float:
    """Degrees of freedom of the mean of m variances whose differences have the mean squared correlation r² (`shared`).

    The covariance of two sample variances is 2·r²σ⁴/d; so the mean of m of them has m·d / (1 + (m − 1)·r²) degrees of freedom:
    m·d for independent strategies, and d for equal ones.
    """
    return float(dfs.sum()) / (1 + (len(dfs) - 1) * shared) if len(dfs) else 0.0


def inverse_trigamma(value: float) -> float:
    """The x > 0 with trigamma(x) = value, by Newton's method on 1/trigamma (Smyth 2004, appendix)."""
    from scipy import special

    x = 0.5 + 1 / value
    for _ in range(100):
        trigamma = float(special.polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, x))
        x += step
        if -step / x < 1e-10:
            break
    return x
