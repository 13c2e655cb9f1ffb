"""`equipoise diagnose`: what a data set is like, on the terminal, as data or as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from equipoise import diagnosis
from equipoise.cli.options import check_page
from equipoise.cli.selection import with_columns
from equipoise.cli.understood import show_understood
from equipoise.core.console import terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.output import echo, echo_json
from equipoise.core.paths import user_path
from equipoise.diagnosis.rendering.console import render


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
    if html is not None and not user_path(html).resolve().parent.is_dir():  # before the work, not after it
        raise EquipoiseError(f"cannot write {html}: {user_path(html).parent} is not a folder")
    result = diagnosis.diagnose(with_columns([dataset], table)[0], seed=seed, folds=folds, data_dir=data_dir)
    if json:
        echo_json(result.to_json())
    else:
        show_understood([result.dataset])
        render(result.data, terminal())
    if html is not None:
        echo(f"page written to {result.save_html(html)}", to_err=json)
