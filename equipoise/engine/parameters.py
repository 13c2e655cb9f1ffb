"""Stacked parameters of K lanes with their gradients, and AdamW over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Parameters:
    """Name → (K, …) float32, with gradients of the same shape that are accumulated in place.

    `stacked` are leaves over all lanes; `lane(k)` are leaves over one lane that share its memory and gradients.
    """

    def __init__(self, lanes: Sequence[dict[str, Tensor]], device: torch.device) -> None:
        names = lanes[0].keys()
        self._data = {n: torch.stack([p[n] for p in lanes]).to(device) for n in names}
        self._attach()

    def _attach(self) -> None:
        self._grad = {n: torch.zeros_like(d) for n, d in self._data.items()}
        self.stacked = {n: _leaf(d, self._grad[n]) for n, d in self._data.items()}
        lanes = range(len(self))
        self._lanes = [{n: _leaf(d[k], self._grad[n][k]) for n, d in self._data.items()} for k in lanes]

    def __len__(self) -> int:
        return len(next(iter(self._data.values())))

    def lane(self, k: int) -> dict[str, Tensor]:
        """Lane k's own leaves."""
        return self._lanes[k]

    def zero_grad(self) -> None:
        for grad in self._grad.values():
            grad.zero_()

    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        """(parameter, gradient) of all lanes, by name."""
        return [(self._data[n], self._grad[n]) for n in self._data]

    def copy(self, k: int) -> dict[str, Tensor]:
        """Lane k's parameters as they are now."""
        return {n: d[k].clone() for n, d in self._data.items()}

    def keep(self, lanes: np.ndarray) -> None:
        """Go on with these lanes only."""
        index = torch.as_tensor(lanes)
        self._data = {n: d[index.to(d.device)] for n, d in self._data.items()}
        self._attach()


class AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) with a learning rate and a weight decay of each lane's own.

    Only arithmetic that treats every element alike, so a lane's numbers do not depend on the lanes beside it.
    """

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(self, params: Parameters, lr: Sequence[float], weight_decay: Sequence[float]) -> None:
        self._params = params
        device = params.pairs()[0][0].device
        self._lr = torch.tensor(lr, dtype=torch.float32, device=device)
        self._decay = torch.tensor(weight_decay, dtype=torch.float32, device=device)
        self._moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p, _ in params.pairs()]
        self._step = 0

    def keep(self, lanes: np.ndarray) -> None:
        """Go on with these lanes only."""
        index = torch.as_tensor(lanes, device=self._lr.device)
        self._lr, self._decay = self._lr[index], self._decay[index]
        self._moments = [(m[index], v[index]) for m, v in self._moments]

    @torch.no_grad()
    def step(self) -> None:
        """One update of every lane from its gradient."""
        self._step += 1
        correction1, correction2 = 1 - self.beta1**self._step, 1 - self.beta2**self._step
        shrink, rate = 1 - self._lr * self._decay, self._lr * (-(correction2**0.5) / correction1)
        for (p, g), (m, v) in zip(self._params.pairs(), self._moments, strict=True):
            shape = (len(p), *([1] * (p.dim() - 1)))
            m.lerp_(g, 1 - self.beta1)
            v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
            update = torch.sqrt(v).add_(self.eps * correction2**0.5)
            torch.div(m, update, out=update)
            p.mul_(shrink.view(shape)).add_(update.mul_(rate.view(shape)))


def _leaf(data: Tensor, grad: Tensor) -> Tensor:
    leaf = data.detach().requires_grad_()
    leaf.grad = grad
    return leaf
