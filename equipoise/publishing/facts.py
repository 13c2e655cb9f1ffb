"""The facts of a manifest: where, when and with what the rows were made.

The name of a machine is no fact that numbers or times depend on, and is not recorded.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from equipoise.core.system import cpus
from equipoise.page.provenance import Provenance
from equipoise.publishing.folder import SCHEMA
from equipoise.publishing.tables import core_hours
from equipoise.store.rows import Row


def facts(rows: Sequence[Row], made: Provenance, name: str) -> dict[str, Any]:
    """What a manifest says of the rows themselves: equal rows give equal facts."""
    return {
        "schema": SCHEMA,
        "name": name,
        "commands": [*made.commands, made.report],
        "versions": _versions(rows),
        # The first part of a row's code is the engine; the others differ between backbones and strategies.
        "code": _distinct(str(row.get("code") or "").partition("/")[0] for row in rows),
        "metrics_code": _distinct(row.get("metrics_code") for row in rows),
        "cpu": _distinct(row.get("cpu") for row in rows),
        "devices": _distinct(row.get("device") for row in rows),
        "seeds": sorted({int(row.get("seed") or 0) for row in rows}),
        "data": sorted((asdict(one) for one in made.data), key=lambda one: (one["name"], one["sha256"])),
        "created": [made.first, made.last],
        "rows": len(rows),
        # A few digits: sums of floats may differ in the last ones between machines.
        "core_hours": round(core_hours(rows), 4),
    }


def _distinct(values: Iterable[Any]) -> list[str]:
    return sorted({str(value) for value in values if value})


def _versions(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, version in (row.get("versions") or {}).items():
            found.setdefault(str(name), set()).add(str(version))
    return {name: sorted(values) for name, values in sorted(found.items())}


def machine(description: str = "") -> dict[str, Any]:
    """This machine: processor, cores that this process may use, memory in GiB (null if unknown), and system.

    Args:
        description: of the machines that made the rows, where those are others; readers then show it instead.
    """
    return {
        "processor": _processor(),
        "cores": cpus(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        **({"description": description} if description else {}),
    }


def _memory() -> int | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)
    except (AttributeError, ValueError, OSError):  # not POSIX
        return None


def _processor() -> str:
    """The name of the processor, as far as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
