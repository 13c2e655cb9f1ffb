"""`equipoise bench compare`: two runs of `pytest benchmarks` as one table."""

from __future__ import annotations

import json as json_
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from equipoise.core.console import SafeConsole, terminal
from equipoise.core.output import echo, echo_json
from equipoise.timings import gate
from equipoise.timings.records import find, load, short
from equipoise.timings.units import in_unit


def compare(before: str, after: str, *, storage: Path, everything: bool, json: bool) -> int:
    """Print the comparison of two runs; returns the exit code, 1 if something became slower.

    Raises:
        EquipoiseError: a file is missing or damaged, or the two cannot be compared.
    """
    runs = [load(find(name, storage)) for name in (before, after)]
    result = gate.compare(*runs)
    for line in _remarks(result):
        echo(line, to_err=True)
    if json:
        changes = [{**asdict(c), "ratio": c.ratio} for c in result.changes]
        echo_json(json_.dumps({**asdict(result), "changes": changes}, indent=2))
    else:
        _print(terminal(), result, everything)
    return 1 if result.of(gate.SLOWER) else 0


def _print(console: SafeConsole, result: gate.Comparison, everything: bool) -> None:
    shown = [c for c in result.changes if everything or c.verdict in (gate.SLOWER, gate.FASTER)]
    if shown:
        table = Table()
        table.add_column("timing")
        for column in ("before", "after", "ratio", "noise"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        for c in shown:
            noise = "?" if c.noise is None else f"± {c.noise:.0%}"
            times = (in_unit(c.before), in_unit(c.after), f"{c.ratio:.2f}", noise)
            # Brackets of a name are no markup.
            table.add_row(escape(short(c.name)), *times, c.verdict)
        console.print(table)
    verdicts = (gate.SLOWER, gate.FASTER, gate.SAME, gate.UNKNOWN)
    counts = ", ".join(f"{len(result.of(v))} {v}" for v in verdicts if v != gate.UNKNOWN or result.of(v))
    console.print(f"{len(result.changes)} timings: {counts}", markup=False)


def _remarks(result: gate.Comparison) -> list[str]:
    """What else a reader must know, each in one line."""
    changed = ", ".join(f"{name} {old} → {new}" for name, (old, new) in result.versions.items())
    missing = [
        f"{len(names)} timings only in {where}, such as {short(names[0])}"
        for names, where in ((result.only_before, "BEFORE"), (result.only_after, "AFTER"))
        if names
    ]
    reasons = list(result.not_comparable.values())
    other = [f"{len(reasons)} timings left out: {reasons[0]}"] if reasons else []
    return [*_loads(result), *([f"other versions: {changed}"] if changed else []), *other, *missing]


def _loads(result: gate.Comparison) -> list[str]:
    """A warning if other programs kept the machine much busier in one of the runs."""
    if result.loads is None:
        return []
    before, after = result.loads
    return [
        f"warning: the load average for each CPU was {before:.1f} before and {after:.1f} after; across such a difference, "
        "7 of 144 timings of unchanged code were called changes"
    ]
