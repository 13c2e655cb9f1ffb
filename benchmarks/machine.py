"""Facts about the machine, the versions and the code on which measured numbers depend."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def processor() -> str:
    """The name of the processor, as far as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """The versions of installed libraries on which the numbers depend."""
    installed = {}
    for name in ("equipoise", "torch", "numpy", "scipy", "scikit-learn", "optuna", "mlflow", "skorch"):
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed
