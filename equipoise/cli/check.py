"""`equipoise check`: strategies, by name or in a plugin file, against the conformance kit."""

from __future__ import annotations

import dataclasses
import json as json_
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.catalog.strategies import clash_warnings, expand, get_strategy
from equipoise.contracts.strategy import Strategy
from equipoise.core.console import terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.output import echo, echo_json
from equipoise.core.plugin_output import plugins_apart
from equipoise.testing import check
from equipoise.testing.findings import Finding


@plugins_apart()
def conformance(what: Sequence[str], json: bool) -> int:
    """Check strategies and print a line for each finding; returns the exit code, 1 if there are any.

    Args:
        what: plugin files (each stands for all its strategies), names, or specs with settings.

    Raises:
        EquipoiseError: there is no such file or strategy.
    """
    # All are loaded before the first is checked, so that a typo is reported at once.
    strategies = [s for w in what for s in _strategies(w)]
    out: list[dict[str, Any]] = []
    console = terminal(stderr=True)
    for strategy in strategies:
        began = time.perf_counter()
        with console.status(f"checking {strategy.spec}"):
            findings = check(strategy)
        records = [_record(f) for f in findings]
        out.append({"strategy": strategy.spec, "findings": records, "warnings": clash_warnings(strategy)})
        if not json:
            _print(strategy.spec, findings, time.perf_counter() - began)
            for line in clash_warnings(strategy):
                echo(f"  warning: {line}")
    if json:
        echo_json(json_.dumps(out, indent=2))
    return int(any(record["findings"] for record in out))


def _strategies(what: str) -> list[Strategy]:
    file = Path(what)
    # Otherwise the path of a folder would be reported as an unknown strategy.
    if not what.endswith(".py") and (file.is_dir() or len(file.parts) > 1):
        raise EquipoiseError(f"{what} is not a Python file: give ./mine.py or the name of a strategy")
    return [get_strategy(spec) for spec in expand(what)]


def _record(finding: Finding) -> dict[str, str]:
    return dataclasses.asdict(finding) | {"remedy": finding.remedy}


def _print(name: str, findings: Sequence[Finding], seconds: float) -> None:
    if not findings:
        echo(f"{name}: conforms ({seconds:.1f} s)")
        return
    echo(f"{name}: {len(findings)} finding{'s' if len(findings) > 1 else ''} ({seconds:.1f} s)")
    for finding in findings:
        echo(f"  {finding}")
