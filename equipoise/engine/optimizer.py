"""AdamW over the lanes of a population."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import compress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.ops.parameters import Parameters
from equipoise.ops.stack import ParameterBuffer


class AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101), each lane with its own learning rate, weight decay and step.

    On CPU the library's fused kernel runs over one lane after the other: one pass over memory, nothing that a lane beside it
    could change, and a large gradient is made only when its turn comes. Elsewhere the same formula runs over whole stacks,
    operation by operation.
    """

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(self, params: Parameters, lr: Sequence[float], weight_decay: Sequence[float]) -> None:
        self._params = params
        self._lr, self._decay = np.array(lr, dtype=np.float64), np.array(weight_decay, dtype=np.float64)
        layout, lanes, device = params.stack.layout, len(params), params.device
        self._first, self._second = (
            ParameterBuffer(layout, lanes, device),
            ParameterBuffer(layout, lanes, device),
        )
        self.steps = np.zeros(lanes, dtype=np.int64)

    @torch.no_grad()
    def step(self) -> None:
        """One update of every lane from its gradient."""
        self.steps += 1
        if self._params.device.type == "cpu":
            self._lane_by_lane()
        else:
            self._all()

    def _lane_by_lane(self) -> None:
        fused: Any = torch._fused_adamw_
        fixed = {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps,
            "amsgrad": False,
            "maximize": False,
        }
        stacks, whole = (self._params.stack, self._first, self._second), self._params.gradients()
        numbers = zip(self.steps.tolist(), self._lr.tolist(), self._decay.tolist(), strict=True)
        for k, (step, lr, decay) in enumerate(numbers):
            if whole is None:
                p, m, v, g = _there((*(s.rows[k] for s in stacks), self._params.gradient(k)))
            else:
                p, m, v, g = *(s.flat_rows[k] for s in stacks), whole.flat_rows[k]
            if p:
                fused(p, g, m, v, [], [_count(step)] * len(p), lr=lr, weight_decay=decay, **fixed)

    def _all(self) -> None:
        whole = self._params.gradients()
        if whole is not None:
            self._update(self._params.stack.flat, whole.flat, self._first.flat, self._second.flat)
            return
        for name, p in self._params.stack.data.items():
            if (g := self._params.gradient_of(name)) is not None:
                self._update(p, g, self._first.data[name], self._second.data[name])

    def _update(self, p: Tensor, g: Tensor, m: Tensor, v: Tensor) -> None:
        correction1, correction2 = 1 - self.beta1**self.steps, np.sqrt(1 - self.beta2**self.steps)
        m.lerp_(g, 1 - self.beta1)
        v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
        p.mul_(_column(1 - self._lr * self._decay, p))
        scale = (v.sqrt() / _column(correction2, p)).add_(self.eps)
        p.sub_(_column(self._lr / correction1, p) * (m / scale))

    def put(self, k: int, lr: float, weight_decay: float) -> None:
        """Start anew at place k."""
        self._lr[k], self._decay[k], self.steps[k] = lr, weight_decay, 0
        self._first.flat[k].zero_()
        self._second.flat[k].zero_()

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


def _there(columns: Sequence[Sequence[Tensor | None]]) -> list[list[Any]]:
    """Columns of parameters, moments and gradients (the last) without those that got no gradient."""
    there = [g is not None for g in columns[-1]]
    return [list(compress(column, there)) for column in columns]


@lru_cache(maxsize=4096)
def _count(step: int) -> Tensor:
    return torch.tensor(float(step))


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    """One number a lane, as a tensor that broadcasts over the lanes of a stack."""
    column = torch.as_tensor(values, dtype=torch.float32).to(like.device)
    return column.view(len(values), *([1] * (like.dim() - 1)))
