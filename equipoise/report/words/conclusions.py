"""Puts a comparison into sentences: what works, how certain it is, and which gains tuned thresholds give as well."""

from __future__ import annotations

import math

from equipoise.report.comparison import BASELINE, Comparison, StrategyResult
from equipoise.report.equalities import FIXED, PLACES, TUNED, enumerated, sentences
from equipoise.report.power import detectable, differing
from equipoise.report.results import THRESHOLD
from equipoise.report.significance import EQUAL, FEW, MIN_PAIRS, Difference
from equipoise.report.verdicts.shrinkage import best_of
from equipoise.report.words.numbers import interval, number, percent

NOTABLE = 0.01  # macro-F1; a smaller gain at 0.5 is not mentioned
MAP = "map"


def _sized(delta: Difference) -> str:
    span = interval(delta)
    return f"{number(delta.mean, True)} {span}" if span else number(delta.mean, True)


def conclusions(comparison: Comparison) -> list[str]:
    """Return the sentences at the end of a comparison."""
    base = comparison.baseline
    others = [result for result in comparison.ranked if result.strategy != BASELINE]
    if not comparison.ranked:
        return ["Nothing can be ranked: no strategy finished on every split."]
    # What follows are differences from the baseline.
    if base is None:
        return [_without_baseline(comparison)]
    if not others:
        return [f"Only {BASELINE!r} is complete; add strategies to compare.", *_thresholds(base)]
    equal = _equalities(comparison)
    if comparison.official:
        return [*_official(comparison), *equal, *_thresholds(base)]
    splits = len(comparison.units)
    if splits < FEW:
        told = _one_split(comparison) if splits == 1 else _few(comparison)
        return [*told, *_power(comparison), *equal, *_thresholds(base)]
    told = [sentence for name in (MAP, TUNED) for sentence in _gains(comparison, name)]
    return [*told, *_power(comparison), *equal, *_disguise(others), *_thresholds(base)]


def _without_baseline(comparison: Comparison) -> str:
    tried = next((result for result in comparison.results if result.strategy == BASELINE), None)
    if tried is None:
        return f"Without a complete {BASELINE!r} there is no baseline to compare the strategies with; run it as well."
    why = f" ({tried.why})" if tried.why else ""
    return (
        f"{BASELINE!r} is {tried.state}{why}, so there is no baseline to compare the strategies with; run it again"
        " (--redo failed)."
    )


def chances(delta: Difference) -> str:
    """The probabilities of a difference in words; "" without a standard error."""
    if delta.chances is None:
        return ""
    better, equal, worse = (percent(share) for share in delta.chances)
    return f"better by more than {number(EQUAL)}: {better}, within ±{number(EQUAL)}: {equal}, worse: {worse}"


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
    return "mAP" if name == MAP else f"macro-F1 {PLACES[name]}"


def _best(comparison: Comparison, name: str) -> StrategyResult | None:
    """The strategy with the largest gain, where one differs visibly from the baseline."""
    # A difference that is written .000 cannot be named as the largest.
    visible = [r for r in differing(comparison, name) if number(r.deltas[name].mean) != number(0.0)]
    return max(visible, key=lambda result: result.deltas[name].mean, default=None)


def _one_split(comparison: Comparison) -> list[str]:
    best = _best(comparison, TUNED)
    found = (
        f"with tuned thresholds {best.strategy} differs from the baseline by {number(best.deltas[TUNED].mean, True)} macro-F1,"
        " and another split may reverse that"
        if best is not None
        else "on this one no strategy differs from the baseline with tuned thresholds"
    )
    return [f"One split says nothing about chance: {found}; run at least {FEW} (--splits {FEW})."]


def _few(comparison: Comparison) -> list[str]:
    """The sentence for two to four splits, which claims nothing."""
    splits, best = len(comparison.units), _best(comparison, TUNED)
    found = (
        f" The largest gain with tuned thresholds is that of {best.strategy}, {_sized(best.deltas[TUNED])} macro-F1."
        if best is not None and best.deltas[TUNED].mean > 0
        else ""
    )
    why = "an interval needs 3" if splits < MIN_PAIRS else "only large differences can be significant"
    return [
        f"With {splits} splits {why}, and nothing is claimed; run at least {FEW} (--splits {FEW}).{found}"
    ]


def _official(comparison: Comparison) -> list[str]:
    """The sentence on the official split: comparable to published numbers, but without a statement about chance."""
    best, seeds = _best(comparison, TUNED), len(comparison.units)
    if best is None:
        return []
    over = f", averaged over {seeds} seeds," if seeds > 1 else ""
    gain = number(best.deltas[TUNED].mean, True)
    lead = f"{best.strategy} differs from the baseline by {gain} macro-F1 with tuned thresholds"
    if not best.deltas[TUNED].mean > 0:
        lead = f"the baseline has the highest mean; the next is {best.strategy} with {gain} macro-F1 (tuned thresholds)"
    return [
        f"On the official split{over} {lead}. It is one split, for comparison with published numbers; it cannot show how"
        f" results vary with the split; for that, run {FEW} splits (--splits {FEW})."
    ]


