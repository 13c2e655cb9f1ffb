"""Adam with an L2 penalty and a learning rate schedule, for all lanes of a population."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.learning_rate import rate
from equipoise.ops.parameters import Layout, ParameterBuffer, Parameters

#: Learning rates are computed for this many steps at once.
_AT_ONCE = 64
#: What a step needs of each lane on devices other than the CPU: the learning rate divided by the correction of the first moment,
#: the correction of the second, λ, and the share of the training that is done before the step.
_ROWS = ("rate", "correction", "penalty", "progress")


class Adam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980); each lane has its own learning rate, penalty, schedule and step.

    The penalty λ/2 ‖w‖² is part of the gradient, so the optimum is that of a regularised objective. With decay decoupled from
    the gradient (AdamW), the size of the weights would depend on the learning rate. Parameters named in `free` (biases) have no
    penalty. The learning rate follows `schedule.rate` over a lane's steps.

    On CPU, PyTorch's fused kernel updates one lane after the other. That needs a single pass over memory, a lane's bits cannot
    depend on the others, and a large gradient is computed only when it is the lane's turn. On other devices the same formula
    is applied to all lanes at once, operation by operation. What changes from step to step (rates, corrections, progress) then
    lies on the device, where `feed` puts it before each step: `step` itself copies nothing from the host.
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
        self._split: list[list[tuple[bool, list[bool], list[list[Tensor]]]]] = []
        self._pieces: tuple[ParameterBuffer, list[tuple[list[Tensor], ...]]] | None = None
        self._columns: dict[str, Tensor] | None = None
        # The learning rates (K, _AT_ONCE) of the next steps, and the position of the next step among them.
        self._schedule: np.ndarray | None = None
        self._at = 0
        #: Whether the numbers of a step may come from the host while it runs.
        self._on_host = device.type == "cpu"
        #: Elsewhere: rows (`_ROWS`, K) of numbers for the next steps, and those of the step that is fed.
        self._table: Tensor | None = None
        self._fed = torch.zeros(len(_ROWS), lanes, device=device)
        self.steps, self.totals = np.zeros(lanes, dtype=np.int64), np.array(steps, dtype=np.int64)

    @torch.no_grad()
    def step(self, updated: Callable[[int], None] | None = None) -> None:
        """One update of every lane from its gradient; `updated(k)` is called after lane k's (on CPU only)."""
        if self._on_host:
            rates = self._rates()
            self.steps += 1
            self._lane_by_lane(rates, updated)
        else:
            assert updated is None, "lanes are not updated in turn here"
            self.steps += 1
            self._all()

    @torch.no_grad()
    def feed(self) -> None:
        """Before each step on a device other than the CPU: the numbers of the step, copied from the host for 64 steps at once."""
        if self._on_host:
            return
        if self._table is None or self._at == _AT_ONCE:
            self._table, self._at = torch.from_numpy(self._numbers()).to(self._params.device), 0
        self._fed.copy_(self._table[self._at])
        self._at += 1

    @property
    def progress(self) -> np.ndarray | Tensor:
        """(K,) the share of each lane's steps that is done; on devices other than the CPU, as of the last `feed`."""
        if self._on_host:
            return _share_done(self.steps, self.totals)
        return self._fed[_ROWS.index("progress")]

    def _numbers(self) -> np.ndarray:
        """The numbers (_AT_ONCE, `_ROWS`, K) of the next steps, float32."""
        done, total = self.steps + np.arange(_AT_ONCE)[:, None], self.totals
        # The moments start at zero; these factors remove the bias of the first steps.
        correction1, correction2 = 1 - self.beta1 ** (done + 1), np.sqrt(1 - self.beta2 ** (done + 1))
        scaled = self._lr * rate(done, total) / correction1
        l2 = np.broadcast_to(self._l2, done.shape)
        return np.stack([scaled, correction2, l2, _share_done(done, total)], 1).astype(np.float32)

    def _rates(self) -> np.ndarray:
        """The learning rate of each lane, (K,), for its next step; computed for some steps at once."""
        if self._schedule is None or self._at == _AT_ONCE:
            steps = self.steps[:, None] + np.arange(_AT_ONCE)
            self._schedule, self._at = self._lr[:, None] * rate(steps, self.totals[:, None]), 0
        self._at += 1
        rates: np.ndarray = self._schedule[:, self._at - 1]
        return rates

    def _changed(self) -> None:
        """Forget what was computed from the numbers of the lanes."""
        self._schedule = self._columns = self._table = None

    def _lane_by_lane(self, rates: np.ndarray, updated: Callable[[int], None] | None) -> None:
        steps = [[_count(step)] for step in self.steps.tolist()]
        numbers = list(zip(steps, rates.tolist(), self._l2.tolist(), strict=True))
        # None if some gradients are not in one buffer; then each lane's are asked for in turn. The penalty is added for all
        # lanes in one pass: a second call of the kernel for the biases of each lane, without decay, would take longer.
        if (gradients := self._params.gradients(self._penalty())) is not None:
            for (p, g, m, v), (step, lr, _) in zip(self._memory(gradients), numbers, strict=True):
                _fused(p, g, m, v, step, lr, 0.0)
            return
        for k, (step, lr, l2) in enumerate(numbers):
            for free, (p, g, m, v) in self._parts(k):
                _fused(p, g, m, v, step * len(p), lr, 0.0 if free else l2)
            if updated is not None:
                updated(k)

    def _penalty(self) -> dict[str, Tensor]:
        """λ of each lane, (K, 1, …), for the parameters that have a penalty; made anew when lanes change."""
        if self._columns is None:
            wide = self._params.stack.wide
            self._columns = {n: _column(self._l2, w) for n, w in wide.items() if n not in self._free}
        return self._columns

    def _memory(self, gradients: ParameterBuffer) -> list[tuple[list[Tensor], ...]]:
        """Each lane's parameters, gradients and moments, each as one flat tensor; made once, since making views takes long."""
        if self._pieces is None or self._pieces[0] is not gradients:
            stacks = (self._params.stack, gradients, self._first, self._second)
            rows = zip(*(s.flat.unbind(0) for s in stacks), strict=True)
            self._pieces = gradients, [tuple([tensor] for tensor in row) for row in rows]
        return self._pieces[1]

    def _parts(self, k: int) -> Iterator[tuple[bool, list[list[Any]]]]:
        """Lane k's parameters, gradients and moments, as lists: first those with a penalty, then those without."""
        gradients = self._params.gradient(k)
        for free, chosen, (p, m, v) in self._lists(k):
            g = list(compress(gradients, chosen))
            if all(each is not None for each in g):
                yield free, [p, g, m, v]
            elif any(given := [each is not None for each in g]):
                yield free, [list(compress(column, given)) for column in (p, g, m, v)]

    def _lists(self, k: int) -> list[tuple[bool, list[bool], list[list[Tensor]]]]:
        """Lane k's parameters and moments with and without a penalty, and which parameters these are; made once."""
        if not self._split:
            self._split = [[] for _ in range(len(self._params))]
        if not self._split[k]:
            stacks = (self._params.stack, self._first, self._second)
            for free in (False, True):
                chosen = [(n in self._free) == free for n in self._params.stack.layout.names]
                if any(chosen):
                    columns = [list(compress(stack.rows[k], chosen)) for stack in stacks]
                    self._split[k].append((free, chosen, columns))
        return self._split[k]

    def _all(self) -> None:
        stack, gradients = self._params.stack, self._params.gradients()
        if gradients is not None:
            for free, span in self._runs:
                self._update(free, *(s.flat[:, span] for s in (stack, gradients, self._first, self._second)))
            return
        for name, p in stack.data.items():
            if (g := self._params.gradient_of(name)) is not None:
                self._update(name in self._free, p, g, self._first.data[name], self._second.data[name])

    def _update(self, free: bool, p: Tensor, g: Tensor, m: Tensor, v: Tensor) -> None:
        """Update parameters p of all lanes in place, with gradients g and moments m and v."""
        rates, correction2, l2, _ = self._fed.view(len(_ROWS), -1, *([1] * (p.dim() - 1)))
        if not free:
            g = g + l2 * p
        m.lerp_(g, 1 - self.beta1)
        v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
        scale = (v.sqrt() / correction2).add_(self.eps)
        p.sub_(rates * (m / scale))

    def put(self, k: int, lr: float, l2: float, steps: int) -> None:
        """Give slot k to a new lane."""
        self._lr[k], self._l2[k], self.steps[k], self.totals[k] = lr, l2, 0, steps
        self._changed()
        self._first.flat[k].zero_()
        self._second.flat[k].zero_()

    def state(self, k: int) -> tuple[int, dict[str, Tensor], dict[str, Tensor]]:
        """A copy of lane k's state: its step and moments."""
        return int(self.steps[k]), self._first.copy(k), self._second.copy(k)

    def restore(self, k: int, state: tuple[int, dict[str, Tensor], dict[str, Tensor]]) -> None:
        """Continue lane k from a state."""
        self.steps[k] = state[0]
        self._changed()
        self._first.put(k, state[1])
        self._second.put(k, state[2])

    def keep(self, params: Parameters, lanes: np.ndarray) -> None:
        """Keep only these lanes, whose parameters are now `params`."""
        self._params, self.steps, self.totals = params, self.steps[lanes], self.totals[lanes]
        self._lr, self._l2 = self._lr[lanes], self._l2[lanes]
        self._first, self._second = self._first.take(lanes), self._second.take(lanes)
        self._pieces, self._split, self._fed = None, [], self._fed.new_zeros(len(_ROWS), len(lanes))
        self._changed()


def _fused(
    p: list[Tensor],
    g: list[Tensor],
    m: list[Tensor],
    v: list[Tensor],
    step: list[Tensor],
    lr: float,
    l2: float,
) -> None:
    """Update some tensors of one lane by PyTorch's fused kernel."""
    call: Any = torch._fused_adam_
    betas = {"beta1": Adam.beta1, "beta2": Adam.beta2, "eps": Adam.eps}
    call(p, g, m, v, [], step, lr=lr, weight_decay=l2, amsgrad=False, maximize=False, **betas)


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


def _share_done(steps: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """The share of a training that is done after some steps."""
    # A free slot may run past its last step.
    share: np.ndarray = np.minimum(steps / totals, 1.0)
    return share


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    """One number for each lane, as a tensor that broadcasts against (K, …)."""
    column = torch.as_tensor(values, dtype=torch.float32).to(like.device)
    return column.view(len(values), *([1] * (like.dim() - 1)))
