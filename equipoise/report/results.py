"""The results of one strategy in a table: its scores on every split, its state, and what is missing and why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from equipoise.report import equalities, significance
from equipoise.report.significance import Difference
from equipoise.report.units import BASELINE, SplitId, unit_of
from equipoise.resampling.audit import sentence
from equipoise.store.rows import Row

RANKED, INCOMPLETE, FAILED, SKIPPED = "ranked", "incomplete", "failed", "skipped"
Values = Mapping[SplitId, float]
# Name in the report → metric of a row; the report shows means over splits, without undefined values.
MEANS = {
    "fixed_macro_f1": "fixed/macro_f1",
    "tuned_macro_f1": "tuned/macro_f1",
    "own_macro_f1": "own/macro_f1",
    "tuned_micro_f1": "tuned/micro_f1",
    "map": "scores/map",
    "rcr_at_10": "tuned/rcr_at_10",
}
#: Compared with the baseline, each metric a family of its own for Holm's adjustment; the first one leads.
DIFFERENCES = ("map", "tuned_macro_f1", "fixed_macro_f1", "own_macro_f1")
#: The gain at 0.5 minus the gain with tuned thresholds, compared like a metric: how much of a gain is a threshold.
THRESHOLD = "fixed_minus_tuned"
SUPPORT = "tuned/rcr_rows_at_10"


@dataclass
class StrategyResult:
    """One strategy in a comparison.

    `deltas` holds strategy minus `none` by the names of DIFFERENCES and THRESHOLD; it is empty without `none`. The own
    decision of a strategy is compared with `none` under the same kind of rule, which `own_against` names.
    """

    strategy: str
    state: str
    splits: int
    means: dict[str, float]
    seconds: float  # mean time of a cell
    why: str = ""  # what is missing, and the reason
    undefined: int = 0  # splits that finished, but without the leading score; they make a strategy incomplete
    audit: str = ""  # a sentence on what resampling did to the training rows
    rank: int | None = None
    deltas: dict[str, Difference] = field(default_factory=dict)
    values: dict[str, dict[SplitId, float]] = field(default_factory=dict, repr=False)
    declared: list[dict[str, Any]] = field(default_factory=list, repr=False)  # field `same_as` of its rows
    # Name of MEANS → the strategy before it in this comparison from which it cannot differ there.
    same_as: dict[str, str] = field(default_factory=dict)
    own_against: str = (
        ""  # a strategy that is only this decision rule; "" for the baseline with tuned thresholds
    )

    @property
    def only_decides(self) -> bool:
        """Whether mAP and tuned scores are the baseline's, so that all it changes is where the thresholds lie."""
        return all(
            self.same_as.get(name) == BASELINE or (name in self.deltas and self.deltas[name].identical)
            for name in ("map", "tuned_macro_f1")
        )

    @property
    def own_decision(self) -> bool:
        """Whether the strategy has its own decision rule, different from 0.5 and from the tuned thresholds."""
        own_scores = self.values.get("own_macro_f1", {})
        others = (self.values["fixed_macro_f1"], self.values["tuned_macro_f1"])
        return bool(own_scores) and all(own_scores != other for other in others)


def number_of(row: Row, metric: str) -> float:
    """A metric of a row; NaN if it is undefined or missing."""
    value = (row.get("metrics") or {}).get(metric)
    return float(value) if isinstance(value, (int, float)) else math.nan


def result_of(strategy: str, rows: list[Row], units: list[SplitId]) -> StrategyResult:
    """Collect what the rows of a table say about one strategy on its units."""
    own_rows = _rows_of(strategy, rows)
    finished = _finished(own_rows, units)
    undefined = _undefined(finished, _finished(_rows_of(BASELINE, rows), units))
    values = {
        name: {u: number_of(row, metric) for u, row in finished.items()} for name, metric in MEANS.items()
    }
    seconds = [_seconds(row) for row in finished.values()]
    return StrategyResult(
        strategy=strategy,
        state=_state(own_rows, len(finished) - len(undefined), len(units)),
        splits=len(finished) - len(undefined),
        means={name: significance.mean(list(column.values())) for name, column in values.items()},
        seconds=significance.mean(seconds),
        why=_why(own_rows, units, undefined),
        undefined=len(undefined),
        audit=sentence(
            strategy, str(rows[0]["dataset"]), [row.get("audit") or {} for row in finished.values()]
        ),
        values=values,
        declared=equalities.declarations(finished.values()),
    )


def _rows_of(strategy: str, rows: Iterable[Row]) -> dict[SplitId, Row]:
    return {unit_of(row): row for row in rows if row["strategy"] == strategy}


def _finished(own_rows: Mapping[SplitId, Row], units: Iterable[SplitId]) -> dict[SplitId, Row]:
    return {unit: own_rows[unit] for unit in units if unit in own_rows and own_rows[unit]["status"] == "ok"}


def _undefined(finished: Mapping[SplitId, Row], base: Mapping[SplitId, Row]) -> list[SplitId]:
    """The units where the leading score is undefined, but not for the baseline; [] where it is undefined on all.

    A mean without them would be over other splits than that of the others, and perhaps easier ones. Without any there is none.
    """
    lead = MEANS[DIFFERENCES[0]]
    found = [
        unit
        for unit, row in finished.items()
        if unit in base and math.isnan(number_of(row, lead)) and math.isfinite(number_of(base[unit], lead))
    ]
    return found if len(found) < len(finished) else []


def _seconds(row: Row) -> float:
    """What the cell would have taken by itself, so that a cost does not depend on who ran beside it."""
    cost = row.get("cost") or {}
    return float(cost.get("seconds_total", math.nan)) + float(cost.get("seconds_reused") or 0.0)


def _state(own_rows: dict[SplitId, Row], done: int, wanted: int) -> str:
    if any(row["status"] == "ok" for row in own_rows.values()):
        return RANKED if done == wanted else INCOMPLETE
    return SKIPPED if all(row["status"] == "skipped" for row in own_rows.values()) else FAILED


def _why(own_rows: dict[SplitId, Row], units: list[SplitId], undefined: list[SplitId]) -> str:
    """What is missing and why, each reason once."""
    reasons = [
        str(row.get("error") or row.get("reason") or "") for row in own_rows.values() if row["status"] != "ok"
    ]
    if absent := [str(split) for seed, split in units if (seed, split) not in own_rows]:
        reasons.append(f"not run on split {', '.join(absent)}")
    if undefined:
        reasons.append(f"score undefined on split {', '.join(str(split) for _, split in undefined)}")
    return "; ".join(dict.fromkeys(filter(None, reasons)))
