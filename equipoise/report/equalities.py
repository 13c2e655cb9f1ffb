"""Finds the strategies of a comparison that cannot differ, by what their rows declare, and the noise that they show."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from equipoise.store.rows import Row

if TYPE_CHECKING:
    from equipoise.report.results import StrategyResult

#: Name in the report → column of a declaration (`equipoise.contracts.equality.COLUMNS`).
COLUMN_OF = {"fixed_macro_f1": "fixed", "tuned_macro_f1": "tuned", "own_macro_f1": "own", "map": "map"}
FIXED, TUNED = "fixed_macro_f1", "tuned_macro_f1"
#: Where strategies may be equal, in the order in which sentences name it.
PLACES = {
    FIXED: "at .5",
    TUNED: "with tuned thresholds",
    "own_macro_f1": "by its own decision",
    "map": "in mAP",
}
#: A strategy, and one of the columns.
Node = tuple[str, str]


def declarations(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The declarations that all these rows of a strategy make; rows of earlier versions make none."""
    of_rows = [
        {
            json.dumps(d, sort_keys=True)
            for d in row.get("same_as") or ()
            if isinstance(d, dict) and isinstance(d.get("columns"), dict)
        }
        for row in rows
    ]
    return [json.loads(text) for text in sorted(set.intersection(*of_rows))] if of_rows else []


def partners(declared: Mapping[str, Sequence[Mapping[str, Any]]], baseline: str) -> dict[str, dict[str, str]]:
    """For each strategy, name in the report → the first strategy before it from which it cannot differ there.

    The order is that of `declared`, with the baseline before all others. A strategy's own decision is compared with the
    baseline's tuned thresholds.
    """
    classes = _Classes()
    for strategy, equalities in declared.items():
        for equality in equalities:
            for ours, theirs in equality["columns"].items():
                classes.join((strategy, ours), (equality["strategy"], theirs))
    out: dict[str, dict[str, str]] = {strategy: {} for strategy in declared}
    for name, column in COLUMN_OF.items():
        first = {classes.root((baseline, "tuned" if column == "own" else column)): baseline}
        for strategy in declared:
            partner = first.setdefault(classes.root((strategy, column)), strategy)
            if partner != strategy and strategy != baseline:
                out[strategy][name] = partner
    return out


def sentences(partners_of: Mapping[str, Mapping[str, str]], baseline: str) -> list[str]:
    """One sentence for all strategies that cannot differ from the same other one in the same places; see `partners`."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for strategy, of_strategy in partners_of.items():
        for other in dict.fromkeys(of_strategy.values()):
            names = tuple(name for name in PLACES if of_strategy.get(name) == other)
            groups.setdefault((other, names), []).append(strategy)
    return [
        f"{enumerated(strategies)} cannot differ from {'the baseline' if other == baseline else other}"
        f" {enumerated([PLACES[name] for name in names], 'or')} here."
        for (other, names), strategies in groups.items()
    ]


def enumerated(names: Sequence[str], word: str = "and") -> str:
    """The names with commas, and a word before the last."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def noise(results: Sequence[StrategyResult], baseline: str) -> dict[str, float]:
    """Name in the report → the largest difference of means that was measured between two strategies that cannot differ.

    A name without such a pair is missing.
    """
    by_name = {result.strategy: result for result in results}
    out: dict[str, float] = {}
    for result in results:
        for name, partner in result.same_as.items():
            theirs = TUNED if name == "own_macro_f1" and partner == baseline else name
            gap = abs(result.means[name] - by_name[partner].means[theirs])
            if math.isfinite(gap):
                out[name] = max(out.get(name, 0.0), gap)
    return out


class _Classes:
    """Sets of nodes that cannot differ, by union-find."""

    def __init__(self) -> None:
        self._parent: dict[Node, Node] = {}

    def root(self, node: Node) -> Node:
        while (above := self._parent.get(node, node)) != node:
            node = above
        return node

    def join(self, a: Node, b: Node) -> None:
        # Chains stay short, since a strategy declares few equalities.
        if (one := self.root(a)) != (other := self.root(b)):
            self._parent[one] = other
