"""Paired differences over splits: intervals, p-values, chances, Holm's adjustment, and what could have been detected.

Splits of one data set share training rows, and repetitions of the cross-validation share test rows, so that their differences
may be correlated, and the plain t interval is too narrow. With a mean correlation ρ of k splits, the variance of their mean is
s²·(1/k + ρ/(1 − ρ)), where s² is the variance over the splits. Nadeau & Bengio (2003, DOI 10.1023/A:1024068626366) assume
ρ = n_test/(n_test + n_train), that is ρ/(1 − ρ) = n_test/n_train; `equipoise.report.units` has what was measured here.
Comparing several strategies with one baseline gives several chances of a false positive: Holm (1979,
https://www.jstor.org/stable/4615733) adjusts the p-values. docs/statistics.md says how often the procedure is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np

from equipoise.core.arrays import Floats

TEST_TRAIN_RATIO = 0.25  # 5-fold splits: one fifth of the rows is tested, four fifths are trained on
LEVEL = 0.95
POWER = 0.8
#: Below this number of splits there is no interval and no star: a variance of two numbers says next to nothing.
MIN_PAIRS = 3
#: Below this number of splits nothing is claimed in words.
FEW = 5
#: Differences within ± this are practically equal (of F1 and mAP).
EQUAL = 0.01
#: Differences are rounded to this many digits.
DIGITS = 12
Split = TypeVar("Split", bound=Hashable)


class Chances(NamedTuple):
    """Probabilities that the true difference is above +EQUAL, within ±EQUAL, and below −EQUAL; they sum to 1."""

    better: float
    equal: float
    worse: float


@dataclass(frozen=True)
class Difference:
    """The mean paired difference over `pairs` splits; NaN if there is no split with both values.

    `low` and `high` are the LEVEL confidence interval of this comparison alone. `p` is the two-sided p-value, and `p_holm`
    is adjusted for the family of comparisons. `error` is the standard error of the mean and `df` its degrees of freedom. With
    fewer than MIN_PAIRS pairs, or with differences that are all equal but not zero, the variance cannot be estimated, and all of
    these stay NaN.
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    pairs: int = 0
    error: float = math.nan
    df: float = math.nan

    @property
    def significant(self) -> bool:
        """Whether the difference is significant after Holm's adjustment."""
        return self.p_holm < 1 - LEVEL

    @property
    def identical(self) -> bool:
        """Whether the scores are the same on every split, as from identical predictions."""
        return self.low == self.high == 0

    @property
    def chances(self) -> Chances | None:
        """The probabilities of better, equal and worse; None without a standard error.

        The posterior of the true difference under a flat prior is a t distribution around the mean, with `error` as its scale
        and `df` degrees of freedom (the correlated t test of Corani & Benavoli 2015, DOI 10.1007/s10994-015-5486-z).
        """
        if self.identical:
            return Chances(0.0, 1.0, 0.0)
        if not self.error > 0:
            return None
        worse = t_cdf((-EQUAL - self.mean) / self.error, self.df)
        better = t_cdf((self.mean - EQUAL) / self.error, self.df)
        return Chances(better, max(0.0, 1.0 - better - worse), worse)

    def detectable(self, comparisons: float = 1.0) -> float:
        """The smallest true difference that is found with a probability of POWER, if `error` is the true standard error.

        `comparisons` divides α, as Holm's first step does. NaN without a standard error.
        """
        return noncentrality(self.df, comparisons) * self.error if self.error > 0 else math.nan


def t_cdf(value: float, df: float) -> float:
    """The distribution function of Student's t; of the normal distribution for df = ∞."""
    # To the bit as in `scipy.stats`, whose import takes half a second.
    from scipy import special

    return float(special.ndtr(value) if math.isinf(df) else special.stdtr(df, value))


def t_quantile(share: float, df: float) -> float:
    """The quantile of Student's t; of the normal distribution for df = ∞."""
    from scipy import special

    return float(special.ndtri(share) if math.isinf(df) else special.stdtrit(df, share))


