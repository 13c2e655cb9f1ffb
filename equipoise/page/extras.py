"""What the page shows beyond a comparison: rare labels, rare combinations with their support, and cost, from the same rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from equipoise.report.comparison import Comparison
from equipoise.report.export import PARTS
from equipoise.report.results import RANKED
from equipoise.report.significance import mean
from equipoise.report.units import SplitId, unit_of
from equipoise.splits.outer import OFFICIAL
from equipoise.store.rows import Row, Selection

#: Column of the page → metric of a row; all at tuned thresholds.
METRICS = {
    "head_f1": "tuned/head_f1",
    "medium_f1": "tuned/medium_f1",
    "tail_f1": "tuned/tail_f1",
    "rcr_at_3": "tuned/rcr_at_3",
    "unseen_recall": "tuned/unseen_recall",
}
#: What a recall of rare combinations is computed from: test rows, summed over the splits.
SUPPORT = {
    "rcr_at_3": "tuned/rcr_rows_at_3",
    "rcr_at_10": "tuned/rcr_rows_at_10",
    "unseen_recall": "tuned/unseen_rows",
}
#: Column of the page → field of a row's `cost`.
COSTS = {
    "seconds_search": "seconds_search",
    "seconds_refit": "seconds_refit",
    "seconds_features": "seconds_features",
}
#: The parts of rows that the page reads in its first pass; `labels.PER_LABEL` are those of the second.
SELECTION = Selection(
    metrics=(PARTS.metrics or frozenset()) | {*METRICS.values(), *SUPPORT.values()},
    without=PARTS.without - {"versions", "plugins"},
)


@dataclass(frozen=True)
class Extras:
    """Strategy → column → mean over the splits of its table; `support` counts the test rows, summed over the splits."""

    means: dict[str, dict[str, float]] = field(default_factory=dict)
    support: dict[str, float] = field(default_factory=dict)


def grouped(rows: Iterable[Row]) -> list[list[Row]]:
    """All rows of each comparison, in the order of `compare`; `Comparison.rows` has the newest of each cell alone."""
    groups: dict[tuple[str, str, str, str, bool], list[Row]] = {}
    for row in rows:
        settings = json.dumps(row.get("settings") or {}, sort_keys=True, default=str)
        backbone = str(row.get("backbone_identity") or row["backbone"])
        data = (str(row["dataset"]), backbone, str(row.get("dataset_sha256", "")))
        groups.setdefault((*data, settings, row["split"] == OFFICIAL), []).append(row)
    return list(groups.values())


def current(comparison: Comparison, rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Strategy → the finished rows that its line in the table is computed from, in the order of the splits."""
    used: dict[str, dict[SplitId, Row]] = {}
    units = set(comparison.units)
    for row in rows:  # a later row of a cell replaces an earlier one
        if (unit := unit_of(row)) in units:
            used.setdefault(str(row["strategy"]), {})[unit] = row
    return {
        strategy: [row for _, row in sorted(of.items(), key=lambda item: item[0]) if row["status"] == "ok"]
        for strategy, of in used.items()
    }


def extras_of(comparison: Comparison, used: Mapping[str, Sequence[Row]]) -> Extras:
    """Average the columns over the rows of each strategy."""
    means = {strategy: _means(rows) for strategy, rows in used.items() if rows}
    ranked = [result.strategy for result in comparison.results if result.state == RANKED]
    # Support depends on the split alone, so any complete strategy tells it.
    rows = used.get(ranked[0], []) if ranked else []
    # Sums over the splits: how many test rows stand behind a mean recall.
    values = {
        name: [value for row in rows if math.isfinite(value := _number(row.get("metrics"), metric))]
        for name, metric in SUPPORT.items()
    }
    # Earlier versions of the metrics did not record every support.
    return Extras(means, {name: sum(found) for name, found in values.items() if found})


def _means(rows: Sequence[Row]) -> dict[str, float]:
    metrics = {n: mean([_number(row.get("metrics"), m) for row in rows]) for n, m in METRICS.items()}
    costs = {n: mean([_number(row.get("cost"), f) for row in rows]) for n, f in COSTS.items()}
    return metrics | costs


def _number(values: Mapping[str, object] | None, name: str) -> float:
    value = (values or {}).get(name)
    return float(value) if isinstance(value, (int, float)) else math.nan
