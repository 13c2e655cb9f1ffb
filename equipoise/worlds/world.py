"""A controlled world with the scores of strategies and the best possible ones on the same test rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from equipoise.core.arrays import Floats
from equipoise.report.results import number_of
from equipoise.report.units import BASELINE, SplitId, unit_of
from equipoise.store.rows import Row


class Scores(NamedTuple):
    """Three scores of one strategy in one world, which answer to three ways of using a model."""

    map: float  # ranking: mean average precision
    tuned: float  # decisions: macro-F1 with a threshold for each label, tuned out of fold
    untuned: float  # decisions: macro-F1 by the strategy's own rule, which is ½ for all that have none


class Best(NamedTuple):
    """What the exact posterior reaches on some rows of a controlled world."""

    map: float
    macro_f1: float  # with the thresholds that are best in the population
    half: float  # macro-F1 with the threshold ½


#: For each of `Scores`: the metric of a row, and its name in words.
FIELDS = Scores("scores/map", "tuned/macro_f1", "own/macro_f1")  # type: ignore[arg-type]
WORDS = Scores("mAP", "macro-F1, tuned thresholds", "macro-F1, untuned")  # type: ignore[arg-type]
RULES = Scores._fields


@dataclass(frozen=True)
class World:
    """One data set. Its strategies were scored on the same rows, so their differences are paired.

    Attributes:
        factors: what the world is made of, such as imbalance or rows, by name.
        scores: by strategy; a mean over the splits that the strategy shares with `none`.
        best: what the exact posterior reaches on the same test rows, where it is known.
        labels_scored: how many labels had a positive in the test rows, on average.
    """

    dataset: str
    factors: Mapping[str, float]
    scores: Mapping[str, Scores]
    best: Best | None = None
    labels_scored: float = math.nan

    def difference(self, strategy: str, rule: str, against: str = "") -> float:
        """Strategy minus `none`, whose score is that of the rule `against` (default: the same rule); NaN where one is missing."""
        if strategy not in self.scores or BASELINE not in self.scores:
            return math.nan
        baseline = getattr(self.scores[BASELINE], against or rule)
        return float(getattr(self.scores[strategy], rule) - baseline)

    def gap(self, rule: str) -> float:
        """The best possible score minus that of `none`; NaN where it is not known.

        For untuned decisions it is the gap to the best decisions of all, so what is lost at the threshold ½ is part of it. By
        chance it may be negative, since the best possible scores hold in the population and not on every test row.
        """
        if self.best is None or BASELINE not in self.scores:
            return math.nan
        best = self.best.map if rule == "map" else self.best.macro_f1
        return float(best - getattr(self.scores[BASELINE], rule))


@dataclass(frozen=True)
class Worlds:
    """Several worlds, for whole groups of which effects are estimated."""

    worlds: Sequence[World] = field(default_factory=tuple)

    def where(self, **levels: float) -> Worlds:
        """The worlds whose factors have these values."""
        return Worlds([w for w in self.worlds if all(w.factors.get(k) == v for k, v in levels.items())])

    def levels(self, factor: str) -> list[float]:
        """The values of a factor, ascending."""
        return sorted({w.factors[factor] for w in self.worlds if factor in w.factors})

    def factor(self, name: str) -> Floats:
        """The values of a factor, (worlds,)."""
        return np.array([w.factors.get(name, math.nan) for w in self.worlds])

    def differences(self, strategy: str, rule: str, against: str = "") -> Floats:
        """The differences of a strategy from `none`, (worlds,); NaN where the strategy was not run. See `World.difference`."""
        return np.array([w.difference(strategy, rule, against) for w in self.worlds])

    def gaps(self, rule: str) -> Floats:
        """How far `none` is from the best possible scores, (worlds,)."""
        return np.array([w.gap(rule) for w in self.worlds])

    @property
    def complete(self) -> list[str]:
        """The strategies that were run in every one of these worlds, without `none`, in order of appearance."""
        names = dict.fromkeys(name for w in self.worlds for name in w.scores)
        return [name for name in names if name != BASELINE and all(name in w.scores for w in self.worlds)]


def worlds_of(
    rows: Iterable[Row],
    factors: Mapping[str, Mapping[str, float]],
    best: Mapping[str, Best] | None = None,
) -> Worlds:
    """Group the finished rows by data set.

    Args:
        rows: of one backbone and one kind of settings; of several rows of one cell the last counts.
        factors: those of each data set; rows of other data sets are passed over.
        best: the best possible scores of each data set on its test rows, where they are known.
    """
    cells = {(str(row["dataset"]), str(row["strategy"]), unit_of(row)): row for row in rows}
    grouped: dict[str, dict[str, dict[SplitId, Row]]] = {}
    for (dataset, strategy, unit), row in cells.items():
        if row["status"] == "ok" and dataset in factors:
            grouped.setdefault(dataset, {}).setdefault(strategy, {})[unit] = row
    return Worlds(
        [
            _world(name, factors[name], by_strategy, (best or {}).get(name))
            for name, by_strategy in grouped.items()
            if BASELINE in by_strategy
        ]
    )


def _world(
    name: str,
    factors: Mapping[str, float],
    rows: Mapping[str, Mapping[SplitId, Row]],
    best: Best | None,
) -> World:
    splits = list(rows[BASELINE])
    scores = {
        # A strategy that lacks a split of `none` would not be compared on equal terms.
        strategy: Scores(*(_mean(own, splits, str(metric)) for metric in FIELDS))
        for strategy, own in rows.items()
        if own.keys() >= set(splits)
    }
    return World(name, factors, scores, best, _mean(rows[BASELINE], splits, "tuned/labels_scored"))


def _mean(rows: Mapping[SplitId, Row], splits: Collection[SplitId], metric: str) -> float:
    """The mean over these splits; NaN where the metric is undefined on one of them, so that no world is a mean of others."""
    return float(np.mean([number_of(rows[split], metric) for split in splits]))
