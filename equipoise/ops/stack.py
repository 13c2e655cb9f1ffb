"""The memory of K lanes: one row of float32 a lane, in which every tensor of it has its place.

Matrix kernels may take another path, with other roundings, for operands that lie elsewhere in memory, and element-wise
kernels treat the last few elements of a tensor apart. So that a lane's place among others decides neither, every tensor of
every lane begins at a multiple of 64 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

#: float32 numbers in 64 bytes.
_STRIDE = 16
#: Products run a quarter faster when the number of features is a multiple of this.
_EIGHT = 8


def eightfold(count: int) -> int:
    """The next multiple of eight."""
    return -(-count // _EIGHT) * _EIGHT


@dataclass(frozen=True)
class Layout:
    """Where each tensor of a lane begins. A matrix (but one row) has room
    behind it for a number of rows that is a multiple of eight."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @cached_property
    def starts(self) -> list[int]:
        """The first number of each, and in the end the length of a lane."""
        sizes = (math.prod(wide(shape)) for shape in self.shapes)
        return [0, *accumulate(-(-max(size, 1) // _STRIDE) * _STRIDE for size in sizes)]


def wide(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape with the room behind it."""
    return (eightfold(shape[0]), shape[1]) if len(shape) == 2 and shape[0] > 1 else tuple(shape)


class ParameterBuffer:
    """Tensors of K lanes, zeros at first.

    `flat` (K, n) is all of their memory; `data` has each tensor (K, …) by its name, `wide` the same with the room behind.
    """

    def __init__(self, layout: Layout, lanes: int, device: torch.device) -> None:
        self.layout = layout
        self._show(torch.zeros(lanes, layout.starts[-1], device=device))

    @classmethod
    def of(cls, lanes: Sequence[Mapping[str, Tensor]], device: torch.device) -> ParameterBuffer:
        """From the tensors of each lane."""
        first = lanes[0]
        made = cls(Layout(tuple(first), tuple(tuple(p.shape) for p in first.values())), len(lanes), device)
        for k, lane in enumerate(lanes):
            made.put(k, lane)
        return made

    def _show(self, flat: Tensor) -> None:
        self.flat = flat
        self._pieces: dict[tuple[int, int], tuple[Tensor, ...]] = {}
        layout = self.layout
        places = list(zip(layout.names, layout.shapes, layout.starts, strict=False))
        self.data = {name: self._view(shape, start) for name, shape, start in places}
        self.wide = {name: self._view(wide(shape), start) for name, shape, start in places}

    def _view(self, shape: Sequence[int], start: int) -> Tensor:
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        return self.flat.as_strided((len(self.flat), *shape), (self.flat.shape[1], *strides), start)

    def __len__(self) -> int:
        return len(self.flat)

    @cached_property
    def rows(self) -> list[list[Tensor]]:
        """Lane k's tensors, in the order of the names."""
        return [list(own) for own in zip(*(d.unbind(0) for d in self.data.values()), strict=True)]

    def pieces(self, here: slice) -> tuple[Tensor, ...]:
        """Each lane's memory in a range."""
        if (here.start, here.stop) not in self._pieces:
            self._pieces[here.start, here.stop] = self.flat[:, here].unbind(0)
        return self._pieces[here.start, here.stop]

    def copy(self, k: int) -> dict[str, Tensor]:
        """Lane k's tensors as they are now."""
        return {n: d[k].clone() for n, d in self.data.items()}

    @torch.no_grad()
    def put(self, k: int, values: Mapping[str, Tensor]) -> None:
        """Give place k to another lane."""
        for name, d in self.data.items():
            d[k].copy_(values[name])

    def take(self, lanes: Sequence[int] | np.ndarray) -> ParameterBuffer:
        """A copy of some lanes."""
        chosen = ParameterBuffer.__new__(ParameterBuffer)
        chosen.layout = self.layout
        chosen._show(self.flat[torch.as_tensor(np.asarray(lanes), device=self.flat.device)])
        return chosen
