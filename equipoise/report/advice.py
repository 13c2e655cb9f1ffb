"""What to do, one paragraph for each data set: what to use now, how sure that is, and what more splits would show and cost."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.experiment.settings import Settings
from equipoise.report.comparison import Comparison
from equipoise.report.conclusions import MAP, interval, number, percent
from equipoise.report.equalities import FIXED, TUNED, enumerated
from equipoise.report.overlap import excess
from equipoise.report.power import differing, splits_to_decide
from equipoise.report.results import StrategyResult
from equipoise.report.significance import EQUAL, FEW, Difference, difference
from equipoise.report.table import duration
from equipoise.report.units import BASELINE


@dataclass(frozen=True)
class Advice:
    """What to do about one data set: figures, and the sentences that a reader gets.

    Attributes:
        dataset, variant: which comparisons this is about; `variant` is empty where there is one kind of settings and data.
        backbone, strategy: what to use now. decision: its thresholds, "tuned" or "fixed".
        metric: "map" or "tuned_macro_f1", in which `rival` was found.
        rival: the strategy with the largest gain over the baseline; `strategy` itself where that gain is significant; "" if no
            strategy differs.
        gain: the rival's difference to the baseline on that backbone. Its `chances` say how sure the advice is.
        more_splits: the total number of splits with which a true difference of the size of the gain (or of EQUAL, if that is
            larger) would be found with a probability of 80 %; None where it is decided, or up to 100 splits would not do.
        seconds: what those additional splits of the baseline and the rival would take, in seconds of one process.
        backbones: other backbone → the baseline's mAP on `backbone` minus that on the other one, on the splits of both.
        command: the next command to run.
        sentences: the paragraph.
    """

    dataset: str
    variant: str
    backbone: str
    strategy: str
    decision: str
    metric: str
    rival: str
    gain: Difference | None
    more_splits: int | None
    seconds: float
    backbones: dict[str, Difference] = field(default_factory=dict)
    command: str = ""
    sentences: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The paragraph as one string."""
        return " ".join(self.sentences)

    @property
    def decided(self) -> bool:
        """Whether the strategy was found to be better than the baseline."""
        return self.strategy != BASELINE

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
    groups: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        if comparison.baseline is not None and not comparison.official:
            name = [comparison.dataset, comparison.data_sha256, comparison.settings]
            groups.setdefault(json.dumps(name, sort_keys=True, default=str), []).append(comparison)
    return [_of_data(group, results) for group in groups.values()]


def likelihood(share: float) -> str:
    """A probability in words, as the IPCC uses them (Mastrandrea et al. 2010)."""
    scale = (
        (0.99, "virtually certain"),
        (0.9, "very likely"),
        (0.66, "likely"),
        (0.33, "about as likely as not"),
        (0.1, "unlikely"),
        (0.01, "very unlikely"),
    )
    return next((words for least, words in scale if share >= least), "exceptionally unlikely")


def _of_data(group: list[Comparison], results: str) -> Advice:
    chosen, backbones = _best_backbone(group)
    rival, metric = _rival(chosen)
    gain = rival.deltas[metric] if rival is not None else None
    enough = len(chosen.units) >= FEW
    won = rival is not None and enough and rival.deltas[metric].significant and rival.deltas[metric].mean > 0
    more, seconds = (None, math.nan) if rival is None or won else _more(chosen, rival, metric)
    used = rival if won and rival is not None else chosen.baseline
    assert used is not None  # `advise` keeps comparisons with a baseline
    decision = "fixed" if used.means[FIXED] > used.means[TUNED] else "tuned"
    advice = Advice(
        dataset=chosen.dataset,
        variant=chosen.variant,
        backbone=chosen.backbone,
        strategy=used.strategy,
        decision=decision,
        metric=metric,
        rival=rival.strategy if rival is not None else "",
        gain=gain,
        more_splits=more,
        seconds=seconds,
        backbones=backbones,
    )
    advice = dataclasses.replace(advice, command=_command(advice, chosen, results))
    return dataclasses.replace(advice, sentences=tuple(_sentences(advice, chosen)))


def _best_backbone(group: list[Comparison]) -> tuple[Comparison, dict[str, Difference]]:
    """The comparison whose baseline has the highest mean mAP, and its differences to the others on the splits of both."""
    chosen = max(group, key=lambda comparison: _score(comparison))
    differences = {}
    for other in group:
        shared = sorted(set(chosen.units) & set(other.units), key=str)
        if other is not chosen and shared and other.baseline is not None and chosen.baseline is not None:
            ours, theirs = ({u: c.baseline.values[MAP][u] for u in shared} for c in (chosen, other))  # type: ignore[union-attr]
            differences[other.backbone] = difference(ours, theirs, ratio=excess(shared))
    return chosen, differences


def _score(comparison: Comparison) -> tuple[float, float]:
    means = comparison.baseline.means if comparison.baseline is not None else {}
    pair = (means.get(MAP, math.nan), means.get(TUNED, math.nan))
    return tuple(-math.inf if math.isnan(value) else value for value in pair)  # type: ignore[return-value]


