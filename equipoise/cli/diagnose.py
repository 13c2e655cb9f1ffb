"""`equipoise diagnose`: what a data set is like, on the terminal, as data or as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from equipoise import diagnosis
from equipoise.cli.options import check_page
from equipoise.cli.selection import with_columns
from equipoise.cli.understood import show_understood
from equipoise.core.console import terminal
from equipoise.core.output import echo, echo_json
from equipoise.diagnosis.rendering.console import render
from equipoise.page.render import check_writable


def diagnose(
    dataset: str,
    *,
    table: Mapping[str, str],
    html: Path | None,
    seed: int,
    folds: int,
    data_dir: Path | None,
    json: bool,
) -> None:
    """Diagnose and print, and write the page where one is asked for."""
    check_page(html)
    # Before the work, not after it.
    page = None if html is None else check_writable(html)
    result = diagnosis.diagnose(with_columns([dataset], table)[0], seed=seed, folds=folds, data_dir=data_dir)
    if json:
        echo_json(result.to_json())
    else:
        show_understood([result.dataset])
        render(result.data, terminal())
    if page is not None:
        echo(f"page written to {result.save_html(page)}", to_err=json)
