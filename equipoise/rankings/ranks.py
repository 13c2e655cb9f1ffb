"""Average ranks and the tests on them: Friedman, Nemenyi, Wilcoxon; ties and the places that the data leave open.

Sources: Demšar 2006 (JMLR 7, 1–30) for the procedure; Iman & Davenport 1980 (DOI 10.1080/03610928008827904) for the F statistic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy

from equipoise.core.arrays import Floats
from equipoise.report.significance import LEVEL

#: Scores are compared after rounding to this many digits, so that the order of a sum breaks no tie.
DIGITS = 12


@dataclass(frozen=True)
class RankTest:
    """A test of the hypothesis that all strategies are equal; see `Ranking` for the fields.

    `direction` is W⁺ − W⁻ of two strategies: above 0 where the first is better by Wilcoxon's test.
    """

    test: str
    statistic: float
    p: float
    critical_difference: float
    direction: float = 0.0

    @property
    def significant(self) -> bool:
        """Whether strategies differ at all."""
        return self.p < 1 - LEVEL


def rank(scores: Floats) -> Floats:
    """Rank strategies within each block: scores (strategies, blocks) → ranks of that shape; 1 is the highest, ties share."""
    return np.asarray(scipy.stats.rankdata(-np.round(scores, DIGITS), axis=0), dtype=np.float64)


def omnibus(scores: Floats) -> RankTest:
    """Test scores (strategies, blocks): Friedman with Iman and Davenport's F for three strategies or more, Wilcoxon for two."""
    strategies, blocks = scores.shape
    if strategies < 2:
        return RankTest("", math.nan, math.nan, math.nan)
    # Friedman's test of two is a sign test, which ignores how large the differences are.
    if strategies == 2:
        return _wilcoxon(np.round(scores[0] - scores[1], DIGITS))
    statistic, p = friedman(scores)
    return RankTest("friedman", statistic, p, critical_difference(strategies, blocks))


def friedman(scores: Floats) -> tuple[float, float]:
    """Iman and Davenport's F for scores (strategies, blocks), and its p; Friedman's χ² is corrected for ties.

    F is infinite where all blocks have the same order, and 0 where all strategies are equal.
    """
    strategies, blocks = scores.shape
    rounded = np.round(scores, DIGITS)
    if (rounded == rounded[0]).all():
        return 0.0, 1.0
    chi2 = float(scipy.stats.friedmanchisquare(*rounded).statistic)
    rest = blocks * (strategies - 1) - chi2
    # Rounding may leave a speck below or above zero where the order is the same in all blocks.
    if rest <= 1e-9 * blocks * strategies:
        return math.inf, 0.0
    # χ² rejects too seldom with few data sets; F does not.
    f = (blocks - 1) * chi2 / rest
    return f, float(scipy.special.fdtrc(strategies - 1, (strategies - 1) * (blocks - 1), f))


def critical_difference(strategies: int, blocks: int, alpha: float = 1 - LEVEL) -> float:
    """Nemenyi's critical difference of two average ranks, q √(k (k + 1) / 6 N) for k strategies and N blocks (Demšar 2006)."""
    # The range of normal variables with a variance of 1; a difference of two has a variance of 2.
    q = float(scipy.stats.studentized_range.isf(alpha, strategies, np.inf)) / math.sqrt(2)
    return q * math.sqrt(strategies * (strategies + 1) / (6 * blocks))


def _wilcoxon(differences: Floats) -> RankTest:
    if not differences.any():
        return RankTest("wilcoxon", 0.0, 1.0, math.nan)
    # Data sets without a difference speak for equality: their ranks count half for either side (Demšar 2006).
    result = scipy.stats.wilcoxon(differences, zero_method="zsplit")
    direction = float((np.sign(differences) * scipy.stats.rankdata(np.abs(differences))).sum())
    return RankTest("wilcoxon", float(result.statistic), float(result.pvalue), math.nan, direction)


def apart(average: Floats, test: RankTest) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which strategies are told from which: average ranks (k,) → (k, k). Nothing is where the test of all is not significant."""
    gaps = np.abs(average[:, None] - average[None, :])
    if not test.significant:
        return np.zeros_like(gaps, dtype=bool)
    if test.test == "wilcoxon":
        return ~np.eye(len(average), dtype=bool)  # by signed ranks, whatever the average ranks say
    return gaps > test.critical_difference


def places(average: Floats, test: RankTest) -> list[tuple[int, int]]:
    """For each strategy the first and last place that the pairwise tests leave open.

    A strategy has at least as many before it as are significantly better, and at most all that are not significantly worse.
    The pairwise tests hold together at LEVEL, and so do these intervals (Mogstad, Romano, Shaikh & Wilhelm
    2024, DOI 10.1093/restud/rdad006).
    """
    different = apart(average, test)
    # Many small wins can give the better average rank to the strategy that Wilcoxon's test finds worse.
    order = np.array([-test.direction, test.direction]) if test.test == "wilcoxon" else average
    better = (different & (order[None, :] < order[:, None])).sum(axis=1)
    worse = (different & (order[None, :] > order[:, None])).sum(axis=1)
    return [(1 + int(b), len(average) - int(w)) for b, w in zip(better, worse, strict=True)]


def ties(average: Floats, test: RankTest) -> list[tuple[int, int]]:
    """Maximal runs of strategies that are not told apart, as (first, last), both included; `average` is in ascending order."""
    different = apart(average, test)
    groups: list[tuple[int, int]] = []
    for first in range(len(average)):
        # Average ranks ascend, so that all in between are not told apart either.
        last = max(i for i in range(first, len(average)) if not different[first, i])
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups
