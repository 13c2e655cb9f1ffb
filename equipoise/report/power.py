"""What a table could have shown, and how many splits would show more."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from equipoise.report.comparison import Comparison
from equipoise.report.ranking import FAMILIES
from equipoise.report.results import StrategyResult
from equipoise.report.significance import FEW, Difference, noncentrality
from equipoise.report.units import BASELINE, SplitId, excess
from equipoise.splits.outer import OUTER_FOLDS

#: More splits than this are not proposed: twenty repetitions of the cross-validation.
MOST_SPLITS = 100


def differing(comparison: Comparison, name: str) -> list[StrategyResult]:
    """The ranked strategies that can and do differ from the baseline in a metric, in their order."""
    return [
        result
        for result in comparison.ranked
        if name in result.deltas
        and result.same_as.get(name) != BASELINE
        and math.isfinite(result.deltas[name].mean)
        and not result.deltas[name].identical
    ]


def share_of(name: str) -> float:
    """The share of the level that the family of a metric has, where all families have comparisons."""
    return FAMILIES[_family(name)]


def _family(name: str) -> tuple[str, ...]:
    """The metrics whose comparisons are adjusted together with those of a metric, itself included."""
    return next(names for names in FAMILIES if name in names)


def detectable(comparison: Comparison, name: str) -> float:
    """About the smallest true difference in a metric that such a table would usually star; NaN without intervals.

    For the median standard error of its strategies, at the level of Holm's first step. The aim is 80 %; because the standard
    error is itself an estimate, roughly two tables in three do star it.
    """
    adjusted_for = sum(len(differing(comparison, one)) for one in _family(name)) / share_of(name)
    found = [result.deltas[name].detectable(adjusted_for) for result in differing(comparison, name)]
    known = [value for value in found if math.isfinite(value)]
    return statistics.median(known) if known else math.nan


def splits_to_decide(
    delta: Difference,
    units: Sequence[SplitId],
    target: float,
    comparisons: float = 1.0,
    *,
    afresh: bool = False,
) -> int | None:
    """The number of splits with which a true difference of `target` is significant with a probability of 80 %.

    A multiple of five, more than the present ones unless these do not count (`afresh`).
    None if MOST_SPLITS are not enough, or without a standard error.
    """
    if not delta.error > 0:
        return None
    # The standard deviation over splits, from the error of the mean over the present ones.
    spread = delta.error / math.sqrt(1 / delta.pairs + excess(units))
    first = FEW if afresh else max(FEW, len(units) // OUTER_FOLDS * OUTER_FOLDS + OUTER_FOLDS)
    for k in range(first, MOST_SPLITS + 1, OUTER_FOLDS):
        planned: list[SplitId] = [(0, split) for split in range(k)]
        # What the table knows about its variances does not get less with more splits.
        df = max(k - 1.0, delta.df)
        if noncentrality(df, comparisons) * spread * math.sqrt(1 / k + excess(planned)) <= target:
            return k
    return None
