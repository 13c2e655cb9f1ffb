"""The report as a data frame, as JSON or on a terminal: which strategy is best, by how much, and how certain that is.

This is the interface for other rooms. `equipoise.report.comparison` groups and compares the rows,
`equipoise.report.words.conclusions` puts the result into sentences, and `equipoise.report.table` draws it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from equipoise.report import table as report_table
from equipoise.report.advice import Advice, advise
from equipoise.report.comparison import Comparison, compare
from equipoise.report.one_label import Reader
from equipoise.report.power import detectable
from equipoise.report.results import DIFFERENCES, MEANS, SUPPORT, StrategyResult
from equipoise.report.significance import Chances
from equipoise.report.words.conclusions import conclusions
from equipoise.store.rows import Selection, clean

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

#: With more comparisons than this, the terminal shows a summary of them.
MANY = 12
#: The parts of rows that a report reads, for `Store.rows`.
PARTS = Selection(metrics=frozenset({*MEANS.values(), SUPPORT}), without=Selection().without - {"plugins"})


def report_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one line per data set × backbone × settings × strategy.

    Columns: dataset, backbone, generated, variant, strategy, state ("ranked", "incomplete", "failed", "skipped"), rank,
    splits and splits_of (finished and all), the means over splits, `delta_…` (strategy minus `none`, paired) with `_low`,
    `_high` (95 % interval), `_p` (Holm-adjusted) and `_better`, `_equal`, `_worse` (the probabilities of a true difference above
    .01, within ±.01 and below −.01), `delta_fixed_minus_tuned` (how much of a gain at .5 tuned thresholds take away),
    `own_against` (what the own decision is compared with, "" for the baseline's tuned thresholds), `same_as_…` (a strategy from
    which it cannot differ there; missing where there is none), `noise_…` (the largest difference measured between two such
    strategies), rcr_support (test rows), seconds
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
        chances = delta.chances or Chances(math.nan, math.nan, math.nan)
        parts = {"": delta.mean, "_low": delta.low, "_high": delta.high, "_p": delta.p_holm}
        parts |= {f"_{part}": share for part, share in chances._asdict().items()}
        record.update({f"delta_{name}{part}": value for part, value in parts.items()})
    record.update({f"same_as_{name}": other for name, other in result.same_as.items()})
    record.update({f"noise_{name}": value for name, value in comparison.noise.items()})
    return {
        **record,
        "rcr_support": comparison.support,
        "seconds": result.seconds,
        "why": result.why,
        "audit": result.audit,
        "own_against": result.own_against,
    }


def to_json(rows: Iterable[Mapping[str, Any]], results: str = "", read: Reader | None = None) -> str:
    """Return the report as JSON: a list of comparisons, each with its strategies and conclusions; NaN is null.

    `results` is the store's folder, for the commands in the advice; "" for the default one. `read`: see `advise`.
    """
    rows = list(rows)
    comparisons = compare(rows)
    advice = {(piece.dataset, piece.data_sha256): piece for piece in advise(comparisons, results, read)}
    plain = [
        _plain(one, advice.get((one.dataset, one.data_sha256))) | {"plugins": _plugins(rows, one)}
        for one in comparisons
    ]
    return json.dumps(clean(plain), indent=1, ensure_ascii=False)


def _plugins(rows: Iterable[Mapping[str, Any]], comparison: Comparison) -> list[dict[str, Any]]:
    """Each plugin that has made rows of a data set with a backbone: kind, name, origin, distribution and version."""
    found = [
        tuple(sorted(plugin.items()))
        for row in rows
        if (row["dataset"], row["backbone"]) == (comparison.dataset, comparison.backbone)
        for plugin in row.get("plugins") or ()
    ]
    return [dict(plugin) for plugin in dict.fromkeys(found)]


def _plain(comparison: Comparison, advice: Advice | None) -> dict[str, Any]:
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
        "detectable": {name: detectable(comparison, name) for name in DIFFERENCES},
        "conclusions": conclusions(comparison),
        # The same for all comparisons of one data set.
        "advice": None if advice is None else advice.record(),
    }


def render(
    rows: Iterable[Mapping[str, Any]],
    console: Console,
    *,
    details: bool | None = None,
    results: str = "",
    read: Reader | None = None,
) -> None:
    """Print the report: a table and conclusions for each comparison, and what to do about each data set.

    Args:
        details: whether to print the tables, or one line for each; None: the tables if there are at most MANY.
        results: the store's folder, for the commands in the advice; "" for the default one.
        read: reads rows with their results per label, see `advise`.
    """
    comparisons = compare(rows)
    shown = len(comparisons) <= MANY if details is None else details
    report_table.render(comparisons, advise(comparisons, results, read), console, details=shown)
