"""Where the engine's own products leave the gradients of a population's parameters, without a detour through autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from equipoise.ops.buffers import Workspace

#: Writes a gradient into the memory it is given.
Write = Callable[[Tensor], object]


class GradientBuffer:
    """The gradient of one stacked parameter (K, …).

    Autograd would hold the gradients of all lanes, each in memory of its own, until the optimizer comes; here a product writes
    into memory that stays, or, where gradients are large and its lanes are taken one by one, tells how to make lane k's.

    Attributes:
        wide: the parameter, with the room behind it (see `ParameterBuffer`).
        apart: whether it will be told of, so that no memory need be kept for it.
        ahead: the rows that come next, and what they give times each lane's updated parameter; see `sparse.ahead_of`.
    """

    def __init__(self, wide: Tensor, slot: Callable[[], Tensor]) -> None:
        self.wide, self.apart = wide, False
        self.ahead: tuple[object, list[Tensor]] | None = None
        self._slot, self._workspace = slot, Workspace()
        self.forget()

    def forget(self) -> None:
        """Before a step: there is no gradient."""
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
        """`write(out)` puts the gradient of one use into `out`, shaped like `wide`; those of several uses are added up."""
        if self.written is None:
            self.written = self._slot()
            write(self.written)
        else:
            write(more := torch.empty_like(self.written))
            self.written += more

    def tell(self, of_lane: Callable[[int], Tensor]) -> None:
        """`of_lane(k)` will make the gradient of lane k."""
        before = self.later
        self.later = of_lane if before is None else lambda k: before(k) + of_lane(k)


def gradient_buffer(parameter: Tensor) -> GradientBuffer | None:
    """Where a stacked parameter's gradient belongs; None for any other tensor."""
    return getattr(parameter, "gradient_buffer", None)
