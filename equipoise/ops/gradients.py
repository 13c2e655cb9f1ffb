"""Buffers into which the engine's own products write the gradients of parameters, instead of returning them to autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from equipoise.ops.buffers import Workspace

#: A function that writes a gradient into the tensor it gets.
Write = Callable[[Tensor], object]
#: The attribute of a stacked parameter that holds its buffer: products are given the parameter alone.
_ATTRIBUTE = "gradient_buffer"


class GradientBuffer:
    """The gradient of one stacked parameter (K, …).

    Autograd would allocate the gradients of all lanes anew in every step and keep them until the optimizer runs. Here, a
    product either writes the gradient into memory that is used in every step (`write`), or, if gradients are large and the
    lanes are computed one by one, only leaves a function that computes the gradient of lane k when it is needed (`tell`).

    Attributes:
        wide: the parameter with its padding, see `ParameterBuffer`.
        apart: whether the gradient is computed lane by lane, so that it needs no memory here.
        written: the gradient so far in this step; None if nothing was written.
        later: the function that computes the gradient of a lane; None if there is none.
        ahead: the rows of the next step, and their products with each lane's updated parameter; see `sparse.ahead_of`.
    """

    def __init__(self, wide: Tensor, slot: Callable[[], Tensor]) -> None:
        self.wide, self.apart = wide, False
        self.ahead: tuple[object, list[Tensor]] | None = None
        self._slot, self._workspace = slot, Workspace()
        self.forget()

    def forget(self) -> None:
        """Forget the gradient, before a new step."""
        self.written: Tensor | None = None
        self.later: Callable[[int], Tensor] | None = None
        self._lent: set[str] = set()

    def lend(self, name: str, shape: Sequence[int]) -> Tensor:
        """Memory for a product with the parameter, good until the next step; zeros at first."""
        if name in self._lent:  # used a second time in this step
            return self.wide.new_zeros(tuple(shape))
        self._lent.add(name)
        return self._workspace.take(name, shape, self.wide.dtype, self.wide.device)

    def write(self, write: Write) -> None:
        """Call `write(out)`, which puts the gradient of one use into `out`, shaped like `wide`. Several uses are added up."""
        if self.written is None:
            self.written = self._slot()
            write(self.written)
        else:
            write(of_use := torch.empty_like(self.written))
            self.written += of_use

    def tell(self, of_lane: Callable[[int], Tensor]) -> None:
        """Register `of_lane(k)`, which computes the gradient of lane k; several uses are added up."""
        before = self.later
        self.later = of_lane if before is None else lambda k: before(k) + of_lane(k)


def attach(buffer: GradientBuffer, parameter: Tensor) -> None:
    """Let products with a stacked parameter find its gradient buffer."""
    setattr(parameter, _ATTRIBUTE, buffer)


def gradient_buffer(parameter: Tensor) -> GradientBuffer | None:
    """The gradient buffer of a stacked parameter; None for any other tensor."""
    buffer: GradientBuffer | None = getattr(parameter, _ATTRIBUTE, None)
    return buffer
