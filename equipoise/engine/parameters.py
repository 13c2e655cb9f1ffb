"""Stacked parameters of K lanes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.memory import aligned, lanes_like, widened

#: Name → tensor of one lane.
Lane: TypeAlias = dict[str, Tensor]


class Parameters:
    """Name → (K, …) float32, each lane's tensors aligned in memory.

    `stacked` are leaves over all lanes, `lane(k)` leaves over one lane that share its memory. A forward pass uses a name
    either at once or lane by lane; `gradients` finds them where they are.
    """

    def __init__(self, lanes: Sequence[Mapping[str, Tensor]], device: torch.device) -> None:
        self.data = {n: aligned(torch.stack([p[n] for p in lanes]).to(device)) for n in lanes[0]}
        self._attach()

    def _attach(self) -> None:
        self.names = list(self.data)
        #: rows[k] are lane k's tensors, in the order of the names.
        self.rows = [list(own) for own in zip(*(d.unbind(0) for d in self.data.values()), strict=True)]
        self._lanes: list[Lane] = [
            dict(zip(self.names, (t.detach().requires_grad_() for t in row), strict=True))
            for row in self.rows
        ]
        self.stacked: dict[str, Tensor] = {n: d.detach().requires_grad_() for n, d in self.data.items()}
        for name, leaf in self.stacked.items():
            leaf.lanes = [own[name] for own in self._lanes]  # type: ignore[attr-defined]
            if leaf.dim() == 3:
                leaf.widened = widened(self.data[name])  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return next(iter(self.data.values())).device

    def lane(self, k: int) -> Lane:
        """Lane k's own leaves."""
        return self._lanes[k]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for leaves in (self.stacked, *self._lanes):
            for leaf in leaves.values():
                leaf.grad = None

    def gradients(self) -> dict[str, Sequence[Tensor | None]]:
        """Name → the gradient of each lane; None where the loss did not depend on it."""
        return {n: self._gradient(n, leaf.grad) for n, leaf in self.stacked.items()}

    def _gradient(self, name: str, stack: Tensor | None) -> Sequence[Tensor | None]:
        return [own[name].grad for own in self._lanes] if stack is None else stack.unbind(0)

    def copy(self, k: int) -> Lane:
        """Lane k's parameters as they are now."""
        return {n: d.clone() for n, d in zip(self.names, self.rows[k], strict=True)}

    @torch.no_grad()
    def put(self, k: int, values: Mapping[str, Tensor]) -> None:
        """Give place k to another lane."""
        for name, own in zip(self.names, self.rows[k], strict=True):
            own.copy_(values[name])

    def take(self, lanes: Sequence[int] | np.ndarray) -> Parameters:
        """A copy of some lanes."""
        chosen = Parameters.__new__(Parameters)
        index = torch.as_tensor(np.asarray(lanes), device=self.device)
        chosen.data = {n: aligned(d[index]) for n, d in self.data.items()}
        chosen._attach()
        return chosen

    def zeros(self) -> Parameters:
        """As many lanes of the same shapes, all zero."""
        made = Parameters.__new__(Parameters)
        made.data = {n: lanes_like(len(d), d.shape[1:], d.device) for n, d in self.data.items()}
        made._attach()
        return made
