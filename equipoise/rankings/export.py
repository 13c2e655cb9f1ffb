"""Rankings as JSON and as a data frame, and the parts of rows that they are made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from equipoise.rankings.model import Ranking
from equipoise.rankings.ranking import Traits, rankings
from equipoise.rankings.regimes import traits_of
from equipoise.rankings.traits import traits_of_stores
from equipoise.report.comparison import compare
from equipoise.report.export import PARTS
from equipoise.store.rows import Row, Selection, clean
from equipoise.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

#: What a ranking reads of rows, for `Store.rows`: what the report does, and the label counts for the traits of data sets.
SELECTION = Selection(metrics=PARTS.metrics, without=PARTS.without - {"per_label"})


def rank_rows(
    rows: Iterable[Mapping[str, Any]], *metrics: str, traits: Traits | None = None
) -> list[Ranking]:
    """Rank the strategies of rows by these metrics, or by mAP; see `equipoise.rankings.ranking.rankings`.

    Without `traits`, those that the label counts of the rows give are used.
    """
    listed = list(rows)
    tables, traits = compare(listed), traits_of(listed) if traits is None else traits
    return [one for metric in metrics or ("map",) for one in rankings(tables, metric, traits)]


def rank_stores(
    stores: Sequence[Store], *metrics: str, chosen: Callable[[list[Row]], list[Row]] = lambda rows: rows
) -> list[Ranking]:
    """Rank the strategies of all rows of stores, or of those that `chosen` picks; [] without rows."""
    read = [(store, chosen(store.rows(SELECTION))) for store in stores]
    # Together, since the data sets of several stores make one ranking.
    rows = [row for _, own in read for row in own]
    return rank_rows(rows, *metrics, traits=traits_of_stores(read)) if rows else []


def to_json(ranked: Sequence[Ranking]) -> str:
    """Return rankings as JSON: a list with the fields of `Ranking`, and `tied_for_first`.

    NaN is null, and so is the infinite F of data sets that all have the same order.
    """
    records = [
        {**asdict(one), "tied_for_first": [strategy.strategy for strategy in one.tied_for_first]}
        for one in ranked
    ]
    return json.dumps([clean(record) for record in records], indent=1, ensure_ascii=False)


def ranking_frame(ranked: Iterable[Ranking]) -> pd.DataFrame:
    """One line per ranking × strategy: metric, backbone, the fields of `RankedStrategy`, and those of its effect as "delta_…"."""
    import pandas as pd

    records = []
    for one in ranked:
        for strategy in one.strategies:
            record = {"metric": one.metric, "backbone": one.backbone, **asdict(strategy)}
            # `none` has no effect, and its columns stay empty.
            effect = record.pop("effect") or {}
            records.append({**record, **{f"delta_{name}": value for name, value in effect.items()}})
    return pd.DataFrame(records)
