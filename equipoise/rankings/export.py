"""Rankings as JSON and as a data frame, and the parts of rows that they are made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from equipoise.rankings.model import Ranking
from equipoise.rankings.ranking import rankings
from equipoise.rankings.regimes import traits_of
from equipoise.report.comparison import compare
from equipoise.report.export import PARTS
from equipoise.store.rows import Selection, clean

if TYPE_CHECKING:
    import pandas as pd

#: What a ranking reads of rows, for `Store.rows`: what the report does, and the label counts for the traits of data sets.
SELECTION = Selection(metrics=PARTS.metrics, without=PARTS.without - {"per_label"})


def rank_rows(rows: Iterable[Mapping[str, Any]], metric: str = "map") -> list[Ranking]:
    """Rank the strategies of rows; see `equipoise.rankings.ranking.rankings`."""
    listed = list(rows)
    return rankings(compare(listed), metric, traits_of(listed))


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
            effect = record.pop("effect") or {}
            records.append({**record, **{f"delta_{name}": value for name, value in effect.items()}})
    return pd.DataFrame(records)
