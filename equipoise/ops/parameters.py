"""The memory of K lanes, their parameters in it, and their gradients.

Each lane has one row of float32, in which every tensor of it has its place. Matrix kernels may take another path, with other
roundings, for operands that lie elsewhere in memory, and element-wise kernels treat the last few elements of a tensor apart. So
that a lane's place among others decides neither, every tensor of every lane begins at a multiple of 64 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from equipoise.ops.gradients import GradientBuffer

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


class Parameters:
    """Name → (K, …) float32.

    `stacked` are leaves over all lanes, `lane(k)` leaves over one lane that share its memory. A forward pass uses a name
    either at once or lane by lane; the gradients are found where they are.
    """

    def __init__(self, stack: ParameterBuffer) -> None:
        self.stack = stack
        self.stacked: dict[str, Tensor] = {n: d.detach().requires_grad_() for n, d in stack.data.items()}
        self._leaves: list[dict[str, Tensor]] = []  # made where a forward pass takes lanes one by one
        self._gradient_buffers = {n: GradientBuffer(d, partial(self._slot, n)) for n, d in stack.wide.items()}
        for name, leaf in self.stacked.items():
            leaf.gradient_buffer = self._gradient_buffers[name]  # type: ignore[attr-defined]

    @classmethod
    def of(cls, lanes: Sequence[Mapping[str, Tensor]], device: torch.device) -> Parameters:
        """From the tensors of each lane."""
        return cls(ParameterBuffer.of(lanes, device))

    def __len__(self) -> int:
        return len(self.stack)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.stack.flat.device

    def lane(self, k: int) -> dict[str, Tensor]:
        """Lane k's own leaves."""
        if not self._leaves:
            own = ([t.detach().requires_grad_() for t in row] for row in self.stack.rows)
            self._leaves = [dict(zip(self.stack.layout.names, leaves, strict=True)) for leaves in own]
        return self._leaves[k]

    def take(self, lanes: Sequence[int] | np.ndarray) -> Parameters:
        """A copy of some lanes."""
        return Parameters(self.stack.take(lanes))

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for name, leaf in self.stacked.items():
            leaf.grad = None
            self._gradient_buffers[name].forget()
        for own in self._leaves:
            for leaf in own.values():
                leaf.grad = None

    @property
    def apart(self) -> list[GradientBuffer]:
        """Of the parameters whose gradients are made lane by lane."""
        return [at for at in self._gradient_buffers.values() if at.apart]

    @cached_property
    def _gradients(self) -> ParameterBuffer:
        layout = self.stack.layout
        kept = [
            pair
            for pair in zip(layout.names, layout.shapes, strict=True)
            if not self._gradient_buffers[pair[0]].apart
        ]
        return ParameterBuffer(Layout(*zip(*kept, strict=True)), len(self), self.device)

    def _slot(self, name: str) -> Tensor:
        return self._gradients.wide[name]

    def gradients(self) -> ParameterBuffer | None:
        """All gradients in one stack; None where some are elsewhere (then ask for each lane's)."""
        homes = self._gradient_buffers.values()
        apart = any(leaf.grad is not None for leaf in self.stacked.values())
        together = all(h.written is not None and h.later is None for h in homes) and not apart
        return self._gradients if together else None

    def gradient(self, k: int) -> list[Tensor | None]:
        """Lane k's gradients, in the order of the names; None where the loss did not depend on a parameter."""
        return [_sum(self._parts(name, k)) for name in self.stacked]

    def gradient_of(self, name: str) -> Tensor | None:
        """One parameter's gradients, (K, …)."""
        at, leaf = self._gradient_buffers[name], self.stacked[name]
        if at.later is None and not self._leaves:
            written = None if at.written is None else at.written[:, : leaf.shape[1]]
            return _sum(g for g in (leaf.grad, written) if g is not None)
        own = [_sum(self._parts(name, k)) for k in range(len(self))]
        there = [g for g in own if g is not None]
        return torch.stack(there) if len(there) == len(own) else None

    def _parts(self, name: str, k: int) -> Iterator[Tensor]:
        """Where a gradient of lane k may be: several places, if the parameter was used in several ways."""
        at, leaf = self._gradient_buffers[name], self.stacked[name]
        if leaf.grad is not None:
            yield leaf.grad[k]
        if at.written is not None:
            yield at.written[k, : leaf.shape[1]]  # without the room behind
        if at.later is not None:
            yield at.later(k)
        if self._leaves and (grad := self._leaves[k][name].grad) is not None:
            yield grad


def _sum(parts: Iterator[Tensor]) -> Tensor | None:
    found = list(parts)
    return None if not found else found[0] if len(found) == 1 else torch.stack(found).sum(0)
