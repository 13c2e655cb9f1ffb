"""The numbers of the selected tables as arrays, per table and per data set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.core.arrays import Floats
from equipoise.report.comparison import BASELINE, Comparison, StrategyResult
from equipoise.report.units import excess


@dataclass(frozen=True)
class Numbers:
    """Arrays over strategies (k, in the order of `strategies`) and tables (t) or data sets (b).

    Attributes:
        strategies: names.
        datasets: the name of each data set, in order of first appearance; of_table: (t,) the data set of each table.
        scores: (k, t) means over splits.
        variances: (k, t) variance of the mean difference from `none`, NaN where it is unknown.
        seconds: (k, t) mean time of a cell.
    """

    strategies: tuple[str, ...]
    datasets: tuple[str, ...]
    of_table: np.ndarray[tuple[int], np.dtype[np.int64]]
    scores: Floats
    variances: Floats
    seconds: Floats

    @property
    def baseline(self) -> int | None:
        """The row of `none`."""
        return self.strategies.index(BASELINE) if BASELINE in self.strategies else None

    def per_dataset(self, values: Floats) -> Floats:
        """Average values (k, t) over the tables of each data set: (k, b)."""
        # Tables of one data set share its rows, and would count as independent ones otherwise.
        columns = [values[:, self.of_table == index].mean(axis=1) for index in range(len(self.datasets))]
        return np.stack(columns, axis=1)

    @property
    def differences(self) -> Floats:
        """Scores (k, t) minus those of `none` on the same table; NaN without `none`."""
        base = self.baseline
        return np.full_like(self.scores, np.nan) if base is None else self.scores - self.scores[base]

    @property
    def costs(self) -> Floats:
        """For each strategy (k,) the geometric mean over tables of its time divided by that of `none`; NaN without `none`."""
        base = self.baseline
        if base is None or not (self.seconds > 0).all():
            return np.full(len(self.strategies), np.nan)
        # In logarithms, so that twice and half the time of `none` average to its time.
        return np.exp(np.log(self.seconds / self.seconds[base]).mean(axis=1))


def numbers(tables: Sequence[Comparison], strategies: Sequence[str], metric: str) -> Numbers:
    """Collect the numbers of strategies that are complete on all these tables."""
    found = [{result.strategy: result for result in table.ranked} for table in tables]
    datasets = tuple(dict.fromkeys(table.dataset for table in tables))
    shape = (len(strategies), len(tables))
    scores, variances, seconds = np.empty(shape), np.empty(shape), np.empty(shape)
    for t, results in enumerate(found):
        for k, name in enumerate(strategies):
            # Every strategy is complete on every table here, see `tables.select`.
            scores[k, t] = results[name].means[metric]
            variances[k, t] = _variance(results[name], results.get(BASELINE), metric)
            seconds[k, t] = results[name].seconds
    of_table = np.array([datasets.index(table.dataset) for table in tables], dtype=np.int64)
    return Numbers(tuple(strategies), datasets, of_table, scores, _moderated(variances, tables), seconds)


def _variance(ours: StrategyResult, base: StrategyResult | None, metric: str) -> float:
    """The variance of paired differences between splits (not yet of their mean); NaN below two splits."""
    if base is None:
        return math.nan
    theirs = base.values[metric]
    pairs = [value - theirs[split] for split, value in ours.values[metric].items() if split in theirs]
    finite = [value for value in pairs if math.isfinite(value)]
    return float(np.var(finite, ddof=1)) if len(finite) > 1 else math.nan


#: Degrees of freedom that the common variance of a table counts for, beside those of a strategy's own splits.
_PRIOR = 4


def _moderated(variances: Floats, tables: Sequence[Comparison]) -> Floats:
    """Variances of mean differences from those between splits (k, t), drawn towards the common one of their table.

    With five splits a variance has four degrees of freedom, and a small one by chance would give its table all the weight in a
    mean over tables (Smyth 2004). The mean over splits that share rows varies more than that of independent ones.

    On the official split the variance is unknown: seeds repeat the training and not the draw of the rows, so that the small
    variance between them says nothing about other rows.
    """
    out = np.full_like(variances, np.nan)
    for t, table in enumerate(tables):
        own, df = variances[:, t], len(table.units) - 1
        # A variance of 0 is that of a strategy equal to `none`, and no evidence of little noise.
        informative = own[np.isfinite(own) & (own > 0)]
        if df > 0 and informative.size and not table.official:
            common = (df * own + _PRIOR * informative.mean()) / (df + _PRIOR)
            out[:, t] = common * (1 / (df + 1) + excess(table.units))
    return out
