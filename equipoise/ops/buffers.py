"""Memory that every training step uses again.

With glibc, a large aligned block that has been freed is a few bytes too short for the next request of the same size. So a
training that allocates in every step grows by a megabyte a step, and waits for the kernel to provide each page.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


class Workspace:
    """Tensors by name. A tensor is valid until the same name is taken again."""

    def __init__(self) -> None:
        self._tensors: dict[str, Tensor] = {}

    def take(self, name: str, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """The memory of the last tensor with this name, with its values, if shape and dtype are the same; else zeros."""
        tensor = self._tensors.get(name)
        if tensor is None or tensor.shape != tuple(shape) or tensor.dtype != dtype:
            tensor = self._tensors[name] = torch.zeros(tuple(shape), dtype=dtype, device=device)
        return tensor


def give_back() -> None:
    """Return free blocks of the C library to the system. It takes two milliseconds, so it is not called in every step."""
    if (trim := _trim()) is not None:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Any:
    """glibc's `malloc_trim`; None with other C libraries."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
