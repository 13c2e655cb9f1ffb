"""`equipoise rescore`: recompute the metrics of stored predictions."""

from __future__ import annotations

import dataclasses
import json as json_
from pathlib import Path

from equipoise.core.console import terminal
from equipoise.core.output import echo, echo_json


def rescore(results: Path, json: bool) -> int:
    """Rescore a store and print the outcome; the exit code is 1 if a row could not be rescored, else 0."""
    from equipoise.store.store import Store
    from equipoise.sweep.rescore import rescore as rescored

    with terminal(stderr=True).status("computing metrics") as status:
        done = rescored(
            Store(results),
            on_row=lambda place, total: status.update(f"computing metrics: {place} of {total} rows"),
            on_problem=lambda line: echo(line, to_err=True),
        )
    if json:
        echo_json(json_.dumps(dataclasses.asdict(done), indent=2))
    else:
        left = f", {done.failed} could not be" if done.failed else ""
        echo(
            f"{done.rescored} rows rescored, {done.current} were current{left}; rows in {results / 'rows.jsonl'}"
        )
    return int(bool(done.problems))
