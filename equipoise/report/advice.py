"""What to do about each data set: what to use now, how sure that is, and what more splits would show and cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.report.comparison import Comparison
from equipoise.report.equalities import FIXED, TUNED
from equipoise.report.one_label import Carrier, Reader, carrier
from equipoise.report.power import share_of, splits_to_decide
from equipoise.report.results import StrategyResult
from equipoise.report.significance import EQUAL, FEW, LEVEL, Chances, Difference, difference
from equipoise.report.units import BASELINE, excess
from equipoise.report.verdicts.candidates import (
    MAP,
    NO_GAIN,
    OPEN,
    TRADE,
    UNKNOWN,
    WON,
    Candidate,
    Finding,
    find,
    largest,
)
from equipoise.report.words.advice import command, sentences

__all__ = ["NO_GAIN", "OPEN", "TRADE", "UNKNOWN", "WON", "Advice", "advise"]


@dataclass(frozen=True)
class Advice:
    """What to do about one data set: figures, and the sentences that a reader gets.

    Attributes:
        dataset, data_sha256: its name, and the hash of its content. splits: how many the advice rests on.
        verdict: WON: a strategy is significantly better, and probably by more than EQUAL; TRADE: one is so in one metric and
            significantly worse in the other; NO_GAIN: none can well be better by more than EQUAL; OPEN: one may be; UNKNOWN:
            fewer than five splits, or nothing to compare.
        backbone, strategy: what to use now, and settings: those of the runs that say so. decision: its thresholds, "tuned" or
            "fixed".
        scores: the mean mAP ("map") and macro-F1 of what to use, the latter with those thresholds ("macro_f1").
        rival: the strategy that could replace the baseline; `strategy` itself where it does; "" if none differs.
        metric: "map" or "tuned_macro_f1", in which the rival leads. gain, other: its differences to the baseline there and in the
            other metric. chances: the probabilities of the gain, which allow for the other strategies.
        fresh: whether the gain was measured on seeds that had no part in the choice of the rival.
        more_splits: the total number of splits with which a true difference of the size of the gain (or of EQUAL, if that is
            larger) would be found with a probability of 80 %; None where it is decided, or up to 100 splits would not do.
        seconds: what those additional splits would take, in seconds of one process. new_seed: whether they are
            of the next seed, and count by themselves.
        backbones: other backbone with the same settings → the baseline's mAP on `backbone` minus that on the other one, on the
            splits of both.
        most_gain, most_high: the largest mean difference in mAP of a strategy on any backbone, and the largest upper end of its
            interval. compared: the number of strategies on `backbone`.
        rests_on: the label with few test rows that makes most of the gain; None if there is none, or if it was not looked up.
        command: the next command to run. sentences: the paragraph.
    """

    dataset: str
    data_sha256: str
    splits: int
    verdict: str
    backbone: str
    strategy: str
    decision: str
    scores: dict[str, float]
    rival: str
    metric: str
    gain: Difference | None
    other: Difference | None
    chances: Chances | None
    fresh: bool
    more_splits: int | None
    seconds: float
    new_seed: bool
    backbones: dict[str, Difference] = field(default_factory=dict)
    most_gain: float = 0.0
    most_high: float = 0.0
    compared: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    rests_on: Carrier | None = None
    command: str = ""
    sentences: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The paragraph as one string."""
        return " ".join(self.sentences)

    @property
    def decided(self) -> bool:
        """Whether more splits are not needed."""
        return self.verdict in (WON, NO_GAIN, TRADE)

    def record(self) -> dict[str, Any]:
        """Plain data for JSON, with the probabilities of the gain."""
        plain = dataclasses.asdict(self)
        if self.chances is not None:
            plain["chances"] = self.chances._asdict()
        if self.rests_on is not None:
            plain["rests_on"] = self.rests_on._asdict()
        return plain


def advise(comparisons: Sequence[Comparison], results: str = "", read: Reader | None = None) -> list[Advice]:
    """One piece of advice for each data set, in order; comparisons without a ranked baseline, and official splits, give none.

    Args:
        results: the store's folder for the commands; "" for the default one.
        read: reads rows with their results per label, for what a gain rests on; None: that is not looked up.
    """
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in comparisons:
        if comparison.baseline is not None and not comparison.official:
            groups.setdefault((comparison.dataset, comparison.data_sha256), []).append(comparison)
    return [_of_data(group, results, read) for group in groups.values()]


