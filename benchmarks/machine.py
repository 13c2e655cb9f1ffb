"""Facts about the machine, the versions and the code on which measured numbers depend."""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

#: The groups of entry points by which other packages offer plugins.
PLUGINS = ("equipoise.strategies", "equipoise.backbones", "equipoise.datasets")


def processor() -> str:
    """The name of the processor, as far as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def load_average() -> float | None:
    """Processes that ran or waited to run, on average over the last minute; None where the system does not say (Windows)."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def versions() -> dict[str, str]:
    """The versions of installed libraries on which the numbers depend, and of the packages that offer plugins."""
    installed = {}
    for name in ("equipoise", "torch", "numpy", "scipy", "scikit-learn", "optuna", "mlflow", "skorch"):
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed | plugin_versions()


def plugin_versions() -> dict[str, str]:
    """The installed packages that offer plugins, with their versions."""
    points = [point for group in PLUGINS for point in entry_points(group=group)]
    return {point.dist.name: point.dist.version for point in points if point.dist is not None}


def facts(device: Any = None) -> dict[str, Any]:
    """What is recorded with every timing; `device` is a `torch.device`, by default the CPU."""
    import torch

    cuda = device is not None and device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "clock": "between CUDA events" if cuda else "processor time",
        "threads": torch.get_num_threads(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "load_average": load_average(),
        "python": platform.python_version(),
        "versions": versions(),
    }


def measured_on() -> str:
    """The machine, the versions and the date in one line."""
    import torch

    gpu = f"; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    having = ", ".join(f"{n} {v}" for n, v in versions().items() if n != "equipoise")
    return (
        f"{processor()}, {os.cpu_count()} CPUs, {torch.get_num_threads()} thread a process{gpu}; "
        f"Python {platform.python_version()}, {having}; {date.today().isoformat()}."
    )
