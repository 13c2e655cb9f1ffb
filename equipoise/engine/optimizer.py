"""AdamW over the lanes of a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.parameters import Parameters


class AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101), each lane with its own learning rate, weight decay and step.

    On CPU the library's fused kernel runs over one lane after the other: one pass over memory, and nothing that a lane
    beside it could change. Elsewhere the same formula runs over whole stacks, operation by operation.
    """

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(self, params: Parameters, lr: Sequence[float], weight_decay: Sequence[float]) -> None:
        self._params = params
        self._lr, self._decay = np.array(lr, dtype=np.float64), np.array(weight_decay, dtype=np.float64)
        self._first, self._second = params.zeros(), params.zeros()
        self.steps = np.zeros(len(params), dtype=np.int64)

    def step(self) -> None:
        """One update of every lane from its gradient."""
        self.steps += 1
        with torch.no_grad():
            if self._params.device.type == "cpu":
                self._lane_by_lane(self._params.gradients())
            else:
                self._all(self._params.gradients())

    def _lane_by_lane(self, gradients: Mapping[str, Sequence[Tensor | None]]) -> None:
        fused: Any = torch._fused_adamw_
        fixed = {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps,
            "amsgrad": False,
            "maximize": False,
        }
        grads = [list(own) for own in zip(*gradients.values(), strict=True)]
        rows = zip(self._params.rows, grads, self._first.rows, self._second.rows, strict=True)
        numbers = zip(self.steps.tolist(), self._lr.tolist(), self._decay.tolist(), strict=True)
        for parts, (step, lr, decay) in zip(rows, numbers, strict=True):
            p, g, m, v = _there(parts) if any(own is None for own in parts[1]) else parts
            count = _count(step)
            fused(p, g, m, v, [], [count] * len(p), lr=lr, weight_decay=decay, **fixed)

    def _all(self, gradients: Mapping[str, Sequence[Tensor | None]]) -> None:
        correction1, correction2 = 1 - self.beta1**self.steps, np.sqrt(1 - self.beta2**self.steps)
        for name, p in self._params.data.items():
            if any(own is None for own in gradients[name]):
                continue
            leaf = self._params.stacked[name].grad
            g = torch.stack(list(gradients[name])) if leaf is None else leaf  # type: ignore[arg-type]
            m, v = self._first.data[name], self._second.data[name]
            m.lerp_(g, 1 - self.beta1)
            v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
            p.mul_(_column(1 - self._lr * self._decay, p))
            scale = (v.sqrt() / _column(correction2, p)).add_(self.eps)
            p.sub_(_column(self._lr / correction1, p) * (m / scale))

    def put(self, k: int, lr: float, weight_decay: float) -> None:
        """Start anew at place k."""
        self._lr[k], self._decay[k], self.steps[k] = lr, weight_decay, 0
        for moments in (self._first, self._second):
            for own in moments.rows[k]:
                own.zero_()

    def state(self, k: int) -> tuple[int, dict[str, Tensor], dict[str, Tensor]]:
        """Step and moments of lane k, copied."""
        return int(self.steps[k]), self._first.copy(k), self._second.copy(k)

    def restore(self, k: int, state: tuple[int, dict[str, Tensor], dict[str, Tensor]]) -> None:
        """Go on from a state."""
        self.steps[k] = state[0]
        self._first.put(k, state[1])
        self._second.put(k, state[2])

    def keep(self, params: Parameters, lanes: np.ndarray) -> None:
        """Go on with these lanes only, whose parameters are now `params`."""
        self._params, self.steps = params, self.steps[lanes]
        self._lr, self._decay = self._lr[lanes], self._decay[lanes]
        self._first, self._second = self._first.take(lanes), self._second.take(lanes)


def _there(parts: Sequence[Sequence[Tensor | None]]) -> list[list[Tensor | None]]:
    """Without the tensors that got no gradient."""
    own = [part for part in zip(*parts, strict=True) if part[1] is not None]
    return [list(column) for column in zip(*own, strict=True)]


@lru_cache(maxsize=4096)
def _count(step: int) -> Tensor:
    return torch.tensor(float(step))


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    """One number a lane, as a tensor that broadcasts over the lanes of a stack."""
    column = torch.as_tensor(values, dtype=torch.float32).to(like.device)
    return column.view(len(values), *([1] * (like.dim() - 1)))
