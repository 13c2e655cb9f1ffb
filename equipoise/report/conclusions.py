"""Puts a comparison into sentences: what works, how certain it is, and which gains tuned thresholds give as well."""

from __future__ import annotations

import math

from equipoise.report.comparison import BASELINE, Comparison, StrategyResult
from equipoise.report.equalities import FIXED, PLACES, TUNED, enumerated, sentences
from equipoise.report.ranking import Compare
from equipoise.report.significance import Difference, difference, on_one_split

NOTABLE = 0.01  # macro-F1; a smaller gain at 0.5 is not mentioned
FEW = 5  # splits; with fewer, only large differences can be significant


def number(value: float, sign: bool = False) -> str:
    """Write a score as .655, or with its sign as +.021 or −.003; a dash if it is undefined."""
    if math.isnan(value):
        return "–"
    rounded = round(value, 3)  # before the sign is chosen, so that −.0001 is written ±.000
    text = f"{abs(rounded):.3f}".removeprefix("0")
    mark = "−" if rounded < 0 else "+" if sign and rounded > 0 else "±" if sign else ""
    return mark + text


def interval(delta: Difference) -> str:
    """Write an interval as [−.003, +.045]; "" if there is none."""
    if math.isnan(delta.low):
        return ""
    return f"[{number(delta.low, True)}, {number(delta.high, True)}]"


def _sized(delta: Difference) -> str:
    span = interval(delta)
    return f"{number(delta.mean, True)} {span}" if span else number(delta.mean, True)


def conclusions(comparison: Comparison) -> list[str]:
    """Return the sentences at the end of a comparison."""
    base = comparison.baseline
    others = [result for result in comparison.ranked if result.strategy != BASELINE]
    if not comparison.ranked:
        return ["Nothing can be ranked: no strategy finished on every split."]
    if base is None:
        return [
            f"Without a complete {BASELINE!r} there is no baseline to compare the strategies with; run it as well."
        ]
    # A score is undefined where no label has a positive test row; nothing can be said of it.
    differing = [
        result
        for result in others
        if result.same_as.get(TUNED) != BASELINE and math.isfinite(result.deltas[TUNED].mean)
    ]
    equal = _equalities(comparison)
    if not others:
        return [f"Only {BASELINE!r} is complete; add strategies to compare.", *_thresholds(base)]
    # A single split, official or not, has no interval, so its sentences claim nothing about chance.
    if comparison.official:
        return [
            *([_official(differing, len(comparison.units))] if differing else []),
            *equal,
            *_disguise(others),
            *_thresholds(base, on_one_split),
        ]
    splits = len(comparison.units)
    gains = (
        [_one_split(differing)]
        if splits == 1 and differing
        else _gains(differing, splits)
        if differing
        else []
    )
    return [*gains, *equal, *_disguise(others), *_thresholds(base)]


def _equalities(comparison: Comparison) -> list[str]:
    """Name the strategies that cannot differ from another one, and say how far apart they were measured."""
    found = sentences({result.strategy: result.same_as for result in comparison.ranked}, BASELINE)
    # Zeros are written as "same" in the table.
    apart = [
        f"{number(gap)} {_metric(name)}"
        for name, gap in comparison.noise.items()
        if number(gap) != number(0.0)
    ]
    if not apart:
        return found
    noise = f"Strategies that cannot differ were measured up to {enumerated(apart)} apart"
    return [*found, f"{noise}: differences of that size are noise of the training and the search."]


def _metric(name: str) -> str:
    return "mAP" if name == "map" else f"macro-F1 {PLACES[name]}"


def _one_split(others: list[StrategyResult]) -> str:
    best = max(others, key=_gain)
    return (
        f"One split says nothing about chance: with tuned thresholds {best.strategy} differs from the baseline by"
        f" {number(_gain(best), True)} macro-F1, and another split may reverse that; run at least {FEW}."
    )


def _official(others: list[StrategyResult], seeds: int) -> str:
    """The sentence on the official split: comparable to published numbers, but without a statement about chance."""
    best = max(others, key=_gain)
    over = f", averaged over {seeds} seeds," if seeds > 1 else ""
    gain = number(_gain(best), True)
    lead = f"{best.strategy} differs from the baseline by {gain} macro-F1 with tuned thresholds"
    if not _gain(best) > 0:
        lead = (
            f"the baseline ranks first, followed by {best.strategy} with {gain} macro-F1 (tuned thresholds)"
        )
    return (
        f"On the official split{over} {lead}. It is one split, for comparison with published numbers; it cannot show how"
        f" results vary with the split; for that, run {FEW} splits (--splits {FEW})."
    )


