"""Chooses the tables and strategies of a ranking: as many complete cells as possible, and a reason for all that is left out.

A table is a comparison of `equipoise.report`: one data set on one backbone. A ranking needs every strategy on every table. The
tables are chosen by what was run on them: those on which the same strategies were run, as many cells (strategies × tables) as
possible. So an unfinished table is dropped where it would make many strategies incomplete. A strategy that failed or was
skipped on a chosen table is not ranked, but never drops the table; one that lacks splits counts as not run yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from equipoise.rankings.model import FEWEST_BLOCKS, Missing
from equipoise.report.comparison import BASELINE, INCOMPLETE, RANKED, Comparison, StrategyResult


@dataclass(frozen=True)
class Selected:
    """The tables of a ranking, the strategies complete on all of them (in order of appearance), and what is left out."""

    tables: tuple[Comparison, ...]
    strategies: tuple[str, ...]
    missing: tuple[Missing, ...]
    left_out: tuple[str, ...]


def select(comparisons: Sequence[Comparison], metric: str) -> Selected:
    """Choose the tables with the most cells of strategies that were run on all of them, and rank the strategies complete there.

    Tables without a complete `none` are used only if there are no others. Fewer cells are accepted where otherwise fewer than
    FEWEST_BLOCKS data sets would remain.
    """
    tables, doubles = one_per_pair(comparisons)
    scored = [_complete(table, metric) for table in tables]
    kept = _kept(tables, scored)
    complete = set.intersection(*(scored[index] for index in kept)) if kept else set()
    # In order of appearance: a set has another order in each process.
    seen = dict.fromkeys(result.strategy for table in tables for result in table.results)
    chosen = [tables[index] for index in kept]
    return Selected(
        tables=tuple(chosen),
        strategies=tuple(name for name in seen if name in complete),
        missing=tuple(_missing(name, chosen, metric) for name in seen if name not in complete),
        left_out=(
            *doubles,
            *(_few(tables[i], complete, scored[i]) for i in range(len(tables)) if i not in kept),
        ),
    )


def one_per_pair(comparisons: Sequence[Comparison]) -> tuple[list[Comparison], list[str]]:
    """One table for each data set and backbone, and a sentence for each that gives way to it.

    Several splits are preferred to the official one, which is a single draw; then the table with more complete cells, and of
    equal ones the later.
    """
    best: dict[tuple[str, str], Comparison] = {}
    doubles = []
    for table in comparisons:
        pair = (table.dataset, table.backbone)
        other = best.get(pair)
        if other is None or worth(table) >= worth(other):
            best[pair], other = table, other
        else:
            other = table
        if other is not None:
            doubles.append((pair, other))
    return list(best.values()), [f"{other.title}: {best[pair].title} is used" for pair, other in doubles]


def worth(table: Comparison) -> tuple[bool, int]:
    """What to choose by among tables of one data set: several splits before the official one, then the complete cells."""
    return not table.official, len(table.ranked) * len(table.units)


def _complete(table: Comparison, metric: str) -> set[str]:
    """The strategies that finished every split and have a defined score."""
    return {result.strategy for result in table.ranked if math.isfinite(result.means[metric])}


def _kept(tables: Sequence[Comparison], scored: Sequence[set[str]]) -> list[int]:
    """Positions of the tables to keep: one is dropped after the other, and the best state on the way is returned."""
    usable = [i for i, strategies in enumerate(scored) if strategies]
    # Without `none` a table has no differences; it is of use only where no table has them.
    kept = [i for i in usable if BASELINE in scored[i]] or usable
    # A strategy that is complete on no table cannot be ranked, whatever is dropped.
    alive = set().union(*scored)
    tried = [
        {r.strategy for r in table.results if r.state != INCOMPLETE or r.undefined} & alive
        for table in tables
    ]
    best, worth = kept, _value(kept, tables, scored, tried)
    # Every subset of tables would be too many to try.
    while len(kept) > 1:
        # Of the tables whose loss leaves equally many cells, the one with the fewest scores goes.
        kept = max(
            ([i for i in kept if i != gone] for gone in kept),
            key=lambda rest: (_value(rest, tables, scored, tried), sum(len(scored[i]) for i in rest)),
        )
        value = _value(kept, tables, scored, tried)
        if value > worth:
            best, worth = kept, value
    return best


def _value(
    kept: Sequence[int], tables: Sequence[Comparison], scored: Sequence[set[str]], tried: Sequence[set[str]]
) -> tuple[bool, int, int]:
    """Whether enough data sets can be ranked, then the cells of strategies run on all these tables, then the tables."""
    if not kept:
        return False, 0, 0
    complete = set.intersection(*(scored[i] for i in kept))
    # A ranking of few strategies is worth more than none at all.
    enough = len({tables[i].dataset for i in kept}) >= FEWEST_BLOCKS and len(complete) > 1
    return enough, len(set.intersection(*(tried[i] for i in kept))) * len(kept), len(kept)


def _missing(strategy: str, tables: Sequence[Comparison], metric: str) -> Missing:
    # A strategy may have failed on one table and not been run on another.
    reasons: dict[str, list[str]] = {}
    for table in tables:
        if reason := _reason(table, strategy, metric):
            reasons.setdefault(reason, []).append(name_of(table, tables))
    lacks = tuple(name for names in reasons.values() for name in names)
    # Where all that is missing has one reason, the names are in `lacks`; else each reason names its tables.
    named = len(reasons) > 1
    why = "; ".join(
        f"{reason} ({', '.join(names)})" if named else reason for reason, names in reasons.items()
    )
    return Missing(strategy, lacks, len(tables), why)


def _reason(table: Comparison, strategy: str, metric: str) -> str:
    """Why a strategy has no score in a table; "" if it has one."""
    result: StrategyResult | None = next((r for r in table.results if r.strategy == strategy), None)
    if result is None:
        return "not run"
    if result.state != RANKED:
        return f"{result.state}: {result.why}" if result.why else result.state
    return "" if math.isfinite(result.means[metric]) else "the score is undefined"


def _few(table: Comparison, ranked: set[str], scored: set[str]) -> str:
    lacks = len(ranked - scored)
    if BASELINE in ranked - scored:
        return f"{table.title}: {BASELINE} is not complete there"
    return f"{table.title}: without a complete score of {lacks} of the {len(ranked)} ranked strategies"


def name_of(table: Comparison, tables: Sequence[Comparison]) -> str:
    """The data set, and its backbone where several are compared. A ranking has one table for each pair."""
    one = len({other.backbone for other in tables}) == 1
    return table.dataset if one else f"{table.dataset} · {table.backbone}"


def classes(tables: Sequence[Comparison], strategies: Sequence[str], metric: str) -> Mapping[str, str]:
    """Strategy → the strategy that stands for all that cannot differ from it, on any of the tables, by what their rows declare.

    `none` stands for its class; otherwise the shortest name does.
    """
    # Two are one class only if they are on every table: a declaration may hold for some numbers of labels alone.
    roots = [
        {result.strategy: result.same_as.get(metric, result.strategy) for result in table.results}
        for table in tables
    ]
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in strategies:
        groups.setdefault(tuple(root[name] for root in roots), []).append(name)
    return {
        name: min(group, key=lambda member: (member != BASELINE, len(member), member))
        for group in groups.values()
        for name in group
    }
