"""The parameters and gradients of K lanes, and their layout in memory.

Each lane has one row of float32 numbers, which holds all its tensors at fixed positions. Every tensor of every lane begins at a
multiple of 64 bytes. Otherwise a lane's position among the others could change its bits: matrix kernels may take another path,
with other roundings, for operands with another alignment, and element-wise kernels treat the last elements of a tensor, which
do not fill a vector register, differently.
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

from equipoise.ops.buffers import Workspace
from equipoise.ops.gradients import GradientBuffer, attach

#: float32 numbers in 64 bytes.
_STRIDE = 16
#: Products run a quarter faster when the number of features is a multiple of this.
_EIGHT = 8


def eightfold(count: int) -> int:
    """The next multiple of eight."""
    return -(-count // _EIGHT) * _EIGHT


@dataclass(frozen=True)
class Layout:
    """The positions of a lane's tensors in its row.

    A matrix with two rows or more is padded to a number of rows that is a multiple of eight.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @cached_property
    def starts(self) -> list[int]:
        """The position of the first number of each tensor, and at the end the length of a row."""
        sizes = (math.prod(wide(shape)) for shape in self.shapes)
        return [0, *accumulate(-(-max(size, 1) // _STRIDE) * _STRIDE for size in sizes)]


def wide(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a tensor with its padding."""
    return (eightfold(shape[0]), shape[1]) if len(shape) == 2 and shape[0] > 1 else tuple(shape)


class ParameterBuffer:
    """Tensors of K lanes, all zeros at first.

    Attributes:
        flat: (K, n) all of their memory.
        data: name → the tensor of all lanes, (K, …), a view of `flat`. wide: the same with the padding.
    """

    def __init__(self, layout: Layout, lanes: int, device: torch.device) -> None:
        self.layout = layout
        self._show(torch.zeros(lanes, layout.starts[-1], device=device))

    @classmethod
    def of(cls, lanes: Sequence[Mapping[str, Tensor]], device: torch.device) -> ParameterBuffer:
        """From the tensors of each lane."""
        first = lanes[0]
        layout = Layout(tuple(first), tuple(tuple(p.shape) for p in first.values()))
        buffer = cls(layout, len(lanes), device)
        for k, lane in enumerate(lanes):
            buffer.put(k, lane)
        return buffer

    def _show(self, flat: Tensor) -> None:
        """Use `flat` as the memory, and make the views of it."""
        self.flat = flat
        layout = self.layout
        # `starts` has one number more, the length of a row.
        tensors = list(zip(layout.names, layout.shapes, layout.starts, strict=False))
        self.data = {name: self._view(shape, start) for name, shape, start in tensors}
        self.wide = {name: self._view(wide(shape), start) for name, shape, start in tensors}

    def _view(self, shape: Sequence[int], start: int) -> Tensor:
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        return self.flat.as_strided((len(self.flat), *shape), (self.flat.shape[1], *strides), start)

    def __len__(self) -> int:
        return len(self.flat)

    @cached_property
    def rows(self) -> list[list[Tensor]]:
        """The tensors of each lane, in the order of the names."""
        return [list(lane) for lane in zip(*(d.unbind(0) for d in self.data.values()), strict=True)]

    def copy(self, k: int) -> dict[str, Tensor]:
        """A copy of lane k's tensors."""
        return {n: d[k].clone() for n, d in self.data.items()}

    @torch.no_grad()
    def put(self, k: int, values: Mapping[str, Tensor]) -> None:
        """Write the tensors of a lane to position k."""
        for name, d in self.data.items():
            d[k].copy_(values[name])

    def take(self, lanes: Sequence[int] | np.ndarray) -> ParameterBuffer:
        """A copy with some of the lanes."""
        # Not through `__init__`, which would allocate zeros first.
        copy = ParameterBuffer.__new__(ParameterBuffer)
        copy.layout = self.layout
        copy._show(self.flat[torch.as_tensor(np.asarray(lanes), device=self.flat.device)])
        return copy


class Parameters:
    """The parameters of K lanes as leaves of autograd, with their gradients.

    `stacked` holds leaves (K, …) of all lanes, `lane(k)` leaves of one lane; both are views of the same memory. A forward pass
    uses one or the other. So a gradient may be in one of four places: in the `.grad` of a stacked leaf, in that of a lane's
    leaf, in a `GradientBuffer`, or still to be computed by one. `gradients`, `gradient` and `gradient_of` find it.
    """

    def __init__(self, stack: ParameterBuffer) -> None:
        self.stack = stack
        self.stacked: dict[str, Tensor] = {n: d.detach().requires_grad_() for n, d in stack.data.items()}
        # Leaves of each lane; made when a forward pass first takes lanes one by one.
        self._leaves: list[dict[str, Tensor]] = []
        self._workspace = Workspace()
        self._gradient_buffers = {n: GradientBuffer(d, partial(self._slot, n)) for n, d in stack.wide.items()}
        for name, leaf in self.stacked.items():
            attach(self._gradient_buffers[name], leaf)

    @classmethod
    def of(cls, lanes: Sequence[Mapping[str, Tensor]], device: torch.device) -> Parameters:
        """From the tensors of each lane."""
        return cls(ParameterBuffer.of(lanes, device))

    def __len__(self) -> int:
        return len(self.stack)

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.stack.flat.device

    def lane(self, k: int) -> dict[str, Tensor]:
        """The leaves of lane k."""
        if not self._leaves:
            by_lane = ([t.detach().requires_grad_() for t in row] for row in self.stack.rows)
            self._leaves = [dict(zip(self.stack.layout.names, leaves, strict=True)) for leaves in by_lane]
        return self._leaves[k]

    def take(self, lanes: Sequence[int] | np.ndarray) -> Parameters:
        """A copy with some of the lanes, without gradients."""
        return Parameters(self.stack.take(lanes))

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for name, leaf in self.stacked.items():
            leaf.grad = None
            self._gradient_buffers[name].forget()
        for leaves in self._leaves:
            for leaf in leaves.values():
                leaf.grad = None

    @property
    def apart(self) -> list[GradientBuffer]:
        """Of the parameters whose gradients are made lane by lane."""
        return [at for at in self._gradient_buffers.values() if at.apart]

    @cached_property
    def _gradients(self) -> ParameterBuffer:
        """The memory of gradients that are written, not computed lane by lane; allocated when the first one is written."""
        layout = self.stack.layout
        written = [
            pair
            for pair in zip(layout.names, layout.shapes, strict=True)
            if not self._gradient_buffers[pair[0]].apart
        ]
        return ParameterBuffer(Layout(*zip(*written, strict=True)), len(self), self.device)

    def _slot(self, name: str) -> Tensor:
        """The memory to which the gradient of a parameter is written."""
        place = self._gradients.wide[name]
        # On CPU, a product writes to a block without gaps in one call, and to the rows of a buffer lane by lane.
        if self.device.type == "cpu" and place.dim() == 3 and place.shape[1] > 1:
            return self._workspace.take(name, place.shape, place.dtype, place.device)
        return place

    def gradients(self, penalty: Mapping[str, Tensor] | None = None) -> ParameterBuffer | None:
        """All gradients in one buffer; None if some are elsewhere, so that each must be asked for by itself.

        Args:
            penalty: λ of each lane, (K, 1, …), for the parameters to whose gradients λw is added. Call this once a step then.
        """
        in_autograd = any(leaf.grad is not None for leaf in self.stacked.values())
        if in_autograd or any(b.written is None or b.later for b in self._gradient_buffers.values()):
            return None
        for name, buffer in self._gradient_buffers.items():
            written, place = buffer.written, self._gradients.wide[name]
            assert written is not None
            if penalty is not None and name in penalty:
                torch.addcmul(written, self.stack.wide[name], penalty[name], out=place)
            elif written is not place:
                place.copy_(written)
        return self._gradients

    def gradient(self, k: int) -> list[Tensor | None]:
        """The gradients of lane k, in the order of the names; None for a parameter on which the loss does not depend."""
        return [_sum(self._parts(name, k)) for name in self.stacked]

    def gradient_of(self, name: str) -> Tensor | None:
        """The gradients (K, …) of one parameter; None if the loss does not depend on it."""
        buffer, leaf = self._gradient_buffers[name], self.stacked[name]
        if buffer.later is None and not self._leaves:
            written = None if buffer.written is None else buffer.written[:, : leaf.shape[1]]
            return _sum(g for g in (leaf.grad, written) if g is not None)
        by_lane = [_sum(self._parts(name, k)) for k in range(len(self))]
        gradients = [g for g in by_lane if g is not None]
        return torch.stack(gradients) if len(gradients) == len(by_lane) else None

    def _parts(self, name: str, k: int) -> Iterator[Tensor]:
        """The parts of lane k's gradient; there are several if the parameter was used in several ways."""
        buffer, leaf = self._gradient_buffers[name], self.stacked[name]
        if leaf.grad is not None:
            yield leaf.grad[k]
        if buffer.written is not None:
            yield buffer.written[k, : leaf.shape[1]]  # without the padding
        if buffer.later is not None:
            yield buffer.later(k)
        if self._leaves and (grad := self._leaves[k][name].grad) is not None:
            yield grad


def _sum(parts: Iterator[Tensor]) -> Tensor | None:
    tensors = list(parts)
    return None if not tensors else tensors[0] if len(tensors) == 1 else torch.stack(tensors).sum(0)