def _rival(comparison: Comparison) -> tuple[StrategyResult | None, str]:
    """The strategy that could replace the baseline, and the metric in which it leads: a significant gain first, mAP before F1.

    A strategy that is significantly worse in the other metric is none.
    """
    found: list[tuple[tuple[bool, bool, float], StrategyResult, str]] = []
    for name, other in ((MAP, TUNED), (TUNED, MAP)):
        for result in differing(comparison, name):
            delta, beside = result.deltas[name], result.deltas.get(other)
            harmed = beside is not None and beside.significant and beside.mean < 0
            if delta.mean > 0 and not harmed:
                found.append(((delta.significant, name == MAP, delta.mean), result, name))
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
        splits = splits_to_decide(rival.deltas[metric], comparison.units, target)
    base = comparison.baseline
    each = (base.seconds if base is not None else math.nan) + rival.seconds
    return splits, math.nan if splits is None else (splits - len(comparison.units)) * each


def _command(advice: Advice, comparison: Comparison, results: str) -> str:
    """The command that would decide, or confirm, or look at the data where neither is possible."""
    if advice.more_splits is None and not advice.decided:
        return f"equipoise diagnose {shlex.quote(advice.dataset)}"
    strategies = dict.fromkeys((BASELINE, advice.rival))
    words = ["equipoise", "run", "--dataset", advice.dataset, "--backbone", advice.backbone]
    words += [word for strategy in strategies for word in ("--strategy", strategy)]
    # What is decided is confirmed on other splits; what is not gets more of them.
    words += ["--splits", str(advice.more_splits or len(comparison.units))]
    words += ["--seed", str(max(seed for seed, _ in comparison.units) + 1)] if advice.decided else []
    defaults = dataclasses.asdict(Settings())
    for name, value in comparison.settings.items():
        if name in defaults and value != defaults[name]:
            option = name.replace("_", "-")
            words += (
                [f"--{option}" if value else f"--no-{option}"]
                if isinstance(value, bool)
                else [f"--{option}", str(value)]
            )
    return shlex.join([*words, *(["--results", results] if results else [])])


def _sentences(advice: Advice, comparison: Comparison) -> list[str]:
    return [
        _use(advice, comparison),
        *_how_sure(advice, comparison),
        *_splits(advice, comparison),
        *_backbones(advice, comparison),
        f"Next: {advice.command}",
    ]


def _use(advice: Advice, comparison: Comparison) -> str:
    rule = "per-label tuned thresholds" if advice.decision == "tuned" else "the threshold 0.5"
    if advice.decided and advice.gain is not None:
        size = f"{number(advice.gain.mean, True)} {interval(advice.gain)}".rstrip()
        return f"Use {advice.strategy} on {advice.backbone} with {rule}: {size} {_named(advice.metric)} over no balancing."
    base = comparison.baseline
    scores = (
        ""
        if base is None
        else f" (mAP {number(base.means[MAP])}, macro-F1 {number(base.means[TUNED])} tuned)"
    )
    return f"Use {advice.backbone} without balancing ({BASELINE}) and with {rule}{scores}."


def _named(metric: str) -> str:
    return "mAP" if metric == MAP else "tuned macro-F1"


def _how_sure(advice: Advice, comparison: Comparison) -> list[str]:
    if advice.gain is None:
        return ["No strategy that was tried is better on average."]
    if len(comparison.units) < FEW:
        return [f"With {len(comparison.units)} of at least {FEW} splits this is not known yet."]
    if advice.gain.chances is None:
        return []
    better, equal, _ = advice.gain.chances
    if advice.decided:
        return [
            f"That it is better by more than {number(EQUAL)} is {likelihood(better)} ({percent(better)})."
        ]
    return [
        f"The best candidate, {advice.rival}, is {likelihood(better)} ({percent(better)}) to be better by more than"
        f" {number(EQUAL)} {_named(advice.metric)}, and within ±{number(EQUAL)} of no balancing with {percent(equal)}."
    ]


def _splits(advice: Advice, comparison: Comparison) -> list[str]:
    """What more splits would show, and cost."""
    if advice.decided or advice.gain is None:
        return []
    if advice.more_splits is None:
        return ["More splits would hardly decide it: not even 100 would show a difference of that size."]
    additional = advice.more_splits - len(comparison.units)
    cost = "" if math.isnan(advice.seconds) else f" (about {duration(advice.seconds)} of one process)"
    if len(comparison.units) < FEW:
        return [f"{additional} more splits{cost} would give a first answer."]
    target = number(max(abs(advice.gain.mean), EQUAL))
    return [
        f"{additional} more splits{cost} would show a true difference of {target} with a probability of 80 %."
    ]


def _backbones(advice: Advice, comparison: Comparison) -> list[str]:
    """Whether the choice of the backbone matters more than that of the strategy."""
    if len(comparison.units) < FEW or not advice.backbones:
        return []
    sure = {
        name: d
        for name, d in advice.backbones.items()
        if d.p < 0.05 / len(advice.backbones) and d.pairs >= FEW
    }
    gains = [
        abs(result.deltas[MAP].mean) for result in differing(comparison, MAP) if result.deltas[MAP].mean > 0
    ]
    most = max(gains, default=0.0)
    larger = [
        f"{number(d.mean, True)} {interval(d)} over {name}" for name, d in sure.items() if d.mean > most
    ]
    if not larger:
        return (
            ["No difference between the backbones is as sure as it is larger than what a strategy gains."]
            if not sure
            else []
        )
    return [
        f"The backbone matters more than any strategy: without balancing {advice.backbone} has {enumerated(larger)} mAP, and"
        f" the most that a strategy gains on it is {number(most, True)}."
    ]
