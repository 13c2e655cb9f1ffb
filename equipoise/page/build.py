"""Builds the view-model of the page from the rows of a store, in two passes over its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.page.extras import current, extras_of, grouped
from equipoise.page.labels import PER_LABEL, kept_arrays, label_table, shown_strategies
from equipoise.page.matrix import Matrix, matrix
from equipoise.page.model import MEASURES, Table, data_of, table_of
from equipoise.page.provenance import Provenance, provenance
from equipoise.rankings.model import Ranking
from equipoise.report.comparison import compare
from equipoise.store.rows import Row
from equipoise.store.store import Store

#: With more tables than this, each starts folded.
OPEN = 2


@dataclass(frozen=True)
class Page:
    """Everything that the template shows."""

    title: str
    tables: list[Table]
    matrices: list[Matrix]
    rankings: list[Ranking]
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
    rows: Sequence[Row], store: Store, suite: str | None, command: str, rankings: Sequence[Ranking] = ()
) -> Page:
    """The page of these rows, which were read with `extras.SELECTION`; per-label results come from the store.

    Args:
        rows: at least one.
        store: where the rows come from.
        suite: the suite whose rows they are; None: all rows of the store.
        command: the command that writes the page.
        rankings: the strategies over data sets; none where nothing is told across data sets.
    """
    groups, comparisons = grouped(rows), compare(rows)
    used = [current(c, of) for c, of in zip(comparisons, groups, strict=True)]
    chosen = [shown_strategies(comparison) for comparison in comparisons]
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
    found = [matrix(tables, measure) for measure in MEASURES]
    return Page(
        title=f"Results of suite {suite}" if suite else "Results",
        tables=tables,
        rankings=list(rankings),
        matrices=[m for m in found if m is not None],
        provenance=provenance(groups, suite, command),
        data=data_of(tables),
        rows=len(rows),
    )