def _of_data(group: list[Comparison], results: str, read: Reader | None) -> Advice:
    # One lucky split of one backbone does not beat another one that was measured.
    settled = [table for table in group if len(table.units) >= FEW] or group
    found = max((find(table) for table in settled), key=_score)
    chosen, rival, used = found.table, found.rival, found.used
    more, seconds, anew = _more(found)
    most_gain, most_high = largest(settled)
    decision = _decision(used)
    advice = Advice(
        dataset=chosen.dataset,
        data_sha256=chosen.data_sha256,
        splits=len(found.judged.units),
        verdict=found.verdict,
        backbone=chosen.backbone,
        strategy=used.strategy,
        decision=decision,
        scores={MAP: used.means[MAP], "macro_f1": used.means[FIXED if decision == "fixed" else TUNED]},
        rival=rival.result.strategy if rival is not None else "",
        metric=rival.metric if rival is not None else MAP,
        gain=rival.gain if rival is not None else None,
        other=rival.other if rival is not None else None,
        chances=rival.chances if rival is not None else None,
        fresh=rival is not None and rival.fresh,
        more_splits=more,
        seconds=seconds,
        new_seed=anew,
        backbones=_backbones(chosen, settled),
        most_gain=most_gain,
        most_high=most_high,
        compared=len(chosen.ranked) - 1,
        settings=chosen.settings,
        rests_on=_rests_on(found, read),
    )
    advice = dataclasses.replace(advice, command=command(advice, found, results))
    return dataclasses.replace(advice, sentences=tuple(sentences(advice)))


def _rests_on(found: Finding, read: Reader | None) -> Carrier | None:
    """The one label that makes most of the rival's gain; looked up only for a gain that somebody might act on."""
    rival = found.rival
    if read is None or rival is None or found.verdict not in (WON, OPEN) or not rival.gain.mean > EQUAL:
        return None
    both = (BASELINE, rival.result.strategy)
    keys = {str(row["key"]) for row in found.judged.rows if row["strategy"] in both}
    return carrier(read(keys), rival.result.strategy, rival.metric)


def _score(found: Finding) -> tuple[float, float]:
    """mAP and tuned macro-F1 of what to use, which choose the backbone; −∞ where undefined."""
    pair = found.used.means[MAP], found.used.means[TUNED]
    return -math.inf if math.isnan(pair[0]) else pair[0], -math.inf if math.isnan(pair[1]) else pair[1]


def _decision(used: StrategyResult) -> str:
    """Tuned thresholds, unless the threshold 0.5 is better by more than EQUAL and more than chance explains."""
    if math.isnan(used.means[TUNED]):
        return "fixed"
    units = used.values[FIXED]
    gain = difference(units, used.values[TUNED], ratio=excess(units))
    return "fixed" if gain.mean > EQUAL and gain.p < 1 - LEVEL else "tuned"


def _backbones(chosen: Comparison, group: list[Comparison]) -> dict[str, Difference]:
    """The difference of the baselines' mAP to every other backbone with the same settings, paired on the splits of both."""
    differences: dict[str, Difference] = {}
    for other in group:
        ours, theirs = chosen.baseline, other.baseline
        if other.backbone == chosen.backbone or ours is None or theirs is None:
            continue
        # Paired: what a split is like for every backbone is no difference between them.
        shared = set(chosen.units) & set(other.units)
        if shared and other.settings == chosen.settings:
            pairs = {unit: ours.values[MAP][unit] for unit in shared}, theirs.values[MAP]
            found = difference(*pairs, ratio=excess(shared))
            # Two files of word vectors can share the name of a backbone: the better one counts.
            before = differences.get(other.backbone, found)
            differences[other.backbone] = min(before, found, key=lambda one: one.mean)
    return differences


def _more(found: Finding) -> tuple[int | None, float, bool]:
    """How many splits in total would decide, what the additional ones cost in seconds, and whether they are of a new seed."""
    judged, rival = found.judged, found.rival
    if found.verdict == UNKNOWN:
        if len(found.table.units) >= FEW or len(found.table.ranked) < 2:
            return None, math.nan, False
        # With few splits the best is mostly the luckiest, so that all strategies are run again.
        each = sum(result.seconds for result in found.table.ranked)
        return FEW, (FEW - len(found.table.units)) * each, False
    if found.verdict != OPEN or rival is None:
        return None, math.nan, False
    splits, new = _deciding(judged, rival)
    each = sum(result.seconds for result in (judged.baseline, rival.result) if result is not None)
    return splits, math.nan if splits is None else (splits - len(judged.units)) * each, new


def _deciding(judged: Comparison, rival: Candidate) -> tuple[int | None, bool]:
    """The total number of splits, and whether the additional ones are of a new seed: whichever takes fewer."""
    present = len(judged.units)
    if not rival.gain.error > 0:
        return present + FEW, False  # to estimate its variance at all
    target, share = max(abs(rival.gain.mean), EQUAL), share_of(rival.metric)
    # The present splits have chosen the strategy, so that together with them it is the best of several.
    longer = splits_to_decide(rival.gain, judged.units, target, rival.tests / share)
    anew = splits_to_decide(rival.gain, judged.units, target, 1 / share, afresh=True)
    if anew is None or rival.fresh or (longer is not None and longer <= present + anew):
        return longer, False
    return present + anew, True
