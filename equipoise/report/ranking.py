"""Ranks the strategies of a table and compares each with the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from equipoise.report import equalities, significance
from equipoise.report.moderation import moderated
from equipoise.report.results import (
    DIFFERENCES,
    FAILED,
    INCOMPLETE,
    RANKED,
    SKIPPED,
    THRESHOLD,
    StrategyResult,
    Values,
)
from equipoise.report.significance import Difference
from equipoise.report.units import BASELINE

#: Metrics whose comparisons are one family for Holm's adjustment → its share of the level. mAP and tuned macro-F1 decide, and all
#: that concerns thresholds has the rest. Without shares, one report in ten about strategies that do nothing had a false star.
FAMILIES = {("map",): 0.4, ("tuned_macro_f1",): 0.4, ("fixed_macro_f1", "own_macro_f1", THRESHOLD): 0.2}


def rank(results: list[StrategyResult], *, one_split: bool, excess: float) -> None:
    """Sort the results, ranked ones first; number the ranked ones and compare each with `none`.

    mAP leads, because no choice of a threshold moves it, and macro-F1 with tuned thresholds decides between equals.

    Args:
        one_split: all units are the same split, under several seeds. excess: ρ/(1 − ρ), see `equipoise.report.units`.
    """
    # By state first: the means of an unfinished strategy are of other splits.
    order = (RANKED, INCOMPLETE, FAILED, SKIPPED)
    results.sort(
        key=lambda result: (
            order.index(result.state),
            *_score(result, "map"),
            *_score(result, "tuned_macro_f1"),
        )
    )
    ranked = [result for result in results if result.state == RANKED]
    for place, result in enumerate(ranked, start=1):
        result.rank = place
    base = next((result for result in ranked if result.strategy == BASELINE), None)
    _name_partners(ranked, base is not None)
    if base is not None:
        others = [result for result in ranked if result is not base]
        _compare_with(base, others, one_split=one_split, excess=excess)


def _score(result: StrategyResult, name: str) -> tuple[bool, float]:
    """What to sort by: the best comes first, and the undefined last."""
    value = result.means[name]
    return (True, 0.0) if math.isnan(value) else (False, -value)


def _name_partners(ranked: list[StrategyResult], with_baseline: bool) -> None:
    """Fill in `same_as` and `own_against`."""
    partners = equalities.partners({result.strategy: result.declared for result in ranked}, BASELINE)
    rules = {result.strategy for result in ranked if result.own_decision}
    for result in ranked:
        result.same_as = {
            name: other
            for name, other in partners[result.strategy].items()
            if (with_baseline or other != BASELINE) and (name != "own_macro_f1" or result.own_decision)
        }
        # Beside one part with a rule of its own, the other parts are judged by what they add to it.
        parts = [part for part in _parts(result.strategy) if part in rules]
        if result.own_decision and len(parts) == 1 and parts[0] != result.strategy:
            result.own_against = parts[0]


def _parts(spec: str) -> list[str]:
    """The strategies that a composition "a[p=x+y]+b" is made of: it is split at each plus outside of brackets."""
    parts, depth = [""], 0
    for character in spec:
        depth += (character == "[") - (character == "]")
        if character == "+" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _compare_with(
    base: StrategyResult, others: list[StrategyResult], *, one_split: bool, excess: float
) -> None:
    """Fill in `deltas`, with p-values adjusted for everything that the table compares."""
    rules = {result.strategy: result.values["own_macro_f1"] for result in others}
    for name in (*DIFFERENCES, THRESHOLD):
        compared = [result for result in others if _is_compared(result, name)]
        pairs = {result.strategy: _sides(result, base, rules, name) for result in compared}
        if one_split:
            family = {strategy: significance.on_one_split(*sides) for strategy, sides in pairs.items()}
        else:
            family = moderated(
                {strategy: significance.paired(*sides) for strategy, sides in pairs.items()}, excess
            )
        for result in compared:
            result.deltas[name] = family[result.strategy]
    # After all metrics, since a family has several.
    _adjust(others)


def _is_compared(result: StrategyResult, name: str) -> bool:
    if name == "own_macro_f1":
        return result.own_decision
    # A strategy that only decides is a threshold, and not in disguise.
    return name != THRESHOLD or not result.only_decides


def _sides(
    result: StrategyResult, base: StrategyResult, rules: Mapping[str, Values], name: str
) -> tuple[Values, Values]:
    """The values of a strategy and those that they are compared with."""
    if name == THRESHOLD:
        return _threshold_part(result), _threshold_part(base)
    if name == "own_macro_f1":
        # Never against an untuned baseline: that would compare two rules, and call the difference the strategy's.
        return result.values[name], rules.get(result.own_against, base.values["tuned_macro_f1"])
    return result.values[name], base.values[name]


def _threshold_part(result: StrategyResult) -> Values:
    tuned = result.values["tuned_macro_f1"]
    return {split: value - tuned[split] for split, value in result.values["fixed_macro_f1"].items()}


def _adjust(results: list[StrategyResult]) -> None:
    """Set `p_holm`: Holm's adjustment inside each family of metrics, and Bonferroni's, by its share of the level, over families.

    What cannot differ from the baseline is no comparison, nor is what did not differ on any split; and what cannot differ from
    each other is one, counted once. The share of a family without a comparison goes to the others.
    """
    counted = {names: _counted(results, names) for names in FAMILIES}
    used = sum(share for names, share in FAMILIES.items() if counted[names])
    for names, share in FAMILIES.items():
        adjusted = significance.holm(
            {f"{strategy} {name}": d for (strategy, name), d in counted[names].items()}
        )
        for result in results:
            for name in set(names) & set(result.deltas):
                found, partner = result.deltas[name], result.same_as.get(name)
                # A strategy that cannot differ from another has the adjusted p-value of that one, unless its scores are the
                # baseline's on every split.
                own = adjusted.get(f"{result.strategy} {name}") or adjusted.get(f"{partner} {name}")
                of = None if found.identical else own
                if of is not None:
                    p_holm = of.p_holm if math.isnan(of.p_holm) else min(1.0, of.p_holm * used / share)
                else:
                    p_holm = math.nan if partner == BASELINE else found.p_holm
                result.deltas[name] = replace(found, p_holm=p_holm)


def _counted(results: list[StrategyResult], names: tuple[str, ...]) -> dict[tuple[str, str], Difference]:
    """The comparisons of a family by strategy and metric: of strategies that cannot differ from each other the first."""
    tested = {
        (result.strategy, name): result
        for name in names
        for result in results
        if name in result.deltas
        and not result.deltas[name].identical
        and math.isfinite(result.deltas[name].p)
        and result.same_as.get(name) != BASELINE
    }
    # Where the first has no p-value, as with equal scores on every split, noise may have given one to the other.
    return {
        (strategy, name): result.deltas[name]
        for (strategy, name), result in tested.items()
        if (result.same_as.get(name), name) not in tested
    }
