"""`equipoise check`: strategies, backbones and data sets, by name or in a plugin file, against the conformance kit."""

from __future__ import annotations

import contextlib
import dataclasses
import json as json_
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from equipoise.catalog.strategies import clash_warnings
from equipoise.contracts.dataset import DatasetSource
from equipoise.contracts.strategy import Strategy
from equipoise.core.console import terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.output import echo, echo_json
from equipoise.core.plugin_output import plugins_apart
from equipoise.testing import check
from equipoise.testing.findings import Finding
from equipoise.testing.hints import hints
from equipoise.testing.subjects import Subject, kind_of, subjects_of

#: Seconds between two lines about a check that takes long.
PATIENCE = 10.0


@plugins_apart()
def conformance(what: Sequence[str], json: bool, data_dir: Path | None = None) -> int:
    """Check plugins and print a line for each finding; returns the exit code, 1 if there are any.

    Args:
        what: plugin files (each stands for everything it defines), names, or specs with settings.
        data_dir: the folder into which data sets download; None for the default.

    Raises:
        EquipoiseError: there is no such file or name.
    """
    # All are loaded before the first is checked, so that a typo is reported at once.
    subjects = [s for w in what for s in _subjects(w)]
    out: list[dict[str, Any]] = []
    console = terminal(stderr=True)
    for subject in subjects:
        began, name = time.perf_counter(), _shown(subject)
        with console.status(f"checking {name}"), _patience(console, name):
            findings = check(subject, data_dir=data_dir)
        warnings = clash_warnings(subject) if isinstance(subject, Strategy) else []
        # Of a plugin that breaks rules, those come first.
        advice = [] if findings else hints(subject)
        records = [_record(f) for f in findings]
        out.append({kind_of(subject): name, "findings": records, "warnings": warnings, "hints": advice})
        if not json:
            _print(name, findings, time.perf_counter() - began)
            for line in warnings:
                echo(f"  warning: {line}")
            for line in advice:
                echo(f"  hint: {line}")
    if json:
        echo_json(json_.dumps(out, indent=2))
    return int(any(record["findings"] for record in out))


@contextlib.contextmanager
def _patience(console: Console, name: str) -> Iterator[None]:
    """Say every ten seconds what is being checked, where no terminal shows the status."""
    done = threading.Event()

    def tell() -> None:
        began = time.perf_counter()
        while not done.wait(PATIENCE):
            console.print(f"still checking {name} ({time.perf_counter() - began:.0f} s)", markup=False)

    teller = threading.Thread(target=tell, daemon=True)
    if not console.is_terminal:
        teller.start()
    try:
        yield
    finally:
        done.set()
        if teller.ident is not None:
            teller.join()


def _subjects(what: str) -> list[Subject]:
    file = Path(what)
    # Otherwise the path of a folder would be reported as an unknown name.
    if ".py" not in what and (file.is_dir() or len(file.parts) > 1):
        raise EquipoiseError(
            f"{what} is not a Python file: give ./mine.py or the name of a strategy, backbone or dataset"
        )
    return subjects_of(what)


def _shown(subject: Subject) -> str:
    return subject.name if isinstance(subject, DatasetSource) else subject.spec


def _record(finding: Finding) -> dict[str, str]:
    record = dataclasses.asdict(finding) | {"remedy": finding.remedy}
    del record["advice"]  # it is in the remedy
    return record


def _print(name: str, findings: Sequence[Finding], seconds: float) -> None:
    if not findings:
        echo(f"{name}: conforms ({seconds:.1f} s)")
        return
    echo(f"{name}: {len(findings)} finding{'s' if len(findings) > 1 else ''} ({seconds:.1f} s)")
    for finding in findings:
        echo(f"  {finding}")
