"""Adam with an L2 penalty and a learning rate schedule, for all lanes of a population."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.learning_rate import rate
from equipoise.ops.parameters import Layout, ParameterBuffer, Parameters


class Adam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980); each lane has its own learning rate, penalty, schedule and step.

    The penalty λ/2 ‖w‖² is part of the gradient, so the optimum is that of a regularised objective. With decay decoupled from
    the gradient (AdamW), the size of the weights would depend on the learning rate. Parameters named in `free` (biases) have no
    penalty. The learning rate follows `schedule.rate` over a lane's steps.

    On CPU, PyTorch's fused kernel updates one lane after the other. That needs a single pass over memory, a lane's bits cannot
    depend on the others, and a large gradient is computed only when it is the lane's turn. On other devices the same formula
    is applied to all lanes at once, operation by operation.
    """

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(
        self,
        params: Parameters,
        lr: Sequence[float],
        l2: Sequence[float],
        steps: Sequence[int],
        free: frozenset[str] = frozenset(),
    ) -> None:
        self._params, self._free = params, free
        self._lr, self._l2 = np.array(lr, dtype=np.float64), np.array(l2, dtype=np.float64)
        layout, lanes, device = params.stack.layout, len(params), params.device
        self._first, self._second = (
            ParameterBuffer(layout, lanes, device),
            ParameterBuffer(layout, lanes, device),
        )
        self._runs = _runs(layout, free)
        self.steps, self.totals = np.zeros(lanes, dtype=np.int64), np.array(steps, dtype=np.int64)

    @torch.no_grad()
    def step(self) -> None:
        """One update of every lane from its gradient."""
        rates = self._lr * rate(self.steps, self.totals)
        self.steps += 1
        if self._params.device.type == "cpu":
            self._lane_by_lane(rates)
        else:
            self._all(rates)

    def _lane_by_lane(self, rates: np.ndarray) -> None:
        fused: Any = torch._fused_adam_
        fixed = {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps,
            "amsgrad": False,
            "maximize": False,
        }
        numbers = zip(self.steps.tolist(), rates.tolist(), self._l2.tolist(), strict=True)
        # None if some gradients are not in one buffer; then each lane's are asked for in turn.
        gradients = self._params.gradients()
        for k, (step, lr, l2) in enumerate(numbers):
            for free, (p, m, v, g) in self._parts(k, gradients):
                decay = 0.0 if free else l2
                fused(p, g, m, v, [], [_count(step)] * len(p), lr=lr, weight_decay=decay, **fixed)

    def _parts(self, k: int, gradients: ParameterBuffer | None) -> Iterator[tuple[bool, list[list[Any]]]]:
        """Lane k's parameters, moments and gradients, as lists: first those with a penalty, then those without."""
        stacks = (self._params.stack, self._first, self._second)
        # Parameters that are contiguous in memory are updated as if they were one tensor.
        if gradients is not None:
            for free, span in self._runs:
                yield free, [[s.pieces(span)[k]] for s in (*stacks, gradients)]
            return
        columns: list[list[Any]] = [*(s.rows[k] for s in stacks), self._params.gradient(k)]
        names = self._params.stack.layout.names
        for free in (False, True):
            chosen = [
                (n in self._free) == free and g is not None for n, g in zip(names, columns[-1], strict=True)
            ]
            if any(chosen):
                yield free, [list(compress(column, chosen)) for column in columns]

    def _all(self, rates: np.ndarray) -> None:
        stack, gradients = self._params.stack, self._params.gradients()
        if gradients is not None:
            for free, span in self._runs:
                self._update(
                    rates, free, *(s.flat[:, span] for s in (stack, gradients, self._first, self._second))
                )
            return
        for name, p in stack.data.items():
            if (g := self._params.gradient_of(name)) is not None:
                self._update(rates, name in self._free, p, g, self._first.data[name], self._second.data[name])

    def _update(self, rates: np.ndarray, free: bool, p: Tensor, g: Tensor, m: Tensor, v: Tensor) -> None:
        """Update parameters p of all lanes in place, with gradients g and moments m and v."""
        # The moments start at zero; these factors remove the bias of the first steps.
        correction1, correction2 = 1 - self.beta1**self.steps, np.sqrt(1 - self.beta2**self.steps)
        if not free:
            g = g + _column(self._l2, p) * p
        m.lerp_(g, 1 - self.beta1)
        v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
        scale = (v.sqrt() / _column(correction2, p)).add_(self.eps)
        p.sub_(_column(rates / correction1, p) * (m / scale))

    def put(self, k: int, lr: float, l2: float, steps: int) -> None:
        """Give slot k to a new lane."""
        self._lr[k], self._l2[k], self.steps[k], self.totals[k] = lr, l2, 0, steps
        self._first.flat[k].zero_()
        self._second.flat[k].zero_()

    def state(self, k: int) -> tuple[int, dict[str, Tensor], dict[str, Tensor]]:
        """A copy of lane k's state: its step and moments."""
        return int(self.steps[k]), self._first.copy(k), self._second.copy(k)

    def restore(self, k: int, state: tuple[int, dict[str, Tensor], dict[str, Tensor]]) -> None:
        """Continue lane k from a state."""
        self.steps[k] = state[0]
        self._first.put(k, state[1])
        self._second.put(k, state[2])

    def keep(self, params: Parameters, lanes: np.ndarray) -> None:
        """Keep only these lanes, whose parameters are now `params`."""
        self._params, self.steps, self.totals = params, self.steps[lanes], self.totals[lanes]
        self._lr, self._l2 = self._lr[lanes], self._l2[lanes]
        self._first, self._second = self._first.take(lanes), self._second.take(lanes)


def _runs(layout: Layout, free: frozenset[str]) -> list[tuple[bool, slice]]:
    """Ranges of a lane's memory in which all parameters have a penalty (False) or none has (True)."""
    out: list[tuple[bool, slice]] = []
    for name, start, end in zip(layout.names, layout.starts, layout.starts[1:], strict=False):
        exempt = name in free
        begin = out.pop()[1].start if out and out[-1][0] == exempt else start
        out.append((exempt, slice(begin, end)))
    return out


@lru_cache(maxsize=4096)
def _count(step: int) -> Tensor:
    """The step as the tensor that the fused kernel wants; all lanes at one step share it."""
    return torch.tensor(float(step))


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    """One number for each lane, as a tensor that broadcasts against (K, …)."""
    column = torch.as_tensor(values, dtype=torch.float32).to(like.device)
    return column.view(len(values), *([1] * (like.dim() - 1)))
