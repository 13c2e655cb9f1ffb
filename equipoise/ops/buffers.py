"""Memory that is used again in every step.

The C library hands out large aligned blocks that, once freed, are a few bytes too short for the next request of the same
size: a training that asks anew in every step grows by a megabyte a step, and waits for the kernel to bring each page.
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
    """Tensors by name; each good until it is taken again."""

    def __init__(self) -> None:
        self._held: dict[str, Tensor] = {}

    def take(self, name: str, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """A tensor with whatever is in it; zeros the first time."""
        held = self._held.get(name)
        if held is None or held.shape != tuple(shape) or held.dtype != dtype:
            held = self._held[name] = torch.zeros(tuple(shape), dtype=dtype, device=device)
        return held


def give_back() -> None:
    """Hand blocks that the C library will hardly use again back to the system; takes two milliseconds."""
    if (trim := _trim()) is not None:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Any:
    """glibc's `malloc_trim`; None elsewhere."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
