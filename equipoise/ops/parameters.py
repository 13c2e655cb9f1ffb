"""Stacked parameters of K lanes, and their gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from equipoise.ops.gradients import GradientBuffer
from equipoise.ops.stack import Layout, ParameterBuffer


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