def _gain(result: StrategyResult) -> float:
    """The mean gain with tuned thresholds; −∞ if it is undefined, so that it never is the largest."""
    mean = result.deltas[TUNED].mean
    return -math.inf if math.isnan(mean) else mean


def _gains(others: list[StrategyResult], splits: int) -> list[str]:
    """Name the strategies that are significantly better or worse than `none` with tuned thresholds, or say: none is."""
    better = [
        result for result in others if result.deltas[TUNED].significant and result.deltas[TUNED].mean > 0
    ]
    worse = [
        result for result in others if result.deltas[TUNED].significant and result.deltas[TUNED].mean < 0
    ]
    sentences = [_winners(better)] if better else [_no_winner(others, splits)]
    if worse:
        listed = enumerated([f"{result.strategy} ({_sized(result.deltas[TUNED])})" for result in worse])
        sentences.append(f"Worse than the baseline even with tuned thresholds: {listed}.")
    return sentences


def _winners(better: list[StrategyResult]) -> str:
    listed = enumerated([f"{result.strategy} ({_sized(result.deltas[TUNED])})" for result in better])
    verb = "beats" if len(better) == 1 else "beat"
    return f"With tuned thresholds {listed} {verb} the baseline in macro-F1 by more than chance explains."


def _no_winner(others: list[StrategyResult], splits: int) -> str:
    best = max(others, key=_gain)
    few = f" With {splits} splits only large differences can be significant." if splits < FEW else ""
    # Its interval alone excludes 0, but Holm's adjustment for all strategies does not.
    significant_alone = best.deltas[TUNED].low > 0
    luck = ", but the best of several strategies can gain that much by chance" if significant_alone else ""
    size = _sized(best.deltas[TUNED])
    lead = (
        f"the largest gain is that of {best.strategy}, {size}{luck}"
        if _gain(best) > 0
        else f"the baseline ranks first, followed by {best.strategy} with {size}"
    )
    return (
        f"With tuned thresholds no strategy differs significantly from the baseline in macro-F1; {lead}.{few}"
    )


def _disguise(others: list[StrategyResult]) -> list[str]:
    """Name the strategies whose gain at 0.5 mostly vanishes once the thresholds of all strategies are tuned."""
    suspects = [result for result in others if _faded(result)]
    if not suspects:
        return []
    sure = [result for result in suspects if _shown(result)]
    unsure = [result for result in suspects if not _shown(result)]
    sentences = []
    words = ("mostly a threshold in disguise", "perhaps a threshold in disguise, but too uncertain to say")
    for results, verdict in zip((sure, unsure), words, strict=True):
        if results:
            listed = enumerated([_fading(result) for result in results])
            sentences.append(f"Gain over the baseline at .5 → with tuned thresholds: {listed}: {verdict}.")
    return sentences


def _faded(result: StrategyResult) -> bool:
    """Whether there is a notable gain at 0.5 of which less than half, and nothing significant, is left when tuned."""
    at_half, tuned = result.deltas[FIXED].mean, result.deltas[TUNED]
    return at_half >= NOTABLE and tuned.mean < at_half / 2 and not (tuned.significant and tuned.mean > 0)


def _shown(result: StrategyResult) -> bool:
    """Whether the gain at 0.5 is significant and lies above the interval of the tuned gain."""
    # Not a test of the difference of the two gains, but stricter than comparing their means.
    return result.deltas[FIXED].significant and result.deltas[TUNED].high < result.deltas[FIXED].mean


def _fading(result: StrategyResult) -> str:
    at_half, tuned = result.deltas[FIXED].mean, result.deltas[TUNED].mean
    return f"{result.strategy} {number(at_half, True)} → {number(tuned, True)}"


def _thresholds(base: StrategyResult, compare: Compare = difference) -> list[str]:
    """Say what threshold tuning alone, the cheapest strategy of all, does to the baseline."""
    delta = compare(base.values[TUNED], base.values[FIXED])
    if math.isnan(delta.mean):
        return []
    verb = "raises" if delta.mean > 0 else "changes"
    scores = f"{number(base.means[FIXED])} to {number(base.means[TUNED])}"
    return [f"Threshold tuning alone {verb} the baseline from {scores} ({_sized(delta)})."]
