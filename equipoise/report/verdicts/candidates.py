"""Judges the strategies of one table: whether one is to be used, and on which splits that rests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from equipoise.report.comparison import Comparison
from equipoise.report.equalities import TUNED
from equipoise.report.power import differing
from equipoise.report.results import StrategyResult
from equipoise.report.significance import EQUAL, FEW, Chances, Difference
from equipoise.report.units import BASELINE, SplitId, unit_of
from equipoise.report.verdicts.shrinkage import shrunk

MAP = "map"
METRICS = (MAP, TUNED)
WON, NO_GAIN, OPEN, UNKNOWN, TRADE = "won", "no gain", "open", "unknown", "trade"
#: A strategy with a smaller probability of being better by more than EQUAL is not worth another split.
HARDLY = 0.05
#: A star alone does not recommend a strategy: a gain of more than EQUAL must be as probable as not.
WORTH = 0.5


@dataclass(frozen=True)
class Candidate:
    """One strategy in one metric.

    Attributes:
        judged: the comparison that its figures come from: the table, or that of the baseline and this strategy by themselves
            where they have more splits, or later seeds that had no part in the choice (`fresh`).
        result: the strategy there. gain, other: its difference in `metric` and in the other one.
        tests: by how many comparisons a p-value from additional splits is multiplied, besides Holm's adjustment.
        chances: probabilities of the gain that allow for the other strategies of the table; None without a standard error.
    """

    judged: Comparison
    result: StrategyResult
    metric: str
    gain: Difference
    other: Difference | None
    fresh: bool = False
    tests: int = 1
    chances: Chances | None = None

    @property
    def harmed(self) -> bool:
        """Whether it is significantly worse in the other metric."""
        return self.other is not None and self.other.significant and self.other.mean < 0

    @property
    def gains(self) -> bool:
        """Whether its gain is significant, of whatever size."""
        return self.gain.significant and self.gain.mean > 0

    @property
    def wins(self) -> bool:
        """Whether it is to be used: it gains, probably more than EQUAL, and at no significant cost."""
        return self.gains and not self.harmed and self.better >= WORTH

    @property
    def better(self) -> float:
        """The probability of a gain of more than EQUAL among the other strategies; 0 or 1 where there is only a mean."""
        return self.chances.better if self.chances is not None else float(self.gain.mean > EQUAL)

    @property
    def by_itself(self) -> float:
        """The probability of a gain of more than EQUAL under a flat prior."""
        return self.gain.chances.better if self.gain.chances is not None else float(self.gain.mean > EQUAL)


@dataclass(frozen=True)
class Finding:
    """The verdict on one table, and the strategy that could replace the baseline; None if none differs."""

    table: Comparison
    verdict: str
    rival: Candidate | None

    @property
    def judged(self) -> Comparison:
        """The comparison that the verdict rests on."""
        return self.table if self.rival is None else self.rival.judged

    @property
    def used(self) -> StrategyResult:
        """What to use: the winner, or the baseline."""
        base = self.judged.baseline
        assert base is not None  # `advise` keeps comparisons with a baseline
        return self.rival.result if self.verdict == WON and self.rival is not None else base


def find(table: Comparison) -> Finding:
    """Judge each strategy of a table, in both metrics, and choose the one that could replace the baseline."""
    units = _finished(table)
    candidates = [one for name in METRICS for one in _candidates(table, name, units)]
    verdict = _verdict(table, candidates)
    return Finding(table, verdict, max(candidates, key=_worth, default=None))


def _worth(candidate: Candidate) -> tuple[bool, bool, bool, bool, float, float]:
    """What to order by: a winner in mAP, a winner, a trade, an unharmed strategy, and then the probability and the size."""
    wins, trades = candidate.wins, candidate.gains and candidate.harmed and candidate.better >= WORTH
    open_ = not candidate.harmed and candidate.by_itself >= HARDLY
    return (
        wins and candidate.metric == MAP,
        wins,
        trades,
        open_,
        candidate.better,
        candidate.gain.mean,
    )


def _verdict(table: Comparison, candidates: list[Candidate]) -> str:
    if len(table.units) < FEW or len(table.ranked) < 2:
        return UNKNOWN
    if any(one.wins for one in candidates):
        return WON
    if any(one.gains and one.harmed and one.better >= WORTH for one in candidates):
        return TRADE
    # The flat prior is the cautious one here: shrinkage alone must not turn "not known" into "no gain".
    return NO_GAIN if all(one.by_itself < HARDLY for one in candidates) else OPEN


def _candidates(table: Comparison, metric: str, units: Mapping[str, set[SplitId]]) -> list[Candidate]:
    """The strategies that differ from the baseline in a metric, each with the best evidence that there is for it."""
    found = [one for result in differing(table, metric) if (one := _candidate(table, result, metric, units))]
    chances = shrunk({one.result.strategy: one.gain for one in found})
    # Fresh splits had no part in the choice, so that the other strategies have no part in the probability.
    alone = {one.result.strategy: shrunk({one.result.strategy: one.gain}) for one in found if one.fresh}
    return [
        replace(one, chances=alone.get(one.result.strategy, chances).get(one.result.strategy))
        for one in found
    ]


def _candidate(
    table: Comparison, result: StrategyResult, metric: str, units: Mapping[str, set[SplitId]]
) -> Candidate | None:
    judged, fresh, tests = _evidence(table, result.strategy, units)
    ours = next((one for one in judged.ranked if one.strategy == result.strategy), result)
    if metric not in ours.deltas:
        return None
    gain = ours.deltas[metric]
    return Candidate(
        judged=judged,
        result=ours,
        metric=metric,
        gain=replace(gain, p_holm=min(gain.p_holm * tests, 1.0)) if judged is not table else gain,
        other=ours.deltas.get(TUNED if metric == MAP else MAP),
        fresh=fresh,
        tests=tests,
    )


def _evidence(
    table: Comparison, strategy: str, units: Mapping[str, set[SplitId]]
) -> tuple[Comparison, bool, int]:
    """The comparison to judge a strategy by, whether it is fresh, and by how many tests to multiply its p-value.

    A table uses only splits that most strategies have. Splits that only this one and the baseline have count as well: of a later
    seed by themselves, because the choice of the strategy did not rest on them, and others together with those of the table. In
    the second case the strategy is still the best of all that were tried (Bonferroni).
    """
    both = units.get(strategy, set()) & units.get(BASELINE, set())
    seeds = {name: {seed for seed, _ in done} for name, done in units.items() if name != BASELINE}
    complete = set.intersection(*seeds.values()) if seeds else set()
    later = {seed for seed, _ in both if complete and seed > max(complete)}
    # A strategy that is being run is not judged by its first splits.
    if len(table.units) >= FEW and sum(seed in later for seed, _ in both) >= FEW:
        tests = sum(bool(others & later) for others in seeds.values())
        return table.only((BASELINE, strategy), later), True, max(1, tests)
    if len(seeds) > 1 and FEW <= len(table.units) < len(both):
        pair = table.only((BASELINE, strategy))
        if pair.baseline is not None and len(pair.units) > len(table.units):
            return pair, False, len(seeds)
    return table, False, max(1, len(seeds))


def _finished(table: Comparison) -> dict[str, set[SplitId]]:
    """Strategy → the splits that it finished, whether the table uses them or not."""
    units: dict[str, set[SplitId]] = {}
    for row in table.rows:
        if row["status"] == "ok":
            units.setdefault(row["strategy"], set()).add(unit_of(row))
    return units


def largest(tables: Iterable[Comparison]) -> tuple[float, float]:
    """The largest mean gain in mAP of any strategy, and the largest upper end of an interval; 0 without strategies."""
    deltas = [result.deltas[MAP] for table in tables for result in differing(table, MAP)]
    ends = [delta.high if delta.error > 0 else delta.mean for delta in deltas]
    return max((delta.mean for delta in deltas), default=0.0), max(ends, default=0.0)
