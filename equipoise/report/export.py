"""What the rows say: which strategy is best, by how much, and whether that is real.

`equipoise.report.comparison` sorts and compares the rows, `equipoise.report.conclusions` puts the outcome in words,
`equipoise.report.table` draws it; this is the part others call.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from equipoise.report import table as report_table
from equipoise.report.comparison import Comparison, StrategyResult, compare
from equipoise.report.conclusions import conclusions
from equipoise.store.rows import clean

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


def report_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one line per data set × backbone × settings × strategy.

    Columns: dataset, backbone, generated, variant, strategy, state ("ranked", "incomplete", "failed", "skipped"), rank,
    splits and splits_of, the means over splits, `delta_…` (strategy minus `none`, paired) with `_low`, `_high` (95 %
    interval) and `_p` (Holm-adjusted), rcr_support (test rows), seconds (per cell), why, audit (what
    resampling did to the training rows).
    """
    import pandas as pd

    return pd.DataFrame([_record(one, line) for one in compare(rows) for line in one.lines])


def _record(one: Comparison, line: StrategyResult) -> dict[str, Any]:
    record: dict[str, Any] = {
        "dataset": one.dataset,
        "backbone": one.backbone,
        "generated": one.generated,
        "variant": one.variant,
        "strategy": line.strategy,
        "state": line.state,
        "rank": line.rank,
        "splits": line.splits,
        "splits_of": len(one.units),
        **line.means,
    }
    for name, found in line.deltas.items():
        parts = {"": found.mean, "_low": found.low, "_high": found.high, "_p": found.p_holm}
        record.update({f"delta_{name}{part}": value for part, value in parts.items()})
    return {
        **record,
        "rcr_support": one.support,
        "seconds": line.seconds,
        "why": line.why,
        "audit": line.audit,
    }


def to_json(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the report as JSON: a list of comparisons, each with its strategies and conclusions; NaN is null."""
    return json.dumps([clean(_plain(one)) for one in compare(rows)], indent=1, ensure_ascii=False)


def _plain(one: Comparison) -> dict[str, Any]:
    return {
        "dataset": one.dataset,
        "backbone": one.backbone,
        "generated": one.generated,
        "official": one.official,
        "settings": one.settings,
        "splits": [{"seed": seed, "split": split} for seed, split in one.units],
        "devices": one.devices,
        "superseded_rows": one.superseded,
        "warning": one.bound,
        "strategies": [_record(one, line) for line in one.lines],
        "conclusions": conclusions(one),
    }


def render(rows: Iterable[Mapping[str, Any]], console: Console) -> None:
    """Print the report: a table per comparison, what is missing, and what may be concluded."""
    report_table.render(compare(rows), console)
