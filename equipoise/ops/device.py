"""Where training runs, and the settings that make it repeatable there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from equipoise.core.errors import EquipoiseError

#: PyTorch threads of a process that trains; two would change the bits of some products.
THREADS = 1


def resolve(name: str) -> torch.device:
    """The device called "auto", "cpu" or "cuda".

    Raises:
        EquipoiseError: another name, or CUDA where there is none.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise EquipoiseError(f"unknown device {name!r}: auto, cpu or cuda")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise EquipoiseError("device cuda asked for, but PyTorch sees no CUDA device here: use --device cpu")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """One CPU thread, and deterministic algorithms on CUDA, put back afterwards."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(THREADS)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if (
            deterministic != torch.are_deterministic_algorithms_enabled()
        ):  # the call imports TorchInductor: 1.5 s
            torch.use_deterministic_algorithms(deterministic)
