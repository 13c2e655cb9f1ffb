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
#: Products run a quarter faster when the number of features is a multiple of this.
EIGHT = 8


def lanes_like(lanes: int, shape: Sequence[int], device: torch.device, zero: bool = True) -> Tensor:
    """(lanes, *shape), float32, whose lanes are aligned: zeros, or whatever the memory holds.

    A matrix has room behind it for a number of rows that is a multiple of eight: `widened` shows it.
    """
    make = torch.zeros if zero else torch.empty
    size = math.prod((eightfold(shape[0]), *shape[1:])) if len(shape) == 2 else math.prod(shape)
    apart = -(-max(size, 1) // STRIDE) * STRIDE
    strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    return make(lanes * apart, device=device).as_strided((lanes, *shape), (apart, *strides))


def eightfold(count: int) -> int:
    """The next multiple of eight."""
    return -(-count // EIGHT) * EIGHT


def widened(stack: Tensor) -> Tensor:
    """(K, d, h) from `lanes_like`, with the rows behind it: (K, eightfold(d), h), the same memory."""
    lanes, rows, columns = stack.shape
    return stack.as_strided((lanes, eightfold(rows), columns), stack.stride())


def aligned(stack: Tensor) -> Tensor:
    """A copy of (K, …) whose lanes are aligned."""
    return lanes_like(len(stack), stack.shape[1:], stack.device).copy_(stack)