def _gains(comparison: Comparison, name: str) -> list[str]:
    """Name the strategies that are significantly better or worse than `none` in a metric, or say: none is."""
    others = differing(comparison, name)
    if not others:
        return []
    sure = [result for result in others if result.deltas[name].significant]
    better = [result for result in sure if result.deltas[name].mean > 0]
    worse = [result for result in sure if result.deltas[name].mean < 0]
    told = [_winners(better, name)] if better else [_no_winner(others, name, bool(worse))]
    if worse:
        even = "even with tuned thresholds" if name == TUNED else "in mAP"
        told.append(f"Worse than the baseline {even}: {_listed(worse, name)}.")
    return told


def _listed(results: list[StrategyResult], name: str) -> str:
    return enumerated([f"{result.strategy} ({_sized(result.deltas[name])})" for result in results])


def _winners(better: list[StrategyResult], name: str) -> str:
    verb = "beats" if len(better) == 1 else "beat"
    where, what = ("In mAP", "") if name == MAP else ("With tuned thresholds", " in macro-F1")
    return f"{where} {_listed(better, name)} {verb} the baseline{what} by more than chance explains."


def _no_winner(others: list[StrategyResult], name: str, losers: bool) -> str:
    best = max(others, key=lambda result: result.deltas[name].mean)
    delta = best.deltas[name]
    # Its interval alone excludes 0, but Holm's adjustment for all strategies does not.
    luck = ", but not after correction for all that the table compares" if delta.low > 0 else ""
    lead = (
        f"the largest gain is that of {best.strategy}, {_sized(delta)}{luck}"
        if delta.mean > 0
        else f"the baseline has the highest mean; the next is {best.strategy} with {_sized(delta)}"
    )
    better = best_of({result.strategy: result.deltas[name] for result in others}, best.strategy)
    allowing = "" if math.isnan(better) else f"; as the best of {len(others)}, better: {percent(better)}"
    told = f" (taken by itself, {chances(delta)}{allowing})" if delta.chances else ""
    where, what = ("In mAP", "") if name == MAP else ("With tuned thresholds", " in macro-F1")
    verdict = "is significantly better than" if losers else "differs significantly from"
    return f"{where} no strategy {verdict} the baseline{what}; {lead}{told}."


def _power(comparison: Comparison) -> list[str]:
    """The smallest difference that the table could have shown."""
    found = {name: detectable(comparison, name) for name in (MAP, TUNED)}
    sizes = [f"{number(size)} {_metric(name)}" for name, size in found.items() if math.isfinite(size)]
    if not sizes:
        return []
    return [
        f"A true difference of about {enumerated(sizes)} would usually be starred (roughly two tables in three, for a strategy"
        " with median noise); smaller ones are missed more often."
    ]


def _disguise(others: list[StrategyResult]) -> list[str]:
    """Name the strategies whose gain at 0.5 mostly vanishes once the thresholds of all strategies are tuned."""
    suspects = [result for result in others if _faded(result)]
    if not suspects:
        return []
    listed = enumerated([_fading(result) for result in suspects])
    return [
        f"Gain over the baseline at .5 → with tuned thresholds: {listed}: mostly a threshold in disguise."
    ]


def _faded(result: StrategyResult) -> bool:
    """Whether the gain at 0.5 is notable, less than half of it is left when tuned, and this loss is itself significant."""
    lost = result.deltas.get(THRESHOLD)
    if lost is None or not (lost.significant and lost.mean > 0):
        return False
    at_half, tuned = result.deltas[FIXED].mean, result.deltas[TUNED]
    return at_half >= NOTABLE and tuned.mean < at_half / 2 and not (tuned.significant and tuned.mean > 0)


def _fading(result: StrategyResult) -> str:
    at_half, tuned = result.deltas[FIXED].mean, result.deltas[TUNED].mean
    return f"{result.strategy} {number(at_half, True)} → {number(tuned, True)}"


def _thresholds(base: StrategyResult) -> list[str]:
    """Say what threshold tuning alone, the cheapest strategy of all, does to the baseline."""
    at_half, tuned = base.means[FIXED], base.means[TUNED]
    if math.isnan(at_half) or math.isnan(tuned):
        return []
    # A description of the means, and no claim about other splits.
    return [
        f"The baseline has macro-F1 {number(at_half)} at .5 and {number(tuned)} with tuned thresholds"
        f" ({number(tuned - at_half, True)})."
    ]
