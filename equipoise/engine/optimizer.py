"""Adam with a penalty and a schedule, over the lanes of a population."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.schedule import rate
from equipoise.ops.parameters import Layout, ParameterBuffer, Parameters


class Adam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980), each lane with its own learning rate, penalty, schedule and step.

    The penalty λ/2 ‖w‖² is part of the gradient, so that the optimum is that of a regularised objective; decay decoupled from
    the gradient (AdamW) leaves weights whose size the learning rate decides. Parameters named in `free` (biases) go without.
    The learning rate follows `schedule.rate` over a lane's steps.

    On CPU the library's fused kernel runs over one lane after the other: one pass over memory, nothing that a lane beside it
    could change, and a large gradient is made only when its turn comes. Elsewhere the same formula runs over whole stacks,
    operation by operation.
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
        self._pieces: tuple[ParameterBuffer, list[tuple[list[Tensor], ...]]] | None = None
        self.steps, self.totals = np.zeros(lanes, dtype=np.int64), np.array(steps, dtype=np.int64)

    @torch.no_grad()
    def step(self, updated: Callable[[int], None] | None = None) -> None:
        """One update of every lane from its gradient; `updated(k)` is called after lane k's (on CPU only)."""
        rates = self._lr * rate(self.steps, self.totals)
        self.steps += 1
        if self._params.device.type == "cpu":
            self._lane_by_lane(rates, updated)
        else:
            self._all(rates, updated)

    def _lane_by_lane(self, rates: np.ndarray, updated: Callable[[int], None] | None) -> None:
        steps = [[_count(step)] for step in self.steps.tolist()]
        numbers = list(zip(steps, rates.tolist(), self._l2.tolist(), strict=True))
        if (whole := self._params.gradients()) is not None:
            self._penalise(whole)
            for (p, g, m, v), (step, lr, _) in zip(self._memory(whole), numbers, strict=True):
                _fused(p, g, m, v, step, lr, 0.0)
            return
        for k, (step, lr, l2) in enumerate(numbers):
            for free, (p, g, m, v) in self._parts(k):
                _fused(p, g, m, v, step * len(p), lr, 0.0 if free else l2)
            if updated is not None:
                updated(k)

    def _penalise(self, gradients: ParameterBuffer) -> None:
        """Add λw to the gradients under the penalty: one pass over them all takes less than a second call for each lane."""
        l2 = _column(self._l2, gradients.flat)
        for free, here in self._runs:
            if not free:
                gradients.flat[:, here].addcmul_(self._params.stack.flat[:, here], l2)

    def _memory(self, gradients: ParameterBuffer) -> list[tuple[list[Tensor], ...]]:
        """Each lane's parameters, gradients and moments, each in one piece."""
        if self._pieces is None or self._pieces[0] is not gradients:
            stacks = (self._params.stack, gradients, self._first, self._second)
            rows = zip(*(s.flat.unbind(0) for s in stacks), strict=True)
            self._pieces = gradients, [tuple([tensor] for tensor in row) for row in rows]
        return self._pieces[1]

    def _parts(self, k: int) -> Iterator[tuple[bool, list[list[Any]]]]:
        """Lane k's parameters, gradients and moments, a list of each: those under the penalty, and those free of it."""
        params = self._params
        columns: list[list[Any]] = [
            params.stack.rows[k],
            params.gradient(k),
            self._first.rows[k],
            self._second.rows[k],
        ]
        for free in (False, True):
            chosen = [
                (n in self._free) == free and g is not None
                for n, g in zip(params.stack.layout.names, columns[1], strict=True)
            ]
            if any(chosen):
                yield free, [list(compress(column, chosen)) for column in columns]

    def _all(self, rates: np.ndarray, updated: Callable[[int], None] | None) -> None:
        assert updated is None, "lanes are not updated in turn here"
        stack, whole = self._params.stack, self._params.gradients()
        if whole is not None:
            for free, here in self._runs:
                self._update(
                    rates, free, *(s.flat[:, here] for s in (stack, whole, self._first, self._second))
                )
            return
        for name, p in stack.data.items():
            if (g := self._params.gradient_of(name)) is not None:
                self._update(rates, name in self._free, p, g, self._first.data[name], self._second.data[name])

    def _update(self, rates: np.ndarray, free: bool, p: Tensor, g: Tensor, m: Tensor, v: Tensor) -> None:
        correction1, correction2 = 1 - self.beta1**self.steps, np.sqrt(1 - self.beta2**self.steps)
        if not free:
            g = g + _column(self._l2, p) * p
        m.lerp_(g, 1 - self.beta1)
        v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
        scale = (v.sqrt() / _column(correction2, p)).add_(self.eps)
        p.sub_(_column(rates / correction1, p) * (m / scale))

    def put(self, k: int, lr: float, l2: float, steps: int) -> None:
        """Start anew at place k."""
        self._lr[k], self._l2[k], self.steps[k], self.totals[k] = lr, l2, 0, steps
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
        self._params, self.steps, self.totals = params, self.steps[lanes], self.totals[lanes]
        self._lr, self._l2 = self._lr[lanes], self._l2[lanes]
        self._first, self._second = self._first.take(lanes), self._second.take(lanes)
        self._pieces = None


def _fused(
    p: list[Tensor],
    g: list[Tensor],
    m: list[Tensor],
    v: list[Tensor],
    step: list[Tensor],
    lr: float,
    l2: float,
) -> None:
    """The library's kernel, over some tensors of one lane."""
    call: Any = torch._fused_adam_
    betas = {"beta1": Adam.beta1, "beta2": Adam.beta2, "eps": Adam.eps}
    call(p, g, m, v, [], step, lr=lr, weight_decay=l2, amsgrad=False, maximize=False, **betas)


def _runs(layout: Layout, free: frozenset[str]) -> list[tuple[bool, slice]]:
    """Neighbours in memory that are all under the penalty, or all free of it."""
    out: list[tuple[bool, slice]] = []
    for name, start, end in zip(layout.names, layout.starts, layout.starts[1:], strict=False):
        exempt = name in free
        begin = out.pop()[1].start if out and out[-1][0] == exempt else start
        out.append((exempt, slice(begin, end)))
    return out


@lru_cache(maxsize=4096)
def _count(step: int) -> Tensor:
    return torch.tensor(float(step))


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    """One number a lane, as a tensor that broadcasts over the lanes of a stack."""
    column = torch.as_tensor(values, dtype=torch.float32).to(like.device)
    return column.view(len(values), *([1] * (like.dim() - 1)))
