"""A comparison in plain sentences, each derived from its numbers: what works here, how sure, what is a threshold."""

from __future__ import annotations

import math

from equipoise.report.comparison import BASELINE, Compare, Comparison, StrategyResult
from equipoise.report.significance import Difference, difference, on_one_split

FIXED, TUNED = "fixed_macro_f1", "tuned_macro_f1"
NOTABLE = 0.01  # macro-F1; below this a gain at 0.5 is not worth a sentence
FEW = 5  # splits; with fewer, only large differences can show


def number(value: float, sign: bool = False) -> str:
    """Write .655, +.021 or −.003; a dash when undefined."""
    if math.isnan(value):
        return "–"
    rounded = round(value, 3)
    text = f"{abs(rounded):.3f}".removeprefix("0")
    mark = "−" if rounded < 0 else "+" if sign and rounded > 0 else "±" if sign else ""
    return mark + text


def interval(found: Difference) -> str:
    """Write [−.003, +.045]; nothing when there is no interval."""
    if math.isnan(found.low):
        return ""
    return f"[{number(found.low, True)}, {number(found.high, True)}]"


def _sized(found: Difference) -> str:
    span = interval(found)
    return f"{number(found.mean, True)} {span}" if span else number(found.mean, True)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def conclusions(one: Comparison) -> list[str]:
    """Return the sentences that close a comparison."""
    base, others = one.baseline, [line for line in one.ranked if line.strategy != BASELINE]
    if not one.ranked:
        return ["Nothing can be ranked: no strategy finished on every split."]
    if base is None:
        return [
            f"Without a complete {BASELINE!r} there is nothing to hold the strategies against; run it too."
        ]
    if not others:
        return [f"Only {BASELINE!r} is complete; add strategies to compare.", *_thresholds(base)]
    if one.official:
        return [_official(others, len(one.units)), *_disguise(others), *_thresholds(base, on_one_split)]
    tuned = [_one_split(others)] if len(one.units) == 1 else _gains(others, len(one.units))
    return [*tuned, *_disguise(others), *_thresholds(base)]


def _one_split(others: list[StrategyResult]) -> str:
    best = max(others, key=_gain)
    return (
        f"One split says nothing about chance: {best.strategy} is {number(_gain(best), True)} macro-F1 from none with"
        f" tuned thresholds, and another split may reverse that; run at least {FEW}."
    )


def _official(others: list[StrategyResult], seeds: int) -> str:
    """The published split can be held against published numbers, and says nothing about chance."""
    best = max(others, key=_gain)
    over = f", averaged over {seeds} seeds," if seeds > 1 else ""
    gain = number(_gain(best), True)
    lead = f"{best.strategy} is {gain} macro-F1 from none with tuned thresholds"
    if not _gain(best) > 0:
        lead = f"none itself leads, the nearest is {best.strategy}'s {gain} macro-F1 with tuned thresholds"
    return (
        f"On the official split{over} {lead}. It is one split, to hold against published numbers; what another draw of"
        f" the rows would give, it cannot say: for that, run {FEW} splits (--splits {FEW})."
    )


def _gain(line: StrategyResult) -> float:
    found = line.deltas[TUNED].mean
    return -math.inf if math.isnan(found) else found


def _gains(others: list[StrategyResult], splits: int) -> list[str]:
    """Say who beats `none` with tuned thresholds, who loses to it, or that nobody can be told from it."""
    better = [line for line in others if line.deltas[TUNED].significant and line.deltas[TUNED].mean > 0]
    worse = [line for line in others if line.deltas[TUNED].significant and line.deltas[TUNED].mean < 0]
    said = [_winners(better)] if better else [_nobody(others, splits)]
    if worse:
        listed = _listed([f"{line.strategy} ({_sized(line.deltas[TUNED])})" for line in worse])
        said.append(f"Worse than none even with tuned thresholds: {listed}.")
    return said


def _winners(better: list[StrategyResult]) -> str:
    listed = _listed([f"{line.strategy} ({_sized(line.deltas[TUNED])})" for line in better])
    verb = "beats" if len(better) == 1 else "beat"
    return f"With tuned thresholds {listed} {verb} none in macro-F1, beyond what chance explains."


def _nobody(others: list[StrategyResult], splits: int) -> str:
    best = max(others, key=_gain)
    few = f" With {splits} splits only large differences could show." if splits < FEW else ""
    alone = best.deltas[TUNED].low > 0
    luck = ", no more than the best of several may reach by chance" if alone else ""
    size = f"{best.strategy}'s {_sized(best.deltas[TUNED])}"
    lead = (
        f"the largest gain is {size}{luck}"
        if _gain(best) > 0
        else f"none itself leads, the nearest is {size}"
    )
    return f"With tuned thresholds no strategy's macro-F1 can be told from none's; {lead}.{few}"


def _disguise(others: list[StrategyResult]) -> list[str]:
    """Name the strategies that win at 0.5 and lose most of it once everybody's thresholds are tuned."""
    suspects = [line for line in others if _faded(line)]
    if not suspects:
        return []
    sure = [line for line in suspects if _shown(line)]
    unsure = [line for line in suspects if not _shown(line)]
    said = []
    words = ("mostly a threshold in disguise", "perhaps a threshold in disguise, too uncertain to say")
    for lines, verdict in zip((sure, unsure), words, strict=True):
        if lines:
            listed = _listed([_fading(line) for line in lines])
            said.append(f"Gain over none at .5 → with tuned thresholds: {listed}: {verdict}.")
    return said


def _faded(line: StrategyResult) -> bool:
    at_half, tuned = line.deltas[FIXED].mean, line.deltas[TUNED]
    return at_half >= NOTABLE and tuned.mean < at_half / 2 and not (tuned.significant and tuned.mean > 0)


def _shown(line: StrategyResult) -> bool:
    """The gain at 0.5 is real, and the tuned gain is surely smaller than it."""
    return line.deltas[FIXED].significant and line.deltas[TUNED].high < line.deltas[FIXED].mean


def _fading(line: StrategyResult) -> str:
    at_half, tuned = line.deltas[FIXED].mean, line.deltas[TUNED].mean
    return f"{line.strategy} {number(at_half, True)} → {number(tuned, True)}"


def _thresholds(base: StrategyResult, compare: Compare = difference) -> list[str]:
    """Say what tuned thresholds alone do to `none`: the cheapest strategy there is."""
    found = compare(base.values[TUNED], base.values[FIXED])
    if math.isnan(found.mean):
        return []
    said = f"Tuned thresholds alone take none from {number(base.means[FIXED])} to {number(base.means[TUNED])}"
    return [f"{said} ({_sized(found)})."]
