"""What makes the bits of a process: its code, its libraries and its CPU. The driver compares its own with every worker's."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from equipoise.core.lazy import lazy
from equipoise.experiment import versions

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")


@dataclass(frozen=True)
class Identity:
    """The identity of a process.

    Attributes:
        code: hashes of the engine and of the code of the metrics, and the version of equipoise.
        machine: what else the last bits of a number depend on: versions of libraries, processor, its instructions.
        cuda: whether PyTorch finds a CUDA device.
    """

    code: dict[str, str]
    machine: dict[str, str]
    cuda: bool


def identity() -> Identity:
    """The identity of this process."""
    libraries = dict(versions.versions())
    code = {
        "equipoise": libraries.pop("equipoise"),
        "engine": versions.engine_code(),
        "metrics": versions.metrics_code(),
    }
    machine = {"processor": platform.machine(), "CPU capability": versions.cpu_capability()}
    return Identity(code, {**libraries, **machine}, torch.cuda.is_available())


def refusal(driver: Identity, worker: Identity, *, cuda: bool, allow_mixed: bool) -> str | None:
    """The reason in words why a worker may not run cells of the driver; None if it may.

    Args:
        cuda: the cells need a CUDA device.
        allow_mixed: take workers with other libraries or another CPU. Other code of equipoise is refused all the same: the key of
            a row holds the hash of the code that made it.
    """
    if cuda and not worker.cuda:
        return "it has no CUDA device"
    if code := _differences(driver.code, worker.code):
        return f"other code of equipoise: {code}; install the version of the driver there, and start the worker again"
    if (machine := _differences(driver.machine, worker.machine)) and not allow_mixed:
        return (
            f"{machine}; install the same versions there, or --allow-mixed takes it (results may differ in their last "
            "digits, and each row says what it ran on)"
        )
    return None


def _differences(driver: dict[str, str], worker: dict[str, str]) -> str:
    names = [name for name in driver if worker.get(name) != driver[name]]
    return ", ".join(f"{name} {worker.get(name, 'unknown')} instead of {driver[name]}" for name in names)
