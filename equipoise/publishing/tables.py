"""The tables of a published folder as CSV files, for spreadsheets and other programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.page.extras import current
from equipoise.publishing.folder import as_bytes
from equipoise.publishing.rows import seconds_of
from equipoise.rankings.export import rank_rows, ranking_frame
from equipoise.rankings.measured import measured_effects
from equipoise.rankings.pictures import as_svg
from equipoise.rankings.ranking import METRICS
from equipoise.report.comparison import Comparison, compare
from equipoise.report.results import DIFFERENCES, MEANS
from equipoise.report.significance import mean
from equipoise.store.rows import Row

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazy("pandas")

#: Column of per_label.csv → list of a row's `per_label`.
LABELS = {
    "n_train": "fixed/n_train",
    "n_test": "fixed/n_test",
    "fixed_f1": "fixed/f1",
    "tuned_f1": "tuned/f1",
    "average_precision": "fixed/average_precision",
}
#: The effect of each strategy over data sets, which the pages of the strategies show.
EFFECTS = "effects.csv"
#: Columns of cost.csv, each a field of a row's `cost`, in seconds.
COSTS = ("seconds_total", "seconds_search", "seconds_refit", "seconds_predict", "seconds_features")


def tables(rows: Sequence[Row]) -> tuple[dict[str, bytes], str]:
    """File name → content: means, differences from `none`, per label, and cost; with several data sets also what is over them.

    These are the effect of each strategy, the ranking, and pictures of both. The second result says why they are missing, ""
    where they are there or there is one data set.
    """
    comparisons = compare(rows)
    pairs = [(one, current(one, one.rows)) for one in comparisons]
    found = {
        "means.csv": [line for one in comparisons for line in _means(one)],
        "differences.csv": [line for one in comparisons for line in _differences(one)],
        "per_label.csv": [line for one, of in pairs for line in _per_label(one, of)],
        "cost.csv": [line for one, of in pairs for line in _costs(one, of)],
    }
    made = {name: _csv(pd.DataFrame(map(_encodable, lines))) for name, lines in found.items() if lines}
    over, missing = _over_datasets(rows, comparisons)
    return {**made, **over}, missing


def _named(comparison: Comparison, strategy: str) -> dict[str, Any]:
    return {
        "dataset": comparison.dataset,
        "backbone": comparison.backbone,
        "variant": comparison.variant,
        "generated": comparison.generated,
        "strategy": strategy,
    }


def _means(comparison: Comparison) -> Iterable[dict[str, Any]]:
    for result in comparison.results:
        state = {"state": result.state, "rank": result.rank, "splits": result.splits, "why": result.why}
        yield _named(comparison, result.strategy) | state | {name: result.means.get(name) for name in MEANS}


def _differences(comparison: Comparison) -> Iterable[dict[str, Any]]:
    """One line for each strategy and metric: strategy minus `none`, its interval, p-values, and three probabilities."""
    for result in comparison.ranked:
        for name in DIFFERENCES:
            if (delta := result.deltas.get(name)) is not None:
                values = asdict(delta)
                # The degrees of freedom help nobody who has the interval; infinity is no number in CSV.
                del values["df"]
                chances = delta.chances
                values |= {f"p_{k}": v for k, v in (chances._asdict() if chances else {}).items()}
                equal = result.same_as.get(name, "")
                yield _named(comparison, result.strategy) | {"metric": name} | values | {"same_as": equal}


def _per_label(comparison: Comparison, used: Mapping[str, Sequence[Row]]) -> Iterable[dict[str, Any]]:
    """One line for each strategy and label: means over the splits in which the value is defined."""
    for strategy, rows in used.items():
        labels = rows[0].get("labels") if rows else None
        for place, label in enumerate(labels or ()):
            values = {name: mean(_of_label(rows, field, place)) for name, field in LABELS.items()}
            yield _named(comparison, strategy) | {"label": label} | values


def _of_label(rows: Sequence[Row], field: str, place: int) -> list[float]:
    found = ((row.get("per_label") or {}).get(field) or () for row in rows)
    return [float(values[place]) for values in found if place < len(values)]


def _costs(comparison: Comparison, used: Mapping[str, Sequence[Row]]) -> Iterable[dict[str, Any]]:
    for strategy, rows in used.items():
        times = {name: mean([seconds_of(row, name) for row in rows]) for name in COSTS}
        total = sum(filter(math.isfinite, (seconds_of(row, COSTS[0]) for row in rows)))
        yield _named(comparison, strategy) | {"cells": len(rows)} | times | {"core_hours": total / 3600}


def core_hours(rows: Iterable[Mapping[str, Any]]) -> float:
    """The hours that the cells took; each cell runs on one core, or on one device."""
    return sum(filter(math.isfinite, (seconds_of(row, COSTS[0]) for row in rows))) / 3600


def _over_datasets(rows: Sequence[Row], comparisons: Sequence[Comparison]) -> tuple[dict[str, bytes], str]:
    """What is said over data sets, and why nothing is: the packages that it needs may be missing."""
    if len({one.dataset for one in comparisons}) < 2:
        return {}, ""
    try:
        effects, ranked = measured_effects(comparisons), rank_rows(rows, *METRICS)
    except EquipoiseError as error:
        return {}, str(error)
    frames = {
        EFFECTS: pd.DataFrame([one.record() for one in effects]),
        "ranking.csv": ranking_frame(ranked),
    }
    made = {name: _csv(frame) for name, frame in frames.items() if not frame.empty}
    return {**made, **as_svg(ranked, effects)}, ""


def _encodable(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line whose texts pandas can hold: labels from damaged files may have half characters."""
    return {name: as_bytes(v).decode() if isinstance(v, str) else v for name, v in line.items()}


def _csv(frame: pd.DataFrame) -> bytes:
    return as_bytes(frame.to_csv(index=False, lineterminator="\n"))
