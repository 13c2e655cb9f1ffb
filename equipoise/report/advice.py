"""What to do about each data set: what to use now, how sure that is, and what more splits would show and cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.report.advice_words import command, sentences
from equipoise.report.comparison import Comparison
from equipoise.report.equalities import FIXED, TUNED
from equipoise.report.power import differing, share_of, splits_to_decide
from equipoise.report.results import StrategyResult
from equipoise.report.significance import EQUAL, FEW, Difference, difference
from equipoise.report.units import excess

MAP = "map"
WON, NO_GAIN, OPEN, UNKNOWN = "won", "no gain", "open", "unknown"
#: A strategy with a smaller probability of being better by more than EQUAL is not worth another split.
HARDLY = 0.05


@dataclass(frozen=True)
class Advice:
    """What to do about one data set: figures, and the sentences that a reader gets.

    Attributes:
        dataset, data_sha256: its name, and the hash of its content. splits: how many the advice rests on.
        verdict: WON: a strategy is significantly better; NO_GAIN: none can well be better by more than EQUAL; OPEN: one may be;
            UNKNOWN: fewer than five splits, or nothing to compare.
        backbone, strategy: what to use now. decision: its thresholds, "tuned" or "fixed".
        scores: the mean mAP ("map") and macro-F1 of what to use, the latter with those thresholds ("macro_f1").
        rival: the strategy that is most probably better than the baseline; `strategy` itself where that is significant; "" if
            none has a gain.
        metric: "map" or "tuned_macro_f1", in which the rival leads. gain: its difference to the baseline there; its `chances`
            say how sure the advice is.
        more_splits: the total number of splits with which a true difference of the size of the gain (or of EQUAL, if that is
            larger) would be found with a probability of 80 %; None where it is decided, or up to 100 splits would not do.
        seconds: what those additional splits of the baseline and the rival would take, in seconds of one process.
        backbones: other backbone → the baseline's mAP on `backbone` minus that on the other one, on the splits of both.
        most_gain: the largest mean difference in mAP of a strategy on `backbone`. compared: the number of strategies there.
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
    more_splits: int | None
    seconds: float
    backbones: dict[str, Difference] = field(default_factory=dict)
    most_gain: float = 0.0
    compared: int = 0
    command: str = ""
    sentences: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The paragraph as one string."""
        return " ".join(self.sentences)

    @property
    def decided(self) -> bool:
        """Whether more splits are not needed."""
        return self.verdict in (WON, NO_GAIN)

    def record(self) -> dict[str, Any]:
        """Plain data for JSON, with the probabilities of the gain."""
        plain = dataclasses.asdict(self)
        if self.gain is not None and self.gain.chances is not None:
            plain["chances"] = self.gain.chances._asdict()
        return plain


def advise(comparisons: Sequence[Comparison], results: str = "") -> list[Advice]:
    """One piece of advice for each data set, in order; comparisons without a ranked baseline, and official splits, give none.

    `results` is the store's folder for the commands; "" for the default one.
    """
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in comparisons:
        if comparison.baseline is not None and not comparison.official:
            groups.setdefault((comparison.dataset, comparison.data_sha256), []).append(comparison)
    return [_of_data(group, results) for group in groups.values()]


def _of_data(group: list[Comparison], results: str) -> Advice:
    chosen = max(group, key=_score)
    rival, metric = _rival(chosen)
    gain = rival.deltas[metric] if rival is not None else None
    verdict = _verdict(chosen, gain)
    more, seconds = None, math.nan
    if rival is not None and verdict in (OPEN, UNKNOWN):
        more, seconds = _more(chosen, rival, metric)
    used = rival if verdict == WON and rival is not None else chosen.baseline
    assert used is not None  # `advise` keeps comparisons with a baseline
    decision = "fixed" if used.means[FIXED] > used.means[TUNED] else "tuned"
    advice = Advice(
        dataset=chosen.dataset,
        data_sha256=chosen.data_sha256,
        splits=len(chosen.units),
        verdict=verdict,
        backbone=chosen.backbone,
        strategy=used.strategy,
        decision=decision,
        scores={MAP: used.means[MAP], "macro_f1": used.means[FIXED if decision == "fixed" else TUNED]},
        rival=rival.strategy if rival is not None else "",
        metric=metric,
        gain=gain,
        more_splits=more,
        seconds=seconds,
        backbones=_backbones(chosen, group),
        most_gain=max((r.deltas[MAP].mean for r in differing(chosen, MAP)), default=0.0),
        compared=len(chosen.ranked) - 1,
    )
    advice = dataclasses.replace(advice, command=command(advice, chosen, results))
    return dataclasses.replace(advice, sentences=tuple(sentences(advice)))


def _score(comparison: Comparison) -> tuple[float, float]:
    """The baseline's mAP and tuned macro-F1, which choose the backbone; −∞ where undefined."""
    means = comparison.baseline.means if comparison.baseline is not None else {}
    pair = means.get(MAP, math.nan), means.get(TUNED, math.nan)
    return -math.inf if math.isnan(pair[0]) else pair[0], -math.inf if math.isnan(pair[1]) else pair[1]


