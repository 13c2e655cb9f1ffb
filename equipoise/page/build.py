"""Builds the view-model of the page from the rows of a store, in two passes over its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.core.errors import EquipoiseError
from equipoise.page.actions import Action, actions
from equipoise.page.data import data_of
from equipoise.page.extras import current, extras_of, grouped
from equipoise.page.labels import PER_LABEL, Kept, kept_arrays, label_table, shown_strategies
from equipoise.page.matrix import Matrix, matrix
from equipoise.page.model import MEASURES, Table, table_of
from equipoise.page.provenance import Provenance, provenance
from equipoise.rankings.model import Ranking
from equipoise.rankings.ranking import METRICS, Traits, rankings
from equipoise.rankings.regimes import traits_of
from equipoise.report.comparison import Comparison, compare
from equipoise.report.one_label import reader
from equipoise.store.rows import Row
from equipoise.store.store import Store

#: With more tables than this, each starts folded.
OPEN = 2


@dataclass(frozen=True)
class Page:
    """Everything that the template shows."""

    title: str
    note: str  # "" for none
    advice: list[Action]
    tables: list[Table]
    matrices: list[Matrix]
    rankings: list[Ranking]
    no_ranking: str  # why there is none; "" if there is one
    provenance: Provenance
    data: dict[str, Any]
    rows: int

    @property
    def folded(self) -> bool:
        """Whether the sections of the tables start folded."""
        return len(self.tables) > OPEN

    @property
    def failed(self) -> int:
        """The number of strategies, over all tables, that are not ranked."""
        return sum(len(table.missing) for table in self.tables)


def build(
    rows: Sequence[Row], store: Store, suite: str | None, command: str, results: str = "", note: str = ""
) -> Page:
    """The page of these rows, which were read with `extras.SELECTION`; per-label results come from the store.

    Args:
        rows: at least one.
        store: where the rows come from.
        suite: the suite whose rows they are; None: all rows of the store.
        command: the command that writes the page.
        results: the store's folder for the commands of the page; "" for the default one.
        note: what a reader should know first, such as how much of a suite these rows are.
    """
    comparisons = compare(rows)
    used = [current(comparison, comparison.rows) for comparison in comparisons]
    chosen = [shown_strategies(comparison) for comparison in comparisons]
    # Per-label results are most of a store, so only those of the strategies that are shown are read, in a second pass.
    keys = {
        row["key"]
        for of, names in zip(used, chosen, strict=True)
        for name in names
        for row in of.get(name, ())
    }
    kept = kept_arrays(store.rows_of(keys, PER_LABEL))
    tables = [
        table_of(i, comparison, extras_of(comparison, of), label_table(of, names, kept, len(comparisons)))
        for i, (comparison, of, names) in enumerate(zip(comparisons, used, chosen, strict=True), start=1)
    ]
    ranked, why_not = _rankings(comparisons, _traits(comparisons, used, kept))
    found = [matrix(tables, measure) for measure in MEASURES]
    return Page(
        title=f"Results of suite {suite}" if suite else "Results",
        note=note,
        advice=actions(comparisons, results, reader(store)),
        tables=tables,
        rankings=ranked,
        no_ranking=why_not,
        matrices=[m for m in found if m is not None],
        # Of all rows, also of those that newer ones have replaced: they were computed, too.
        provenance=provenance(grouped(rows), suite, command, results),
        data=data_of(tables),
        rows=len(rows),
    )


def _rankings(comparisons: Sequence[Comparison], traits: Traits) -> tuple[list[Ranking], str]:
    """The rankings by each metric, and why there are none."""
    if len({comparison.dataset for comparison in comparisons}) < 2:
        return [], "All rows are of one data set, so nothing can be said about others."
    try:
        return [one for metric in METRICS for one in rankings(comparisons, metric, traits)], ""
    # A package that only rankings need is not installed; the page can do without them.
    except EquipoiseError as error:
        return [], f"Strategies are not ranked over data sets: {error}."


def _traits(
    comparisons: Sequence[Comparison], used: Sequence[Mapping[str, Sequence[Row]]], kept: Mapping[str, Kept]
) -> Traits:
    """The measures of each data set whose label counts some row tells."""
    counted = []
    for comparison, of in zip(comparisons, used, strict=True):
        # Any row that was read in full will do: the counts are those of the data and the split.
        key = next((row["key"] for rows in of.values() for row in rows if row["key"] in kept), None)
        if key is not None:
            counts = {f"fixed/{name}": kept[key][1][name].tolist() for name in ("n_train", "n_test")}
            counted.append({"dataset": comparison.dataset, "per_label": counts})
    return traits_of(counted)
