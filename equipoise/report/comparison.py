"""Groups rows into comparisons: which rows are comparable, which strategies are complete, how each differs from `none`.

A comparison holds rows with the same data and backbone (by content) and settings. Its units are pairs (seed, split). Only
strategies with a finished row on every unit are ranked; the others are listed with what is missing and why. An unfinished
sweep, or a strategy that was run on additional splits, must not make all other strategies incomplete: see `_common`. The
official split is a comparison of its own, because it is one draw of the rows; its seeds say nothing about other draws.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from equipoise.experiment.budget import warning
from equipoise.report import equalities, significance
from equipoise.report.feature_notes import features_sentence
from equipoise.report.significance import Difference
from equipoise.resampling.audit import sentence
from equipoise.splits.outer import OFFICIAL, Split, split_name
from equipoise.store.rows import Row

BASELINE = "none"
RANKED, INCOMPLETE, FAILED, SKIPPED = "ranked", "incomplete", "failed", "skipped"
SplitId = tuple[int, Split]
Values = Mapping[SplitId, float]
Compare = Callable[[Values, Values], Difference]
# Name in the report → metric of a row; the report shows means over splits, without undefined values.
MEANS = {
    "fixed_macro_f1": "fixed/macro_f1",
    "tuned_macro_f1": "tuned/macro_f1",
    "own_macro_f1": "own/macro_f1",
    "tuned_micro_f1": "tuned/micro_f1",
    "map": "scores/map",
    "rcr_at_10": "tuned/rcr_at_10",
}
DIFFERENCES = ("fixed_macro_f1", "tuned_macro_f1", "own_macro_f1")
SUPPORT = "tuned/rcr_rows_at_10"


@dataclass
class StrategyResult:
    """One strategy in a comparison. `deltas` holds strategy minus `none` by name of MEANS; it is empty without `none`."""

    strategy: str
    state: str
    splits: int
    means: dict[str, float]
    seconds: float  # mean time of a cell
    why: str = ""  # what is missing, and the reason
    audit: str = ""  # a sentence on what resampling did to the training rows
    rank: int | None = None
    deltas: dict[str, Difference] = field(default_factory=dict)
    values: dict[str, dict[SplitId, float]] = field(default_factory=dict, repr=False)
    declared: list[dict[str, Any]] = field(default_factory=list, repr=False)  # field `same_as` of its rows
    # Name of MEANS → the strategy before it in this comparison from which it cannot differ there.
    same_as: dict[str, str] = field(default_factory=dict)

    @property
    def own_decision(self) -> bool:
        """Whether the strategy has its own decision rule, different from 0.5 and from the tuned thresholds."""
        own_scores = self.values.get("own_macro_f1", {})
        others = (self.values["fixed_macro_f1"], self.values["tuned_macro_f1"])
        return bool(own_scores) and all(own_scores != other for other in others)


@dataclass
class Comparison:
    """All strategies on one data set × backbone × settings. In `results` the ranked ones come first, by rank."""

    dataset: str
    backbone: str
    generated: bool
    settings: dict[str, Any]
    units: list[SplitId]
    left_out: list[SplitId]  # units that are not used because too few strategies have them
    results: list[StrategyResult]
    support: float  # test rows whose combination occurs 1..10 times in training, summed over the splits
    devices: list[str]
    superseded: int  # unused rows of the same cells from earlier code or versions
    official: bool  # whether this comparison is on the split that comes with the data
    features: str = ""  # a sentence about what is unusual about the fitted features
    bound: str = ""  # a sentence where the budget or a range may have decided the comparison
    noise: dict[str, float] = field(default_factory=dict)  # see `equalities.noise`
    variant: str = ""  # how this differs from other comparisons of the same data set and backbone

    @property
    def ranked(self) -> list[StrategyResult]:
        """The complete strategies, best first."""
        return [result for result in self.results if result.state == RANKED]

    @property
    def baseline(self) -> StrategyResult | None:
        """The baseline `none`, if it is ranked."""
        return next((result for result in self.ranked if result.strategy == BASELINE), None)

    @property
    def title(self) -> str:
        """Data set, backbone and variant; generated data are marked as such."""
        name = f"{self.dataset}{' (generated)' if self.generated else ''} · {self.backbone}"
        return f"{name} · {self.variant}" if self.variant else name


def compare(rows: Iterable[Mapping[str, Any]]) -> list[Comparison]:
    """Group the rows into comparisons, in order of first appearance, and rank the strategies inside each."""
    groups: dict[tuple[str, str, str, str, bool], list[Row]] = {}
    for row in rows:
        settings = json.dumps(row.get("settings") or {}, sort_keys=True, default=str)
        # A file of word vectors may have been moved between two rows.
        backbone = str(row.get("backbone_identity") or row["backbone"])
        data = (str(row["dataset"]), backbone, str(row.get("dataset_sha256", "")))
        name = (*data, settings, row["split"] == OFFICIAL)
        groups.setdefault(name, []).append(dict(row))
    comparisons = [_comparison(group) for group in groups.values()]
    _name_variants(comparisons, [name[2] for name in groups])
    return comparisons


def _comparison(rows: list[Row]) -> Comparison:
    cells = {
        (row["strategy"], _unit(row)): row for row in rows
    }  # a later row of a cell replaces an earlier one
    current = list(cells.values())
    finished = {_unit(row) for row in current if row["status"] == "ok"}
    units = _common(_tried(current, finished))
    results = [_result(name, current, units) for name in dict.fromkeys(row["strategy"] for row in current)]
    _rank(results, significance.on_one_split if rows[0]["split"] == OFFICIAL else significance.difference)
    supports = {_unit(row): _number(row, SUPPORT) for row in current if row["status"] == "ok"}
    return Comparison(
        dataset=str(rows[0]["dataset"]),
        backbone=str(rows[0]["backbone"]),
        generated=bool(rows[0].get("generated")),
        settings=dict(rows[0].get("settings") or {}),
        units=units,
        left_out=sorted(finished - set(units)),
        results=results,
        support=sum(value for value in supports.values() if math.isfinite(value)),
        devices=sorted({str(row["device"]) for row in current if row.get("device")}),
        superseded=len(rows) - len(current),
        official=rows[0]["split"] == OFFICIAL,
        features=features_sentence(row for row in current if row["status"] == "ok"),
        bound=warning(row for row in current if row["status"] == "ok"),
        noise=equalities.noise([result for result in results if result.state == RANKED], BASELINE),
    )


def _tried(rows: list[Row], finished: set[SplitId]) -> dict[str, set[SplitId]]:
    """Return, for each strategy that finished any unit, the units it ran on, among those that some strategy finished.

    A failure counts as run: it makes its own strategy incomplete, but the other strategies keep the split.
    """
    alive = {row["strategy"] for row in rows if row["status"] == "ok"}
    tried: dict[str, set[SplitId]] = {}
    for row in rows:
        if row["strategy"] in alive and row["status"] != "skipped" and _unit(row) in finished:
            tried.setdefault(row["strategy"], set()).add(_unit(row))
    return tried


def _common(tried: Mapping[str, set[SplitId]]) -> list[SplitId]:
    """Choose the units to compare on: those that give the most complete cells, with `none` among them if possible.

    `tried` maps a strategy to the units that it ran on.
    """
    # Trying every subset would be too many. The most common units are enough: add them one by one and keep the best prefix.
    count = Counter(unit for units in tried.values() for unit in units)
    ordered = sorted(count, key=lambda unit: (-count[unit], unit))
    best: tuple[tuple[bool, int, int], list[SplitId]] = ((False, 0, 0), [])
    for size in range(1, len(ordered) + 1):
        complete = [name for name, units in tried.items() if units.issuperset(ordered[:size])]
        worth = (BASELINE in complete, len(complete) * size, size)
        best = max(best, (worth, ordered[:size]), key=lambda choice: choice[0])
    return sorted(best[1])


def _unit(row: Row) -> SplitId:
    # A row without a seed counts as seed 0.
    return int(row.get("seed") or 0), OFFICIAL if row["split"] == OFFICIAL else int(row["split"])


def _number(row: Row, metric: str) -> float:
    value = (row.get("metrics") or {}).get(metric)
    return float(value) if isinstance(value, (int, float)) else math.nan


def _result(strategy: str, rows: list[Row], units: list[SplitId]) -> StrategyResult:
    own_rows = {_unit(row): row for row in rows if row["strategy"] == strategy}
    finished = {
        unit: own_rows[unit] for unit in units if unit in own_rows and own_rows[unit]["status"] == "ok"
    }
    values = {
        name: {u: _number(row, metric) for u, row in finished.items()} for name, metric in MEANS.items()
    }
    seconds = [_seconds(row) for row in finished.values()]
    return StrategyResult(
        strategy=strategy,
        state=_state(own_rows, len(finished), len(units)),
        splits=len(finished),
        means={name: significance.mean(list(column.values())) for name, column in values.items()},
        seconds=significance.mean(seconds),
        why=_why(own_rows, units),
        audit=sentence(
            strategy, str(rows[0]["dataset"]), [row.get("audit") or {} for row in finished.values()]
        ),
        values=values,
        declared=equalities.declarations(finished.values()),
    )


def _seconds(row: Row) -> float:
    """What the cell would have taken by itself, so that a cost does not depend on who ran beside it."""
    cost = row.get("cost") or {}
    return float(cost.get("seconds_total", math.nan)) + float(cost.get("seconds_reused") or 0.0)


def _state(own_rows: dict[SplitId, Row], done: int, wanted: int) -> str:
    if any(row["status"] == "ok" for row in own_rows.values()):
        return RANKED if done == wanted else INCOMPLETE
    return SKIPPED if all(row["status"] == "skipped" for row in own_rows.values()) else FAILED


def _why(own_rows: dict[SplitId, Row], units: list[SplitId]) -> str:
    """What is missing and why, each reason once."""
    reasons = [
        str(row.get("error") or row.get("reason") or "") for row in own_rows.values() if row["status"] != "ok"
    ]
    if absent := [str(split) for seed, split in units if (seed, split) not in own_rows]:
        reasons.append(f"not run on split {', '.join(absent)}")
    return "; ".join(dict.fromkeys(filter(None, reasons)))


def _rank(results: list[StrategyResult], difference: Compare) -> None:
    """Sort the results, ranked ones first; number the ranked ones and compare each with `none`."""
    order = (RANKED, INCOMPLETE, FAILED, SKIPPED)
    score = {
        id(result): -result.means["tuned_macro_f1"] for result in results
    }  # negative: the best comes first
    results.sort(
        key=lambda result: (order.index(result.state), math.isnan(score[id(result)]), score[id(result)])
    )
    ranked = [result for result in results if result.state == RANKED]
    for rank, result in enumerate(ranked, start=1):
        result.rank = rank
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


def _name_variants(comparisons: list[Comparison], hashes: list[str]) -> None:
    """If there are several comparisons of one data set × backbone, name what differs between them in `variant`."""
    same_name: dict[tuple[str, str], list[tuple[Comparison, str]]] = {}
    for comparison, sha in zip(comparisons, hashes, strict=True):
        same_name.setdefault((comparison.dataset, comparison.backbone), []).append((comparison, sha))
    for index, comparison in enumerate(comparisons):
        twins = same_name[comparison.dataset, comparison.backbone]
        names = dict.fromkeys(name for other, _ in twins for name in other.settings)
        differences = [
            f"{name}={comparison.settings.get(name, '–')}"
            for name in names
            if len({str(other.settings.get(name)) for other, _ in twins}) > 1
        ]
        if len({sha for _, sha in twins}) > 1:
            differences.append(f"data {hashes[index][:8]}")
        if comparison.official:
            differences.append(split_name(OFFICIAL))
        comparison.variant = ", ".join(differences)