def _backbones(chosen: Comparison, group: list[Comparison]) -> dict[str, Difference]:
    """The difference of the baselines' mAP to every other backbone, paired on the splits that both have."""
    differences = {}
    for other in group:
        ours, theirs = chosen.baseline, other.baseline
        if other.backbone == chosen.backbone or ours is None or theirs is None:
            continue
        shared = set(chosen.units) & set(other.units)
        pairs = {unit: ours.values[MAP][unit] for unit in shared}, theirs.values[MAP]
        if shared:
            differences[other.backbone] = difference(*pairs, ratio=excess(shared))
    return differences


def _verdict(comparison: Comparison, gain: Difference | None) -> str:
    if len(comparison.units) < FEW or len(comparison.ranked) < 2:
        return UNKNOWN
    if gain is None:
        return NO_GAIN
    if gain.significant:
        return WON
    return NO_GAIN if _better(gain) < HARDLY else OPEN


def _better(delta: Difference) -> float:
    """The probability of a gain of more than EQUAL; 0 or 1 where there is only a mean."""
    return delta.chances.better if delta.chances is not None else float(delta.mean > EQUAL)


def _rival(comparison: Comparison) -> tuple[StrategyResult | None, str]:
    """The strategy that could replace the baseline, and the metric in which it leads.

    A significant gain comes first, in mAP before F1, and then the most probable one. A strategy that is significantly worse in
    the other metric is none.
    """
    found: list[tuple[tuple[bool, bool, float, float], StrategyResult, str]] = []
    for name, other in ((MAP, TUNED), (TUNED, MAP)):
        for result in differing(comparison, name):
            delta, beside = result.deltas[name], result.deltas.get(other)
            harmed = beside is not None and beside.significant and beside.mean < 0
            if delta.mean > 0 and not harmed:
                sure = delta.significant
                found.append(((sure, sure and name == MAP, _better(delta), delta.mean), result, name))
    if not found:
        return None, MAP
    _, result, name = max(found, key=lambda candidate: candidate[0])
    return result, name


def _more(comparison: Comparison, rival: StrategyResult, metric: str) -> tuple[int | None, float]:
    """How many splits in total would decide, and what the additional ones cost in seconds."""
    if len(comparison.units) < FEW:
        splits: int | None = FEW
    else:
        target = max(abs(rival.deltas[metric].mean), EQUAL)
        splits = splits_to_decide(rival.deltas[metric], comparison.units, target, 1 / share_of(metric))
    base = comparison.baseline
    each = (base.seconds if base is not None else math.nan) + rival.seconds
    return splits, math.nan if splits is None else (splits - len(comparison.units)) * each
