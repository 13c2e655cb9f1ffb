"""Tensors in which every lane begins at a multiple of 64 bytes.

Matrix kernels may take another path, with other roundings, for operands that lie elsewhere in memory, and element-wise
kernels treat the last few elements of a tensor apart. So that a lane's place among others decides neither, lanes lie
aligned and apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

#: float32 numbers in 64 bytes.
STRIDE = 16


def lanes_like(lanes: int, shape: Sequence[int], device: torch.device, zero: bool = True) -> Tensor:
    """(lanes, *shape), float32, whose lanes are aligned: zeros, or whatever the memory holds."""
    make = torch.zeros if zero else torch.empty
    size = math.prod(shape)
    apart = -(-max(size, 1) // STRIDE) * STRIDE
    strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    return make(lanes * apart, device=device).as_strided((lanes, *shape), (apart, *strides))


def aligned(stack: Tensor) -> Tensor:
    """A copy of (K, …) whose lanes are aligned."""
    return lanes_like(len(stack), stack.shape[1:], stack.device).copy_(stack)
