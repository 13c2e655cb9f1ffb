"""The device of a training, and the settings under which the same training gives the same bits there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from equipoise.core.errors import EquipoiseError

#: PyTorch threads of a process that trains. With two, some products would have other bits.
THREADS = 1


def resolve(name: str) -> torch.device:
    """The device called "auto", "cpu" or "cuda".

    Raises:
        EquipoiseError: the name is unknown, or it is "cuda" and there is no CUDA device.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise EquipoiseError(f"unknown device {name!r}: auto, cpu or cuda")
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise EquipoiseError("PyTorch finds no CUDA device here: use --device cpu")
    return torch.device("cuda" if has_cuda and name != "cpu" else "cpu")


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Within the block, PyTorch uses one CPU thread and deterministic algorithms; afterwards the old settings hold again."""
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
        # Only if needed, because the call imports TorchInductor, which takes 1.5 s.
        if deterministic != torch.are_deterministic_algorithms_enabled():
            torch.use_deterministic_algorithms(deterministic)
