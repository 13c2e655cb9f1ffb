"""How far the splits of one data set are correlated: what the variance of a mean over splits has to make up for.

Split i tests on fold i mod 5 of repetition i div 5. Two splits of one repetition share three quarters of their training rows
and no test row; two of different repetitions share a fifth of their test rows as well. docs/statistics.md has the measurement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from equipoise.report.units import SplitId
from equipoise.splits.outer import OUTER_FOLDS

#: The correlation of strategies' differences on two splits of one repetition, and of different repetitions.
SAME, OTHER = 0.0, 0.1


def mean_correlation(units: Iterable[SplitId]) -> float:
    """The mean correlation ρ of all pairs of splits; 0 for fewer than two."""
    listed = [(seed, split) for seed, split in units if isinstance(split, int)]
    repetitions = Counter((seed, split // OUTER_FOLDS) for seed, split in listed)
    k = len(listed)
    if k < 2:
        return 0.0
    same = sum(size * (size - 1) for size in repetitions.values())
    return (same * SAME + (k * (k - 1) - same) * OTHER) / (k * (k - 1))


def excess(units: Iterable[SplitId]) -> float:
    """ρ/(1 − ρ), by which the variance of a mean over these splits exceeds s²/k, in units of s²."""
    rho = mean_correlation(units)
    return rho / (1 - rho)
