"""What the runs above the cells hold: the means of a strategy, and who won on a table. Nothing is written here.

The numbers are those of `equipoise report`, from the same rows: a strategy run averages each metric over the splits on which all
strategies are compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.page.extras import current
from equipoise.report.comparison import Comparison, StrategyResult
from equipoise.report.power import detectable
from equipoise.report.results import DIFFERENCES, RANKED
from equipoise.report.significance import mean
from equipoise.report.units import BASELINE, unit_of
from equipoise.store.rows import Row
from equipoise.tracking import run_fields as view
from equipoise.tracking.database import Content
from equipoise.tracking.levels import LEVEL, STRATEGY, SUMMARY, strategy_key, table_key
from equipoise.tracking.words import ranking, table_description, versus_none

#: MLflow has no state for a strategy that lacks some splits; it has no result, like one that was skipped.
STATUS = {"ranked": "FINISHED", "failed": "FAILED"}


#: Decimal places of the means, which MLflow would show with sixteen; the rows have them all.
DIGITS = 4
#: MLflow from 3.1 on takes tags of this length.
LONGEST_TAG = 5000


@dataclass(frozen=True)
class Summary:
    """A run that sums up others.

    Attributes:
        row: a row below it, which names its experiment and its data.
        content: metrics in the order in which MLflow is to show them. MLflow lists the latest start first, so the summary comes
            first, then the strategies by rank, then the cells. Between start and end lies the time of the cells below, which
            MLflow shows as the duration.
        table: lines of a table, for a file.
    """

    key: str
    row: Row
    content: Content
    table: list[dict[str, Any]]


def summaries(comparison: Comparison, rows: Sequence[Row]) -> list[Summary]:
    """The runs of the strategies of a comparison, best first, and its summary run last; `rows` are those of the comparison."""
    latest = max(view.span(row)[1] for row in rows)
    finished = current(comparison, rows)
    strategies = [
        _of_strategy(result, comparison, rows, finished.get(result.strategy, []), latest - place)
        for place, result in enumerate(comparison.results, start=1)
    ]
    return [*strategies, _of_table(comparison, rows, latest)]


def _of_table(comparison: Comparison, rows: Sequence[Row], start: int) -> Summary:
    metrics = {
        f"{name}/{result.strategy}": result.means[name]
        for name in DIFFERENCES
        for result in comparison.ranked
    }
    metrics |= {f"detectable/{name}": detectable(comparison, name) for name in ("map", "tuned_macro_f1")}
    metrics |= {"splits": float(len(comparison.units)), "strategies": float(len(comparison.ranked))}
    tags = {
        **_tags(SUMMARY, comparison),
        "ranked first": comparison.ranked[0].strategy if comparison.ranked else "–",
        "mlflow.note.content": table_description(comparison),
        # MLflow shows a file as a table if this tag names it.
        "mlflow.loggedArtifacts": '[{"path": "ranking.json", "type": "table"}]',
    }
    return Summary(
        key=table_key(rows[0]),
        row=rows[0],
        content=_content(f"summary · {_setting(comparison)}", "FINISHED", start, rows, metrics, tags),
        table=ranking(comparison),
    )


def _of_strategy(
    result: StrategyResult, comparison: Comparison, rows: Sequence[Row], finished: Sequence[Row], start: int
) -> Summary:
    own = [row for row in rows if row["strategy"] == result.strategy]
    verdict = versus_none(result, comparison)
    of = f"mean of {len(finished)} split{'s' * (len(finished) != 1)}" if finished else result.state
    note = f"{of}, compared with none: {verdict}. {result.why}".strip()
    tags = {
        **_tags(STRATEGY, comparison),
        "strategy": result.strategy,
        "status": result.state,
        "versus none": verdict,
        "mlflow.note.content": note,
    }
    name, status = f"{result.strategy} · {_setting(comparison)}", STATUS.get(result.state, "KILLED")
    return Summary(
        key=strategy_key(own[0]),
        row=own[0],
        content=_content(name, status, start, own, _means(result, finished), tags),
        table=[_line(row) for row in sorted(own, key=lambda row: str(unit_of(row)))],
    )


def _content(
    name: str,
    status: str,
    start: int,
    rows: Sequence[Row],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
) -> Content:
    """The content of a run above these rows."""
    # The time that the cells took together; they may have run side by side.
    duration = sum(end - begin for begin, end in map(view.span, rows))
    rounded = view.valid(
        (label, round(value, DIGITS)) for label, value in metrics.items() if math.isfinite(value)
    )
    params = view.valid(
        (f"setting/{label}", str(value)) for label, value in (rows[0].get("settings") or {}).items()
    )
    cut = {label: value[:LONGEST_TAG] for label, value in tags.items()}
    return Content(name, status, start, start + duration, rounded, params, {**cut, "mlflow.runName": name})


def _setting(comparison: Comparison) -> str:
    return f"{comparison.backbone} · {comparison.variant}" if comparison.variant else comparison.backbone


def _tags(level: str, comparison: Comparison) -> dict[str, str]:
    return {
        LEVEL: level,
        "backbone": comparison.backbone,
        "dataset": comparison.dataset,
        "generated": str(comparison.generated).lower(),
        "variant": comparison.variant,
        "mlflow.source.name": "equipoise",
        "mlflow.source.type": "LOCAL",
    }


def _means(result: StrategyResult, finished: Sequence[Row]) -> dict[str, float]:
    """The means over the splits, as `view.numbers` names them for a cell, and the gains over the baseline."""
    columns: dict[str, list[float]] = {}
    for row in finished:
        for name, value in view.numbers(row):
            columns.setdefault(name, []).append(value)
    means = sorted(((name, mean(values)) for name, values in columns.items()), key=view.importance)
    gains = dict(_gains(result))
    gains |= {"splits": float(result.splits), "rank": float(result.rank or math.nan)}
    gains["cost/seconds_per_cell"] = result.seconds
    leading = {name: value for name, value in means if name in view.LEADING}
    # The first mention of a key decides its place, so the leading metrics stand before the gains and all others.
    return {**leading, **gains, **dict(means)}


def _gains(result: StrategyResult) -> Iterable[tuple[str, float]]:
    if result.strategy == BASELINE or result.state != RANKED:
        return
    for name in DIFFERENCES:
        if (delta := result.deltas.get(name)) is not None:
            yield f"gain/{name}", delta.mean
            yield from ((f"gain/{name}_{part}", getattr(delta, part)) for part in ("low", "high"))
            yield f"gain/{name}_p", delta.p_holm


def _line(row: Row) -> dict[str, Any]:
    """One split of a strategy, for the table of its run."""
    seed, split = unit_of(row)
    metrics: Mapping[str, Any] = row.get("metrics") or {}
    cost: Mapping[str, Any] = row.get("cost") or {}
    why = row.get("error") or row.get("reason") or ""
    # Also of a split that failed: a line without scores shows where a mean has a gap.
    scores = {name: metrics.get(name) for name in view.LEADING}
    return {
        "split": split,
        "seed": seed,
        "status": row["status"],
        **scores,
        "seconds": cost.get("seconds_total"),
        "why": why,
    }
