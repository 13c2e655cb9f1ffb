"""The result of comparing strategies over data sets, as plain values. Nothing is computed here.

A *block* is one data set: splits, and backbones where there are several, are averaged inside it, so that blocks are independent
(Demšar 2006: one number per data set and method).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from equipoise.report.significance import EQUAL, LEVEL

#: With fewer data sets no ranking is given: their order is mostly chance, and no test of ranks could tell.
#: (Even five are few: Wilcoxon's test of two strategies needs six to reach p < .05.)
FEWEST_BLOCKS = 5


@dataclass(frozen=True)
class Block:
    """One data set of a ranking.

    Attributes:
        tables: names of the comparisons whose scores are averaged here, one per backbone.
        splits: outer splits, the fewest of the tables.
        official: whether a table is on the split that comes with the data.
        traits: measures of the data set, those that are known: mean_ir, labels, positives (median per label), rows, rdep.
        backbones: those of the tables, by name.
    """

    dataset: str
    tables: tuple[str, ...]
    splits: int
    generated: bool = False
    official: bool = False
    traits: Mapping[str, float] = field(default_factory=dict)
    backbones: tuple[str, ...] = ()


@dataclass(frozen=True)
class Effect:
    """A strategy's mean difference from `none` over data sets, strategy minus `none`; NaN where it cannot be estimated.

    Attributes:
        mean, low, high: the random-effects mean and its LEVEL interval for this strategy alone (Hartung and Knapp).
        p, p_holm: two-sided, and adjusted for all strategies of the ranking.
        tau2: variance of the true difference between data sets.
        better, equal, worse: posterior probabilities that a practical gain (above EQUAL), a practical equality or a practical
            loss (below −EQUAL) is the most likely outcome on a data set (Bayesian signed rank).
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    tau2: float = math.nan
    better: float = math.nan
    equal: float = math.nan
    worse: float = math.nan
    leans_on: tuple[str, ...] = ()

    @property
    def significant(self) -> bool:
        """Whether the mean difference is significant after Holm's adjustment."""
        # NaN compares as False: what was not tested is not significant.
        return self.p_holm < 1 - LEVEL

    @property
    def practically_equal(self) -> bool:
        """Whether equality is the most likely outcome with a probability of LEVEL or more, and the interval is within ±EQUAL.

        Either alone is said of strategies that differ: on most data sets by little, but on some by much, or the other way round.
        """
        return self.equal >= LEVEL and self.low > -EQUAL and self.high < EQUAL


@dataclass(frozen=True)
class RankedStrategy:
    """One strategy of a ranking.

    Attributes:
        family: its stages ("loss", "sampler", …; "baseline" for `none`); "other" where the strategy cannot be loaded.
        scores, ranks: one value per block, in the order of `Ranking.blocks`; rank 1 is the best, ties share their mean rank.
        place_low, place_high: the places (1 is first) that the data leave open, LEVEL for all strategies together; all
            places where there is no ranking (`Ranking.why_not`).
        same_as: the strategy of this ranking from which it cannot differ; it shares that strategy's scores and ranks. "" if none.
        effect: difference from `none`; None for `none` itself, what cannot differ from it, and without `none`.
        seconds: mean time of a cell; cost: geometric mean over tables of its time divided by that of `none`, NaN without `none`.
        pareto: no other strategy has both a mean score that is as high and a cost that is as low.
    """

    strategy: str
    # Plain tuples and numbers: these objects are written as JSON and compared in tests as they are.
    family: str
    scores: tuple[float, ...]
    ranks: tuple[float, ...]
    average_rank: float
    mean_score: float
    place_low: int
    place_high: int
    same_as: str = ""
    effect: Effect | None = None
    seconds: float = math.nan
    cost: float = math.nan
    pareto: bool = False


@dataclass(frozen=True)
class Missing:
    """A strategy that is not ranked: data sets (with backbone) that it lacks, out of `tables`, and why."""

    strategy: str
    lacks: tuple[str, ...]
    tables: int
    why: str


@dataclass(frozen=True)
class FamilyResult:
    """A family of strategies on the tables of a regime.

    Attributes:
        strategies: ranked strategies of the family.
        wins: tables whose best strategy is of this family (a tie counts in parts); by_chance: wins if all strategies were equal.
        mean, low, high: mean difference from `none` over the family's strategies, and its LEVEL t interval over data sets; the
            interval is NaN with fewer than FEWEST_BLOCKS data sets.
    """

    family: str
    strategies: int
    wins: float
    by_chance: float
    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Regime:
    """The tables with one property, e.g. trait "imbalance", level "MeanIR below 5"."""

    trait: str
    level: str
    datasets: tuple[str, ...]
    tables: int
    families: tuple[FamilyResult, ...]


@dataclass(frozen=True)
class Ranking:
    """Strategies ranked by one metric over data sets, on one backbone or on all.

    Attributes:
        metric: name as in the report: "map" or "tuned_macro_f1".
        backbone: "" for all backbones; then scores are averaged over the backbones inside a data set.
        strategies: complete ones, best average rank first; what cannot differ from another stands directly behind it.
        test: "friedman", "wilcoxon" (two strategies), or "" if nothing was tested; statistic is F of Iman and Davenport, or W.
        critical_difference: two average ranks that differ by more differ significantly (Nemenyi); NaN without a Friedman test.
        groups: (first, last) positions in `strategies` of maximal ties, both included, of at least two strategies.
        wins: wins[i][j] is the number of blocks on which strategy i scores higher than j.
        settings: names of the settings in which the tables differ.
        why_not: why there is no ranking, "" if there is one.
        left_out: tables that are not used, each with the reason.
        sentences: the result in words, the most important first.
    """

    metric: str
    backbone: str
    blocks: tuple[Block, ...]
    strategies: tuple[RankedStrategy, ...]
    test: str = ""
    statistic: float = math.nan
    p: float = math.nan
    critical_difference: float = math.nan
    groups: tuple[tuple[int, int], ...] = ()
    wins: tuple[tuple[int, ...], ...] = ()
    settings: tuple[str, ...] = ()
    why_not: str = ""
    missing: tuple[Missing, ...] = ()
    left_out: tuple[str, ...] = ()
    regimes: tuple[Regime, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def tied_for_first(self) -> tuple[RankedStrategy, ...]:
        """The strategies that may be first; empty where there is no ranking."""
        return () if self.why_not else tuple(s for s in self.strategies if s.place_low == 1)
