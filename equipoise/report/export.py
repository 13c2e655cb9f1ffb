"""The report as a data frame, as JSON or on a terminal: which strategy is best, by how much, and how certain that is.

This is the interface for other rooms. `equipoise.report.comparison` groups and compares the rows,
`equipoise.report.conclusions` puts the result into sentences, and `equipoise.report.table` draws it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from equipoise.report import table as report_table
from equipoise.report.comparison import Comparison, compare
from equipoise.report.conclusions import conclusions
from equipoise.report.results import MEANS, SUPPORT, StrategyResult
from equipoise.store.rows import Selection, clean

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

#: The parts of rows that a report reads, for `Store.rows`.
PARTS = Selection(metrics=frozenset({*MEANS.values(), SUPPORT}))


def report_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one line per data set × backbone × settings × strategy.

    Columns: dataset, backbone, generated, variant, strategy, state ("ranked", "incomplete", "failed", "skipped"), rank,
    splits and splits_of (finished and all), the means over splits, `delta_…` (strategy minus `none`, paired) with `_low`,
    `_high` (95 % interval) and `_p` (Holm-adjusted), `same_as_…` (a strategy from which it cannot differ there; missing where
    there is none), `noise_…` (the largest difference measured between two such strategies), rcr_support (test rows), seconds
    (per cell), why (what is missing), and audit (what resampling did to the training rows).
    """
    import pandas as pd  # imported late: the terminal report does not need it

    return pd.DataFrame(
        [_record(comparison, result) for comparison in compare(rows) for result in comparison.results]
    )


def _record(comparison: Comparison, result: StrategyResult) -> dict[str, Any]:
    record: dict[str, Any] = {
        "dataset": comparison.dataset,
        "backbone": comparison.backbone,
        "generated": comparison.generated,
        "variant": comparison.variant,
        "strategy": result.strategy,
        "state": result.state,
        "rank": result.rank,
        "splits": result.splits,
        "splits_of": len(comparison.units),
        **result.means,
    }
    # Columns of a comparison without a baseline are missing here, and NaN in a frame with other comparisons.
    for name, delta in result.deltas.items():
        parts = {"": delta.mean, "_low": delta.low, "_high": delta.high, "_p": delta.p_holm}
        record.update({f"delta_{name}{part}": value for part, value in parts.items()})
    record.update({f"same_as_{name}": other for name, other in result.same_as.items()})
    record.update({f"noise_{name}": value for name, value in comparison.noise.items()})
    return {
        **record,
        "rcr_support": comparison.support,
        "seconds": result.seconds,
        "why": result.why,
        "audit": result.audit,
    }


def to_json(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the report as JSON: a list of comparisons, each with its strategies and conclusions; NaN is null."""
    return json.dumps(
        [clean(_plain(comparison)) for comparison in compare(rows)], indent=1, ensure_ascii=False
    )


def _plain(comparison: Comparison) -> dict[str, Any]:
    return {
        "dataset": comparison.dataset,
        "backbone": comparison.backbone,
        "generated": comparison.generated,
        "official": comparison.official,
        "settings": comparison.settings,
        "splits": [{"seed": seed, "split": split} for seed, split in comparison.units],
        "devices": comparison.devices,
        "superseded_rows": comparison.superseded,
        "features": comparison.features,
        "warning": comparison.bound,
        "strategies": [_record(comparison, result) for result in comparison.results],
        "conclusions": conclusions(comparison),
    }


def render(rows: Iterable[Mapping[str, Any]], console: Console) -> None:
    """Print the report: for each comparison a table, what is missing, and the conclusions."""
    report_table.render(compare(rows), console)
