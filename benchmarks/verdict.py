"""How often the report is wrong on tables whose truth is known: false claims, coverage and power. See `bench_verdict`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from verdict_rows import METRICS, SPLITS

from equipoise.report.advice import WON, advise
from equipoise.report.comparison import compare
from equipoise.report.moderation import moderated
from equipoise.report.significance import Difference, holm, with_variance
from equipoise.report.units import excess
from equipoise.report.words.conclusions import conclusions

#: Strategy → metric → scores on the splits 0 … 9 of one table.
Scores = Mapping[str, Mapping[str, list[float]]]
#: Metrics in which a star may be false. The own decision of these strategies is the fixed one.
SHOWN = ("map", "tuned_macro_f1", "fixed_macro_f1")
CLAIMS = (" beat", "Worse than", "disguise", "matters more")


@dataclass
class Errors:
    """Counts over reports: those with any false star, and those with any false claim in words."""

    reports: int = 0
    stars: int = 0
    words: int = 0

    def rates(self) -> str:
        """Both shares in per cent with their 95 % intervals (Clopper & Pearson 1934, DOI 10.1093/biomet/26.4.404)."""
        return " · ".join(_share(count, self.reports) for count in (self.stars, self.words))


def _share(count: int, total: int) -> str:
    found = stats.binomtest(count, total).proportion_ci()
    return f"{100 * count / total:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"


def chunks(scores: Scores, splits: int) -> Iterator[list[int]]:
    """Disjoint runs of consecutive splits of one table, each a report of its own."""
    for start in range(0, SPLITS - splits + 1, splits):
        yield list(range(start, start + splits))


def recombined(tables: Mapping[int, Scores], splits: int) -> dict[int, Scores]:
    """The tables, and for reports of more than five splits also the first repetition of each with the second of the next.

    Where strategies differ only in the order of the batches, the differences on two splits are independent, so that this gives
    further reports without further training.
    """
    found = dict(tables)
    numbers = list(tables)
    for table, following in zip(numbers, [*numbers[1:], numbers[0]], strict=True):
        if splits > SPLITS // 2 and table != following:
            found[-1 - table] = {
                strategy: {
                    name: [*values[: SPLITS // 2], *tables[following][strategy][name][SPLITS // 2 :]]
                    for name, values in by_name.items()
                }
                for strategy, by_name in tables[table].items()
            }
    return found


def rows(scores: Scores, chosen: list[int], table: int) -> list[dict[str, Any]]:
    """Rows as a store has them, of some splits of a table."""
    return [
        {
            "key": f"{strategy}-{split}",
            "status": "ok",
            "dataset": f"table {table}",
            "backbone": "any",
            "strategy": strategy,
            "split": split,
            "seed": 0,
            "settings": {},
            "metrics": {metric: by_name[name][split] for name, metric in METRICS.items()},
            "cost": {"seconds_total": 1.0},
        }
        for strategy, by_name in scores.items()
        for split in chosen
    ]


def false_claims(tables: Mapping[int, Scores], splits: int) -> Errors:
    """What the report claims about strategies that are the baseline in another order."""
    errors = Errors()
    for table, scores in recombined(tables, splits).items():
        for chosen in chunks(scores, splits):
            (comparison,) = compare(rows(scores, chosen, table))
            words = " ".join(conclusions(comparison))
            (advice,) = advise([comparison])
            errors.reports += 1
            errors.stars += any(d.significant for r in comparison.ranked for d in r.deltas.values())
            errors.words += advice.verdict == WON or any(claim in words for claim in CLAIMS)
    return errors


def plain_stars(tables: Mapping[int, Scores], splits: int, ratio: float) -> Errors:
    """The same with the procedure of before: a t test for each strategy by itself, from two splits on, and Holm's correction.

    `ratio` is n_test/n_train in the correction of Nadeau & Bengio; 0 is the paired t test as everybody knows it.
    """
    errors = Errors()
    for scores in recombined(tables, splits).values():
        for chosen in chunks(scores, splits):
            errors.reports += 1
            errors.stars += any(
                found.significant
                for name in SHOWN
                for found in holm(
                    {s: alone(deltas, ratio) for s, deltas in differences(scores, name, chosen).items()}
                ).values()
            )
    return errors


def alone(deltas: np.ndarray, ratio: float) -> Difference:
    """The t test of one strategy by itself, with no least number of splits."""
    variance = float(deltas.var(ddof=1))
    if not variance > 0:
        return Difference(float(deltas.mean()), pairs=len(deltas))
    return with_variance(deltas, variance, len(deltas) - 1, ratio)


def differences(scores: Scores, name: str, chosen: list[int]) -> dict[str, np.ndarray]:
    """Strategy → its differences to the baseline on some splits."""
    base = np.array(scores["none"][name])[chosen]
    return {s: np.array(by_name[name])[chosen] - base for s, by_name in scores.items() if s != "none"}


def power(tables: Mapping[int, Scores], splits: int, effect: float, name: str = "tuned_macro_f1") -> float:
    """The share of reports in which a planted effect on one of the strategies gets a star."""
    found = total = 0
    for table, scores in tables.items():
        for chosen in chunks(scores, splits):
            planted = next(strategy for strategy in scores if strategy != "none")
            better = {**scores[planted], name: [value + effect for value in scores[planted][name]]}
            (comparison,) = compare(rows({**scores, planted: better}, chosen, table))
            found += next(r for r in comparison.ranked if r.strategy == planted).deltas[name].significant
            total += 1
    return found / total


def coverage(
    tables: Mapping[int, Scores], splits: int, name: str, ratio: float | None = None
) -> tuple[float, int]:
    """The share of 95 % intervals that cover the truth, and their number.

    The truth of a table is the mean over all *other* tables, which are independent of it. `ratio`: t intervals of each
    strategy by itself with this correction, instead of the moderated ones of the report.
    """
    means = {t: _means(differences(scores, name, list(range(SPLITS)))) for t, scores in tables.items()}
    covered = total = 0
    for table, scores in tables.items():
        for chosen in chunks(scores, splits):
            family = {s: d for s, d in differences(scores, name, chosen).items() if d.any()}
            if ratio is None:
                found = moderated(family, excess([(0, split) for split in chosen]))
            else:
                found = {s: alone(d, ratio) for s, d in family.items()}
            for strategy, one in found.items():
                truth = np.mean([m[strategy] for t, m in means.items() if t != table])
                covered += one.low <= truth <= one.high
                total += math.isfinite(one.low)
    return covered / max(total, 1), total


def _means(family: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {strategy: float(values.mean()) for strategy, values in family.items()}


def correlations(tables: Mapping[int, Scores], strategy: str, name: str) -> tuple[float, float, float, float]:
    """Correlation of the differences on two splits of one repetition, and of two repetitions, each with its standard error.

    Tables are independent samples of one population, so that the covariance *over tables* of the differences on two splits is
    what one table cannot know. Standard errors by the jackknife over tables.
    """
    deltas = np.array(
        [differences(scores, name, list(range(SPLITS)))[strategy] for scores in tables.values()]
    )
    same, other = _correlated(deltas)
    left = np.array([_correlated(np.delete(deltas, table, axis=0)) for table in range(len(deltas))])
    errors = left.std(axis=0) * math.sqrt(len(deltas) - 1)
    return same, float(errors[0]), other, float(errors[1])


def _correlated(deltas: np.ndarray) -> tuple[float, float]:
    covariance = np.cov(deltas.T)
    repetition = np.arange(SPLITS) // 5
    alike = repetition[:, None] == repetition
    variance = float(np.trace(covariance)) / SPLITS
    return (
        float(covariance[alike & ~np.eye(SPLITS, dtype=bool)].mean()) / variance,
        float(covariance[~alike].mean()) / variance,
    )
