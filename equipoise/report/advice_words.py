"""The sentences and the command of a piece of advice, see `equipoise.report.advice`."""

from __future__ import annotations

import dataclasses
import math
import shlex
from typing import TYPE_CHECKING

from equipoise.experiment.settings import Settings
from equipoise.report.conclusions import duration, interval, number, percent
from equipoise.report.equalities import enumerated
from equipoise.report.significance import EQUAL, FEW, LEVEL
from equipoise.report.units import BASELINE

if TYPE_CHECKING:
    from equipoise.report.advice import Advice
    from equipoise.report.comparison import Comparison

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


def command(advice: Advice, comparison: Comparison, results: str) -> str:
    """The command that would decide, or confirm, or look at the data where neither is possible."""
    if not advice.compared:
        strategies, splits, seed = [BASELINE, "all"], max(FEW, advice.splits), None
    elif advice.verdict == "won":
        # What is decided is confirmed on splits of another seed.
        strategies, splits = [BASELINE, advice.rival], advice.splits
        seed = max(seed for seed, _ in comparison.units) + 1
    elif advice.more_splits is not None:
        strategies, splits, seed = [BASELINE, advice.rival], advice.more_splits, None
    else:
        return shlex.join(["equipoise", "diagnose", advice.dataset])
    words = ["equipoise", "run", "--dataset", advice.dataset, "--backbone", advice.backbone]
    words += [word for strategy in dict.fromkeys(strategies) for word in ("--strategy", strategy)]
    words += ["--splits", str(splits), *([] if seed is None else ["--seed", str(seed)])]
    words += _settings(comparison)
    return shlex.join([*words, *(["--results", results] if results else [])])


def _settings(comparison: Comparison) -> list[str]:
    """The options for the settings that are not the defaults."""
    words, defaults = [], dataclasses.asdict(Settings())
    for name, value in comparison.settings.items():
        option = name.replace("_", "-")
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
        *_splits(advice),
        *_backbones(advice),
        f"Next: {advice.command}",
    ]


def _use(advice: Advice) -> str:
    rule = "per-label tuned thresholds" if advice.decision == "tuned" else "the threshold 0.5"
    scores = f"mAP {number(advice.scores['map'])}, macro-F1 {number(advice.scores['macro_f1'])}"
    if advice.verdict == "won" and advice.gain is not None:
        size = f"{number(advice.gain.mean, True)} {interval(advice.gain)}".rstrip()
        gain = f"{size} {_named(advice.metric)} over no balancing"
        return f"Use {advice.strategy} on {advice.backbone} with {rule} ({scores}): {gain}."
    return f"Use {advice.backbone} without balancing ({BASELINE}) and with {rule} ({scores})."


def _named(metric: str) -> str:
    return "mAP" if metric == "map" else "tuned macro-F1"


def _how_sure(advice: Advice) -> list[str]:
    if not advice.compared:
        return ["No strategy was compared with it."]
    if advice.splits < FEW:
        return [f"With {advice.splits} of at least {FEW} splits this is a guess."]
    if advice.gain is None or advice.gain.chances is None:
        return ["No strategy that was tried is better on average."]
    better, equal, _ = advice.gain.chances
    what = f"more than {number(EQUAL)} {_named(advice.metric)}"
    if advice.verdict == "won":
        return [f"That it is better by {what} is {likelihood(better)} ({percent(better)})."]
    if advice.verdict == "no gain":
        best = f"for the best candidate, {advice.rival}, it is {likelihood(better)} ({percent(better)})"
        return [f"A strategy hardly gains {what}: {best}. More splits are not needed."]
    return [
        f"The best candidate is {advice.rival}: that it gains {what} is {likelihood(better)} ({percent(better)});"
        f" that it is within ±{number(EQUAL)} of no balancing has a probability of {percent(equal)}."
    ]


def _splits(advice: Advice) -> list[str]:
    """What more splits would show, and cost."""
    if advice.decided or advice.gain is None:
        return []
    if advice.more_splits is None:
        return [
            "More splits of these rows would not decide it; more labelled rows, or another backbone, may."
        ]
    additional = advice.more_splits - advice.splits
    cost = "" if math.isnan(advice.seconds) else f" (about {duration(advice.seconds)} of one process)"
    count = f"{additional} more split{'s' * (additional != 1)}{cost}"
    if advice.splits < FEW:
        return [f"{count} would give a first answer."]
    target = number(max(abs(advice.gain.mean), EQUAL))
    return [f"{count} would show a true difference of {target} with a probability of 80 %."]


def _backbones(advice: Advice) -> list[str]:
    """Whether the choice of the backbone matters more than that of the strategy; said only where it is significant."""
    larger = [
        f"{number(found.mean, True)} {interval(found)} over {name}"
        for name, found in advice.backbones.items()
        # Bonferroni for the backbones that the best one is compared with.
        if found.pairs >= FEW
        and found.p * len(advice.backbones) < 1 - LEVEL
        and found.mean > max(advice.most_gain, 0.0)
    ]
    if not larger:
        return []
    most = f"the most that a strategy gains on it is {number(advice.most_gain, True)}"
    return [
        f"The backbone matters more than any strategy: in mAP, {advice.backbone} has {enumerated(larger)} without balancing;"
        f" {most if advice.most_gain > 0 else 'no strategy gains anything on it'}."
    ]
