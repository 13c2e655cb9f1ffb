"""`equipoise diagnose`."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from equipoise.cli.run import with_columns


def diagnose(
    dataset: str,
    table: dict[str, str],
    json: bool,
    html: Path | None,
    seed: int,
    folds: int,
    data_dir: Path | None,
) -> None:
    """Diagnose and print, and write the page where one is asked for."""
    from equipoise.core.errors import EquipoiseError
    from equipoise.diagnosis import diagnose as measured
    from equipoise.diagnosis.rendering.console import render

    if html is not None and not html.expanduser().resolve().parent.is_dir():  # before, not after the work
        raise EquipoiseError(f"cannot write {html}: {html.expanduser().parent} is not a folder")
    found = measured(with_columns([dataset], table)[0], seed=seed, folds=folds, data_dir=data_dir)
    if json:
        typer.echo(found.to_json())
    else:
        render(found.data, Console())
    if html is not None:
        typer.echo(f"page written to {found.save_html(html)}", err=json)
