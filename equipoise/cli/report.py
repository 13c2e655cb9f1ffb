"""`equipoise report`: the results in a store, in words, as data or as a picture."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise import plots
from equipoise.cli.options import LIVE, check_page
from equipoise.core.console import terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.files import write_whole
from equipoise.core.output import echo, echo_json
from equipoise.page.extras import SELECTION
from equipoise.page.render import check_writable, page_html
from equipoise.publishing.suites import of_suite
from equipoise.rankings import export as rankings
from equipoise.rankings import pictures as drawing
from equipoise.rankings import table as rankings_table
from equipoise.rankings.ranking import METRICS
from equipoise.report.export import PARTS, render, to_json
from equipoise.report.one_label import reader
from equipoise.store.rows import flatten
from equipoise.store.store import Store


def report(
    folder: Path, suite: str | None, *, json: bool, details: bool, picture: Path | None, html: Path | None
) -> None:
    """Print the report over the rows of a store, or over those of one suite; draw them, or write a page, where asked to.

    Raises:
        EquipoiseError: there are no such rows, or the picture or page cannot be written; or, after the report on the others,
            that some rows are damaged.
    """
    check_page(html)
    store, page = Store(folder), None if html is None else check_writable(html)
    rows = store.rows(PARTS if page is None else SELECTION)
    if suite is not None:
        rows = of_suite(rows, suite)
    if not rows and store.damage:
        raise EquipoiseError(store.damage)
    if not rows:
        of = f" of suite {suite!r}" if suite else ""
        raise EquipoiseError(f"no rows in {folder}{of}: run something first, e.g. equipoise run quick")
    # Before anything is printed: a picture that cannot be drawn is an error.
    if picture is not None:
        _draw(rows, picture)
    # Writing the page reads the store again; what is told about its damage is what these rows have.
    damage, results = store.damage, "" if folder == LIVE else str(folder)
    if page is not None:
        write_whole(page, page_html(rows, store, suite, _command(results, suite, html), results))
    if json:
        echo_json(to_json(rows, results, reader(store)))
    else:
        render(rows, terminal(), details=details or None, results=results, read=reader(store))
    if page is not None:
        echo(f"page written to {page}", to_err=json)
    if damage:
        raise EquipoiseError(damage)


def _command(results: str, suite: str | None, html: Path | None) -> str:
    """The command that writes this page, for the page itself."""
    parts = ["equipoise", "report", *([suite] if suite else []), "--html", str(html)]
    return shlex.join([*parts, *(["--results", results] if results else [])])


def across(
    folders: Sequence[Path],
    suite: str | None,
    *,
    metric: str | None,
    wins: bool,
    json: bool,
    pictures: Path | None,
) -> None:
    """Print the rankings, by one metric or by all of METRICS, and draw them into a folder where one is given.

    Raises:
        EquipoiseError: there are no rows, the metric is unknown, or a picture cannot be written; or, after the rankings of the
            others, that some rows are damaged.
    """
    if metric is not None and metric not in METRICS:
        raise EquipoiseError(f"--metric must be one of {', '.join(METRICS)}; got {metric!r}")
    stores = [Store(folder) for folder in folders]
    ranked = rankings.rank_stores(
        stores,
        *([metric] if metric else METRICS),
        chosen=lambda rows: rows if suite is None else of_suite(rows, suite),
    )
    damage = "; ".join(store.damage for store in stores if store.damage)
    if not ranked:
        of = f" of suite {suite!r}" if suite else ""
        where = ", ".join(map(str, folders))
        raise EquipoiseError(
            damage or f"no rows in {where}{of}: run something first, e.g. equipoise run quick"
        )
    # Before anything is printed: a picture that cannot be drawn is an error.
    drawn = [] if pictures is None else drawing.draw(ranked, pictures)
    if json:
        echo_json(rankings.to_json(ranked))
    else:
        rankings_table.render(ranked, terminal(), wins=wins)
    for file in drawn:
        echo(f"picture {file}", to_err=json)
    if damage:
        raise EquipoiseError(damage)


def _draw(rows: Sequence[dict[str, Any]], file: Path) -> None:
    if file.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise EquipoiseError(f"--picture must end in .png, .svg or .pdf; got {str(file)!r}")
    if not file.parent.is_dir():
        raise EquipoiseError(f"no folder {file.parent} to draw {file.name} into")
    plots.comparison(flatten(rows)).savefig(file, dpi=150)
