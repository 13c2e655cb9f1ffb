"""The sentences and the command of a piece of advice, see `equipoise.report.advice`."""

from __future__ import annotations

import dataclasses
import math
import shlex
from typing import TYPE_CHECKING

from equipoise.core.errors import shown
from equipoise.experiment.settings import Settings
from equipoise.report.equalities import enumerated
from equipoise.report.power import MOST_SPLITS
from equipoise.report.significance import EQUAL, FEW, LEVEL, Chances, Difference
from equipoise.report.units import BASELINE
from equipoise.report.verdicts.candidates import NO_GAIN, TRADE, UNKNOWN, WON, WORTH
from equipoise.report.words.numbers import duration, interval, number, percent

if TYPE_CHECKING:
    from equipoise.report.advice import Advice
    from equipoise.report.comparison import Comparison
    from equipoise.report.verdicts.candidates import Finding

#: The least probability of each wording (Mastrandrea et al. 2010, the guidance note of the IPCC on uncertainties).
WORDS = (
    (0.99, "virtually certain"),
    (0.9, "very likely"),
    (0.66, "likely"),
    (0.33, "about as likely as not"),
    (0.1, "unlikely"),
    (0.01, "very unlikely"),
)


def likelihood(share: float) -> str:
    """A probability in words."""
    return next((words for least, words in WORDS if share >= least), "exceptionally unlikely")


def command(advice: Advice, found: Finding, results: str) -> str:
    """The command that would decide, or confirm, or look at the data where neither is possible."""
    units = found.judged.units
    seed, splits = max(seed for seed, _ in units), advice.splits
    if not advice.compared:
        strategies, splits = [BASELINE, "all"], max(FEW, splits)
    elif advice.verdict == WON and not advice.fresh:
        # What is decided is confirmed on splits of another seed.
        strategies, seed = [BASELINE, advice.rival], seed + 1
    elif advice.more_splits is not None:
        ranked = [BASELINE, *(result.strategy for result in found.table.ranked)]
        strategies = ranked if advice.verdict == UNKNOWN else [BASELINE, advice.rival]
        # The splits of earlier seeds are there already.
        splits = advice.more_splits - sum(advice.new_seed or other != seed for other, _ in units)
        seed += advice.new_seed
    else:
        return shlex.join(["equipoise", "diagnose", advice.dataset])
    words = ["equipoise", "run", "--dataset", advice.dataset, "--backbone", advice.backbone]
    words += [word for strategy in dict.fromkeys(strategies) for word in ("--strategy", strategy)]
    words += ["--splits", str(splits), *(["--seed", str(seed)] if seed else [])]
    words += _settings(found.table)
    return shlex.join([*words, *(["--results", results] if results else [])])


def _settings(comparison: Comparison) -> list[str]:
    """The options for the settings that are not the defaults."""
    words, defaults = [], dataclasses.asdict(Settings())
    for name, value in comparison.settings.items():
        option = name.replace("_", "-")
        # A truth value is a flag, which takes no value.
        if isinstance(value, bool) and value != defaults.get(name):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif name in defaults and value != defaults[name]:
            words += [f"--{option}", str(value)]
    return words


def sentences(advice: Advice) -> list[str]:
    """The paragraph: what to use, how sure that is, what more splits would show, whether the backbone matters more, what next."""
    return [
        _use(advice),
        *_how_sure(advice),
        *_one_label(advice),
        *_splits(advice),
        *_backbones(advice),
        f"Next: {advice.command}",
    ]


def _use(advice: Advice) -> str:
    rule = "per-label tuned thresholds" if advice.decision == "tuned" else "the threshold 0.5"
    scores = f"mAP {number(advice.scores['map'])}, macro-F1 {number(advice.scores['macro_f1'])}"
    if advice.verdict == WON and advice.gain is not None:
        gain = f"{_sized(advice.gain)} {_named(advice.metric)} over {BASELINE}"
        return f"Use {advice.strategy} on {advice.backbone} with {rule} ({scores}): {gain}{_beside(advice, ', and ')}."
    return f"Use {advice.backbone} without balancing ({BASELINE}) and with {rule} ({scores})."


def _named(metric: str) -> str:
    return "mAP" if metric == "map" else "tuned macro-F1"


def _sized(delta: Difference) -> str:
    return f"{number(delta.mean, True)} {interval(delta)}".rstrip()


def _beside(advice: Advice, lead: str) -> str:
    """The difference in the other metric, so that no gain hides a loss."""
    if advice.other is None or math.isnan(advice.other.mean):
        return ""
    return f"{lead}{_sized(advice.other)} {_named('tuned_macro_f1' if advice.metric == 'map' else 'map')}"


