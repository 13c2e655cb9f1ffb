"""`equipoise rescore`: recompute the metrics of stored predictions."""

from __future__ import annotations

import dataclasses
import json as json_
from pathlib import Path

import typer
from rich.console import Console


def rescore(results: Path, json: bool) -> int:
    """Rescore a store and print the outcome; the exit code is 1 if a row could not be rescored, else 0."""
    from equipoise.store.store import Store
    from equipoise.sweep.rescore import rescore as rescored

    with Console(stderr=True).status("computing metrics") as status:
        done = rescored(
            Store(results),
            on_row=lambda place, total: status.update(f"computing metrics: {place} of {total} rows"),
            on_problem=lambda line: typer.echo(line, err=True),
        )
    if json:
        typer.echo(json_.dumps(dataclasses.asdict(done), indent=2))
    else:
        left = f", {len(done.problems)} could not be" if done.problems else ""
        typer.echo(
            f"{done.rescored} rows rescored, {done.current} were current{left}; rows in {results / 'rows.jsonl'}"
        )
    return int(bool(done.problems))
