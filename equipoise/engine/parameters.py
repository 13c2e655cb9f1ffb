"""Stacked parameters of K lanes, and AdamW over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.memory import aligned, lanes_like

#: Elements of one lane's tensor from which it is updated by itself, so that it stays in the processor's cache.
LARGE = 16384

#: A tensor's name, the lane a block belongs to (None: all lanes), its parameters and its gradient.
Block: TypeAlias = tuple[str, int | None, Tensor, Tensor]


class Parameters:
    """Name → (K, …) float32.

    `stacked` are leaves over all lanes; `lane(k)` are leaves over one lane that share its memory. A training uses either
    the one or the others; `blocks` finds the gradients where they are.
    """

    def __init__(self, lanes: Sequence[dict[str, Tensor]], device: torch.device) -> None:
        self.data = {n: aligned(torch.stack([p[n] for p in lanes]).to(device)) for n in lanes[0]}
        self._attach()

    def _attach(self) -> None:
        self.stacked = {n: d.detach().requires_grad_() for n, d in self.data.items()}
        count = range(len(self))
        self._lanes = [{n: d[k].detach().requires_grad_() for n, d in self.data.items()} for k in count]

    def __len__(self) -> int:
        return len(next(iter(self.data.values())))

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return next(iter(self.data.values())).device

    def lane(self, k: int) -> dict[str, Tensor]:
        """Lane k's own leaves."""
        return self._lanes[k]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for leaves in (self.stacked, *self._lanes):
            for leaf in leaves.values():
                leaf.grad = None

    def blocks(self) -> Iterator[Block]:
        """What there is to update: whole stacks of small tensors, large ones lane by lane."""
        for name, data in self.data.items():
            grad = self.stacked[name].grad
            if grad is not None and data[0].numel() < LARGE:
                yield name, None, data, grad
            elif grad is not None:
                yield from ((name, k, data[k], grad[k]) for k in range(len(data)))
            else:
                for k, leaves in enumerate(self._lanes):
                    if (own := leaves[name].grad) is not None:
                        yield name, k, data[k], own

    def copy(self, k: int) -> dict[str, Tensor]:
        """Lane k's parameters as they are now."""
        return {n: d[k].clone() for n, d in self.data.items()}

    def keep(self, lanes: np.ndarray) -> None:
        """Go on with these lanes only."""
        index = torch.as_tensor(lanes)
        self.data = {n: aligned(d[index.to(d.device)]) for n, d in self.data.items()}
        self._attach()


class AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) with a learning rate and a weight decay of each lane's own.

    Only operations on single elements, each correctly rounded, so a lane's numbers do not depend on the lanes beside it.
    """

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(self, params: Parameters, lr: Sequence[float], weight_decay: Sequence[float]) -> None:
        self._params = params
        self._lr, self._decay = np.array(lr, dtype=np.float64), np.array(weight_decay, dtype=np.float64)
        self._first = {n: lanes_like(len(d), d.shape[1:], d.device) for n, d in params.data.items()}
        self._second = {n: lanes_like(len(d), d.shape[1:], d.device) for n, d in params.data.items()}
        self._scratch: dict[tuple[int, ...], Tensor] = {}
        self._step = 0

    def keep(self, lanes: np.ndarray) -> None:
        """Go on with these lanes only."""
        self._lr, self._decay = self._lr[lanes], self._decay[lanes]
        index = torch.as_tensor(lanes)
        for moments in (self._first, self._second):
            moments.update({n: aligned(d[index.to(d.device)]) for n, d in moments.items()})
        self._scratch.clear()

    @torch.no_grad()
    def step(self) -> None:
        """One update of every lane from its gradient."""
        self._step += 1
        correction1, correction2 = 1 - self.beta1**self._step, 1 - self.beta2**self._step
        shrink, rate = 1 - self._lr * self._decay, self._lr * (-(correction2**0.5) / correction1)
        for name, k, p, g in self._params.blocks():
            m, v = (
                (self._first[name], self._second[name])
                if k is None
                else (self._first[name][k], self._second[name][k])
            )
            buffer = self._buffer(p, k)
            m.mul_(self.beta1).add_(torch.mul(g, 1 - self.beta1, out=buffer))
            v.mul_(self.beta2).add_(torch.mul(g, g, out=buffer).mul_(1 - self.beta2))
            update = torch.sqrt(v, out=buffer).add_(self.eps * correction2**0.5)
            torch.div(m, update, out=update)
            p.mul_(_factor(shrink, k, p)).add_(update.mul_(_factor(rate, k, p)))

    def _buffer(self, like: Tensor, k: int | None) -> Tensor:
        shape = tuple(like.shape)
        if shape not in self._scratch:
            lanes, own = (1, shape) if k is not None else (shape[0], shape[1:])
            made = lanes_like(lanes, own, like.device)
            self._scratch[shape] = made[0] if k is not None else made
        return self._scratch[shape]


def _factor(values: np.ndarray, k: int | None, like: Tensor) -> Tensor | float:
    """One lane's number, or all lanes' as a tensor that broadcasts over theirs."""
    if k is not None:
        return float(values[k])
    column = torch.as_tensor(values, dtype=torch.float32).to(like.device)
    return column.view(len(values), *([1] * (like.dim() - 1)))