def noncentrality(df: float, comparisons: float = 1.0) -> float:
    """The true difference, in standard errors, that a t test at (1 − LEVEL) / `comparisons` finds with a probability of POWER.

    By the noncentral t distribution, because a table estimates its standard errors: with few degrees of freedom the sum of two
    quantiles, t₁₋α/₂ + t_POWER, is too small.
    """
    from scipy import special

    critical = t_quantile(1 - (1 - LEVEL) / comparisons / 2, df)
    if math.isinf(df):
        return critical + t_quantile(POWER, df)
    return float(special.nctdtrinc(df, 1 - POWER, critical))


def paired(ours: Mapping[Split, float], theirs: Mapping[Split, float]) -> Floats:
    """Ours minus theirs on the splits that both have, without those where one is undefined (NaN).

    Rounded, so that equal predictions whose scores were summed in another order count as equal.
    """
    both = [ours[split] - theirs[split] for split in ours if split in theirs]
    return np.array([round(delta, DIGITS) for delta in both if math.isfinite(delta)], dtype=np.float64)


def difference(
    ours: Mapping[Split, float], theirs: Mapping[Split, float], ratio: float = TEST_TRAIN_RATIO
) -> Difference:
    """Compare two strategies (split → value) by themselves, by a t test; `ratio` is n_test / n_train, or ρ/(1 − ρ)."""
    deltas = paired(ours, theirs)
    return plain(deltas) or with_variance(deltas, float(deltas.var(ddof=1)), len(deltas) - 1, ratio)


def on_one_split(ours: Mapping[Split, float], theirs: Mapping[Split, float]) -> Difference:
    """Compare two strategies on one outer split under one or more seeds: the mean difference, and no interval.

    Seeds repeat the training, but not the draw of the rows, so an interval over them would not hold for other rows.
    """
    deltas = paired(ours, theirs)
    found = plain(deltas)
    return found if found is not None and found.identical else Difference(mean(deltas), pairs=len(deltas))


def plain(deltas: Floats) -> Difference | None:
    """The difference where there is nothing to estimate a variance from; None where there is."""
    pairs = len(deltas)
    if pairs == 0:
        return Difference(math.nan)
    if not deltas.any():
        return Difference(0.0, 0.0, 0.0, 1.0, 1.0, pairs)
    centre = float(deltas.mean())
    # Equal up to rounding: all differences are the same number.
    same = pairs >= MIN_PAIRS and float(deltas.std(ddof=1)) <= 1e-12 * abs(centre)
    return Difference(centre, pairs=pairs) if same or pairs < MIN_PAIRS else None


def with_variance(deltas: Floats, variance: float, df: float, ratio: float) -> Difference:
    """The difference with this variance over splits and its degrees of freedom; `ratio` is ρ/(1 − ρ)."""
    pairs, centre = len(deltas), float(deltas.mean())
    error = math.sqrt(variance * (1 / pairs + ratio))
    if error == 0.0:
        return Difference(centre, pairs=pairs)
    half = t_quantile(0.5 + LEVEL / 2, df) * error
    p = 2 * t_cdf(-abs(centre) / error, df)
    return Difference(centre, centre - half, centre + half, p, p, pairs, error, df)


def holm_adjusted(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjusted p-values (Holm 1979), without the names whose p-value is not a number: they do not count in the family."""
    ordered = sorted((p, name) for name, p in p_values.items() if math.isfinite(p))
    adjusted, floor = {}, 0.0
    for place, (p, name) in enumerate(ordered):
        floor = max(floor, min(1.0, p * (len(ordered) - place)))
        adjusted[name] = floor
    return adjusted


def holm(family: Mapping[str, Difference]) -> dict[str, Difference]:
    """Return the differences with `p_holm` set; comparisons without a p-value do not count in the family."""
    p_holm = holm_adjusted({name: one.p for name, one in family.items()})
    return {
        name: replace(one, p_holm=p_holm[name]) if name in p_holm else one for name, one in family.items()
    }


def mean(values: Sequence[float] | Floats) -> float:
    """Return the mean of the finite values, NaN if there are none."""
    defined = [float(value) for value in values if math.isfinite(value)]
    return sum(defined) / len(defined) if defined else math.nan
