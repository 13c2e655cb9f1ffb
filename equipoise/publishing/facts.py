"""Facts about a machine that numbers and times depend on. Its name is no such fact and is not recorded."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from equipoise.core.system import cpus


def machine() -> dict[str, Any]:
    """This machine: processor, cores that this process may use, memory in GiB (null if unknown), and system."""
    return {
        "processor": _processor(),
        "cores": cpus(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
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
