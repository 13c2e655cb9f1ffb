"""From rows to comparisons: which rows may be compared, who is complete, how each differs from `none`.

A comparison holds rows of the same data (by hash), backbone and settings. Its units are (seed, split). Only strategies
with a finished row on every unit are ranked; the others are listed with what is missing and why. A sweep under way, or
a strategy run on extra splits, must not make everybody else incomplete: see `_common`. The official split is a
comparison of its own: it is one draw of the rows, whose seeds say nothing about other draws.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from equipoise.experiment.budget import warning
from equipoise.report import significance
from equipoise.report.significance import Difference
from equipoise.resampling.audit import sentence
from equipoise.splits.outer import OFFICIAL, Split, split_name
from equipoise.store.rows import Row

BASELINE = "none"
RANKED, INCOMPLETE, FAILED, SKIPPED = "ranked", "incomplete", "failed", "skipped"
SplitId = tuple[int, Split]
Values = Mapping[SplitId, float]
Compare = Callable[[Values, Values], Difference]
# Shown name → metric of a row. Averaged over splits, undefined values left out.
MEANS = {
    "fixed_macro_f1": "fixed/macro_f1",
    "tuned_macro_f1": "tuned/macro_f1",
    "own_macro_f1": "own/macro_f1",
    "tuned_micro_f1": "tuned/micro_f1",
    "map": "scores/map",
    "rcr_at_10": "tuned/rcr_at_10",
}
DIFFERENCES = ("fixed_macro_f1", "tuned_macro_f1", "own_macro_f1")
_SUPPORT = "tuned/rcr_rows_at_10"


@dataclass
class StrategyResult:
    """One strategy in a comparison. `deltas`: strategy minus `none`, by shown name; empty without a `none`."""

    strategy: str
    state: str
    splits: int
    means: dict[str, float]
    seconds: float
    why: str = ""
    audit: str = ""  # what its resampling did to the training rows, in a sentence
    rank: int | None = None
    deltas: dict[str, Difference] = field(default_factory=dict)
    values: dict[str, dict[SplitId, float]] = field(default_factory=dict, repr=False)

    @property
    def own_decision(self) -> bool:
        """Whether the strategy decides in a way of its own, neither at 0.5 nor at the tuned thresholds."""
        own = self.values.get("own_macro_f1", {})
        others = (self.values["fixed_macro_f1"], self.values["tuned_macro_f1"])
        return bool(own) and all(own != other for other in others)


@dataclass
class Comparison:
    """All strategies on one data set × backbone × settings. Lines: ranked ones first, in their order."""

    dataset: str
    backbone: str
    generated: bool
    settings: dict[str, Any]
    units: list[SplitId]
    left_out: list[SplitId]  # units that too few strategies have
    lines: list[StrategyResult]
    support: float  # test rows with a combination seen 1..10 times in training, summed over the splits
    devices: list[str]
    superseded: int  # rows of the same cells from earlier code or versions, not used
    official: bool  # on the split that comes with the data, and on no other
    bound: str = ""  # a sentence where the budget or a range may have decided
    variant: str = ""  # what tells it from other comparisons of the same data set and backbone

    @property
    def ranked(self) -> list[StrategyResult]:
        """The complete strategies, best first."""
        return [line for line in self.lines if line.state == RANKED]

    @property
    def baseline(self) -> StrategyResult | None:
        """The ranked `none`, when there is one."""
        return next((line for line in self.ranked if line.strategy == BASELINE), None)

    @property
    def title(self) -> str:
        """Data set, backbone and variant; generated data are called so."""
        said = f"{self.dataset}{' (generated)' if self.generated else ''} · {self.backbone}"
        return f"{said} · {self.variant}" if self.variant else said


def compare(rows: Iterable[Mapping[str, Any]]) -> list[Comparison]:
    """Sort the rows into comparisons, in order of first appearance, and rank inside each."""
    groups: dict[tuple[str, str, str, str, bool], list[Row]] = {}
    for row in rows:
        settings = json.dumps(row.get("settings") or {}, sort_keys=True, default=str)
        data = (str(row["dataset"]), str(row["backbone"]), str(row.get("dataset_sha256", "")))
        name = (*data, settings, row["split"] == OFFICIAL)
        groups.setdefault(name, []).append(dict(row))
    found = [_comparison(group) for group in groups.values()]
    _name_variants(found, [name[2] for name in groups])
    return found


def _comparison(rows: list[Row]) -> Comparison:
    cells = {(row["strategy"], _unit(row)): row for row in rows}  # a later row of a cell takes its place
    kept = list(cells.values())
    finished = {_unit(row) for row in kept if row["status"] == "ok"}
    units = _common(_tried(kept, finished))
    lines = [_line(name, kept, units) for name in dict.fromkeys(row["strategy"] for row in kept)]
    _rank(lines, significance.on_one_split if rows[0]["split"] == OFFICIAL else significance.difference)
    supports = {_unit(row): _number(row, _SUPPORT) for row in kept if row["status"] == "ok"}
    return Comparison(
        dataset=str(rows[0]["dataset"]),
        backbone=str(rows[0]["backbone"]),
        generated=bool(rows[0].get("generated")),
        settings=dict(rows[0].get("settings") or {}),
        units=units,
        left_out=sorted(finished - set(units)),
        lines=lines,
        support=sum(value for value in supports.values() if math.isfinite(value)),
        devices=sorted({str(row["device"]) for row in kept if row.get("device")}),
        superseded=len(rows) - len(kept),
        official=rows[0]["split"] == OFFICIAL,
        bound=warning(row for row in kept if row["status"] == "ok"),
    )


def _tried(rows: list[Row], finished: set[SplitId]) -> dict[str, set[SplitId]]:
    """Return, for each strategy that finished anything, the finished units it ran on, well or not.

    A failure counts as run: it makes its strategy incomplete, it does not take the split away from the others.
    """
    alive = {row["strategy"] for row in rows if row["status"] == "ok"}
    tried: dict[str, set[SplitId]] = {}
    for row in rows:
        if row["strategy"] in alive and row["status"] != "skipped" and _unit(row) in finished:
            tried.setdefault(row["strategy"], set()).add(_unit(row))
    return tried


def _common(tried: Mapping[str, set[SplitId]]) -> list[SplitId]:
    """Choose the units to compare on: those that give the most cells to compare, with `none` where possible.

    `tried`: strategy → units it ran on. Units are taken in the order of how many strategies have them.
    """
    count = Counter(unit for units in tried.values() for unit in units)
    ordered = sorted(count, key=lambda unit: (-count[unit], unit))
    best: tuple[tuple[bool, int, int], list[SplitId]] = ((False, 0, 0), [])
    for size in range(1, len(ordered) + 1):
        complete = [name for name, units in tried.items() if units.issuperset(ordered[:size])]
        worth = (BASELINE in complete, len(complete) * size, size)
        best = max(best, (worth, ordered[:size]), key=lambda choice: choice[0])
    return sorted(best[1])


def _unit(row: Row) -> SplitId:
    return int(row.get("seed") or 0), OFFICIAL if row["split"] == OFFICIAL else int(row["split"])


def _number(row: Row, metric: str) -> float:
    value = (row.get("metrics") or {}).get(metric)
    return float(value) if isinstance(value, (int, float)) else math.nan


def _line(strategy: str, rows: list[Row], units: list[SplitId]) -> StrategyResult:
    mine = {_unit(row): row for row in rows if row["strategy"] == strategy}
    good = {unit: mine[unit] for unit in units if unit in mine and mine[unit]["status"] == "ok"}
    values = {name: {u: _number(row, metric) for u, row in good.items()} for name, metric in MEANS.items()}
    seconds = [_seconds(row) for row in good.values()]
    return StrategyResult(
        strategy=strategy,
        state=_state(mine, len(good), len(units)),
        splits=len(good),
        means={name: significance.mean(list(column.values())) for name, column in values.items()},
        seconds=significance.mean(seconds),
        why=_why(mine, units),
        audit=sentence(strategy, str(rows[0]["dataset"]), [row.get("audit") or {} for row in good.values()]),
        values=values,
    )


def _seconds(row: Row) -> float:
    """What the cell would have taken by itself, so that a cost does not depend on who ran beside it."""
    cost = row.get("cost") or {}
    return float(cost.get("seconds_total", math.nan)) + float(cost.get("seconds_reused") or 0.0)


def _state(mine: dict[SplitId, Row], done: int, wanted: int) -> str:
    if any(row["status"] == "ok" for row in mine.values()):
        return RANKED if done == wanted else INCOMPLETE
    return SKIPPED if all(row["status"] == "skipped" for row in mine.values()) else FAILED


def _why(mine: dict[SplitId, Row], units: list[SplitId]) -> str:
    """Say what is missing, each reason once."""
    said = [
        str(row.get("error") or row.get("reason") or "") for row in mine.values() if row["status"] != "ok"
    ]
    if absent := [str(split) for seed, split in units if (seed, split) not in mine]:
        said.append(f"not run on split {', '.join(absent)}")
    return "; ".join(dict.fromkeys(filter(None, said)))


def _rank(lines: list[StrategyResult], difference: Compare) -> None:
    """Number the complete strategies and compare each with `none`; sort the lines, ranked ones first."""
    order = (RANKED, INCOMPLETE, FAILED, SKIPPED)
    score = {id(line): -line.means["tuned_macro_f1"] for line in lines}
    lines.sort(key=lambda line: (order.index(line.state), math.isnan(score[id(line)]), score[id(line)]))
    ranked = [line for line in lines if line.state == RANKED]
    for place, line in enumerate(ranked, start=1):
        line.rank = place
    base = next((line for line in ranked if line.strategy == BASELINE), None)
    if base is not None:
        _compare_with(base, [line for line in ranked if line is not base], difference)


def _compare_with(base: StrategyResult, others: list[StrategyResult], difference: Compare) -> None:
    """Fill in `deltas`; each measure is one family for Holm's adjustment."""
    for name in DIFFERENCES:
        # A strategy's own decision is held against what `none` does untouched: the threshold 0.5.
        theirs = base.values["fixed_macro_f1" if name == "own_macro_f1" else name]
        mine = [line for line in others if name != "own_macro_f1" or line.own_decision]
        family = {line.strategy: difference(line.values[name], theirs) for line in mine}
        for strategy, found in significance.holm(family).items():
            next(line for line in mine if line.strategy == strategy).deltas[name] = found


def _name_variants(comparisons: list[Comparison], hashes: list[str]) -> None:
    """Where one data set × backbone has several comparisons, say what tells them apart."""
    for place, one in enumerate(comparisons):
        twins = [
            (other, hashes[number])
            for number, other in enumerate(comparisons)
            if (other.dataset, other.backbone) == (one.dataset, one.backbone)
        ]
        names = dict.fromkeys(name for other, _ in twins for name in other.settings)
        said = [
            f"{name}={one.settings.get(name, '–')}"
            for name in names
            if len({str(other.settings.get(name)) for other, _ in twins}) > 1
        ]
        if len({sha for _, sha in twins}) > 1:
            said.append(f"data {hashes[place][:8]}")
        if one.official:
            said.append(split_name(OFFICIAL))
        one.variant = ", ".join(said)