def _how_sure(advice: Advice) -> list[str]:
    if not advice.compared:
        return ["No strategy was compared with it."]
    if advice.splits < FEW:
        return [f"With {advice.splits} of at least {FEW} splits this is a guess."]
    if advice.gain is None:
        return [f"No strategy that was tried differs from {BASELINE}."]
    what = f"more than {number(EQUAL)} {_named(advice.metric)}"
    told = _verdict(advice, advice.gain, what)
    if advice.fresh:
        last = f"The splits of a later seed, which had no part in the choice of {advice.rival}, alone count here."
        told = [last, *told]
    return told


def _one_label(advice: Advice) -> list[str]:
    """A caution where one label with few test rows makes most of the gain."""
    if advice.rests_on is None:
        return []
    label, _, rows = advice.rests_on
    return [
        f"Most of this gain comes from one label, {shown(label)}, which has {rows:.1f} test rows a split: it may be"
        " chance, or a training that had not begun to learn a rare label. See whether it stays with more epochs."
    ]


def _verdict(advice: Advice, gain: Difference, what: str) -> list[str]:
    """How sure the verdict is."""
    better = advice.chances.better if advice.chances is not None else math.nan
    size = f"{_sized(gain)} {_named(advice.metric)}"
    if advice.verdict == WON:
        # Shrinkage takes the variance for known; the t distribution does not.
        sure = min(better, gain.chances.better) if gain.chances is not None else better
        return [f"That it is better by {what} is {likelihood(sure)} ({percent(sure)})."]
    if advice.verdict == TRADE:
        return [
            f"{advice.rival} trades one metric for the other, both significantly: {size}{_beside(advice, ' against ')}; which"
            " of them matters more is for you to decide."
        ]
    if advice.chances is None or gain.chances is None:
        return [f"The best candidate is {advice.rival} ({size}), but its variance cannot be estimated."]
    small = [f"{advice.rival} gains {size}: significant, but too small to matter; {BASELINE} is simpler."]
    small = small if gain.significant and gain.mean > 0 and better < WORTH else []
    if advice.verdict == NO_GAIN:
        best = f"for the best candidate, {advice.rival}, that has a probability of {percent(gain.chances.better)}"
        return [
            *small,
            f"No strategy that was tried on {advice.backbone} is likely to gain {what}: {best}. More splits are not needed.",
        ]
    return [*small, _candidate(advice, gain.chances, what, better)]


def _candidate(advice: Advice, alone: Chances, what: str, better: float) -> str:
    """The best candidate where nothing is decided: a probability, and no word for it, because it was picked as the best."""
    told = (
        f"The best candidate is {advice.rival} ({_sized_gain(advice)}{_beside(advice, '; ')}): taken by itself, the probability"
        f" that it gains {what} is {percent(alone.better)}, and that it is within ±{number(EQUAL)} of {BASELINE},"
        f" {percent(alone.equal)}"
    )
    if advice.compared > 1 and not advice.fresh:
        picked = f"It was picked as the best of {advice.compared}, so this is too high"
        return f"{told}. {picked}; allowing for that, the probability is {percent(better)}."
    return f"{told}."


def _sized_gain(advice: Advice) -> str:
    return f"{_sized(advice.gain)} {_named(advice.metric)}" if advice.gain is not None else ""


def _splits(advice: Advice) -> list[str]:
    """What more splits would show, and cost."""
    if advice.decided or not advice.compared:
        return []
    if advice.more_splits is None:
        return [
            f"Up to {MOST_SPLITS} splits of these rows would probably not show a gain of this size; more labelled rows may."
        ]
    additional = advice.more_splits - advice.splits
    cost = "" if math.isnan(advice.seconds) else f" (about {duration(advice.seconds)} of one process)"
    count = f"{additional} more split{'s' * (additional != 1)}{cost}"
    if advice.splits < FEW:
        return [f"{count} of all strategies would give a first answer."]
    # Without a standard error, as with equal differences on all splits, how many would be enough is unknown.
    if advice.gain is None or not advice.gain.error > 0:
        return [f"{count} would show how far it varies."]
    # A difference within ±EQUAL would not matter, so none smaller is looked for.
    target = number(max(abs(advice.gain.mean), EQUAL))
    if advice.new_seed:
        count = f"{count} of a new seed, which have no part in the choice of {advice.rival},"
    return [f"{count} would usually show a true difference of {target}."]


def _backbones(advice: Advice) -> list[str]:
    """Whether the choice of the backbone matters more than that of the strategy; said only where it is significant."""
    compared = len(advice.backbones) + 1
    # The best of them was picked by its mAP, so that every pair is a comparison.
    pairs = compared * (compared - 1) / 2
    larger = [
        f"{_sized(found)} over {name}"
        for name, found in advice.backbones.items()
        if found.pairs >= FEW and found.p * pairs < 1 - LEVEL and found.low > max(advice.most_high, 0.0)
    ]
    if not larger:
        return []
    most = f"the most that a strategy gains is {number(advice.most_gain, True)}"
    return [
        f"The backbone matters more than any strategy that was tried: in mAP, {advice.backbone} has {enumerated(larger)} without"
        f" balancing; {most if advice.most_gain > 0 else 'no strategy gains anything'}."
    ]
