"""Ranks the strategies of a table and compares each with the baseline."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from equipoise.report import equalities, significance
from equipoise.report.results import (
    DIFFERENCES,
    FAILED,
    INCOMPLETE,
    RANKED,
    SKIPPED,
    StrategyResult,
    Values,
)
from equipoise.report.significance import Difference
from equipoise.report.units import BASELINE

Compare = Callable[[Values, Values], Difference]


def rank(results: list[StrategyResult], difference: Compare) -> None:
    """Sort the results, ranked ones first; number the ranked ones and compare each with `none`."""
    order = (RANKED, INCOMPLETE, FAILED, SKIPPED)
    score = {
        id(result): -result.means["tuned_macro_f1"] for result in results
    }  # negative: the best comes first
    results.sort(
        key=lambda result: (order.index(result.state), math.isnan(score[id(result)]), score[id(result)])
    )
    ranked = [result for result in results if result.state == RANKED]
    for place, result in enumerate(ranked, start=1):
        result.rank = place
    partners = equalities.partners({result.strategy: result.declared for result in ranked}, BASELINE)
    base = next((result for result in ranked if result.strategy == BASELINE), None)
    for result in ranked:
        known = partners[result.strategy]
        result.same_as = {
            name: other
            for name, other in known.items()
            if (base is not None or other != BASELINE) and (name != "own_macro_f1" or result.own_decision)
        }
    if base is not None:
        _compare_with(base, [result for result in ranked if result is not base], difference)


def _compare_with(base: StrategyResult, others: list[StrategyResult], difference: Compare) -> None:
    """Fill in `deltas`. The comparisons of one metric are one family for Holm's adjustment.

    What cannot differ from the baseline is no comparison, and what cannot differ from each other is one, counted once.
    """
    for name in DIFFERENCES:
        # A strategy's own decision rule is compared with the default of `none`, the threshold 0.5.
        base_values = base.values["fixed_macro_f1" if name == "own_macro_f1" else name]
        compared = [result for result in others if name != "own_macro_f1" or result.own_decision]
        family = {result.strategy: difference(result.values[name], base_values) for result in compared}
        counted = {
            result.strategy: family[result.strategy]
            for result in compared
            if result.same_as.get(name) not in {BASELINE, *family}
        }
        adjusted = significance.holm(counted)
        for result in compared:
            of = result.same_as.get(name) if result.strategy not in counted else result.strategy
            p_holm = math.nan if of == BASELINE else adjusted[str(of)].p_holm
            result.deltas[name] = replace(family[result.strategy], p_holm=p_holm)
