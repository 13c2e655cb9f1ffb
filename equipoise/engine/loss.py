"""The losses of a population's lanes, each with hyperparameters and label statistics of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.contracts.hyperparameters import bind
from equipoise.contracts.strategy import Context, Strategy
from equipoise.engine.lanes import Lane, continuous_fields, static_fields
from equipoise.ops.buffers import Workspace
from equipoise.ops.cross_entropy import grad_logits

#: Losses that `torch.vmap` has no rule for: their lanes are taken one by one.
#: Rows of a batch that is only made to see a loss's shape.
_PROBE = 32

_ONE_BY_ONE: set[type] = set()


class PopulationLoss:
    """Mean loss of each lane, (K,), from logits and targets (K, B, L).

    Lanes of one kind of strategy go through its plain code at once: as it is, where it takes lanes; else batched by
    `torch.vmap`; where vmap knows no rule for something it does, one by one. Lanes of different strategies share everything
    but this.
    """

    def __init__(self, lanes: Sequence[Lane], device: torch.device) -> None:
        kinds: dict[object, list[int]] = {}
        for k, lane in enumerate(lanes):
            kinds.setdefault(_kind(lane.strategy), []).append(k)
        self._groups = [_Group([lanes[k] for k in places], device) for places in kinds.values()]
        self._places = [np.array(places) for places in kinds.values()]
        self._index = [torch.as_tensor(places, device=device) for places in self._places]
        self._back = torch.as_tensor(np.argsort(np.concatenate(self._places)), device=device)

    @property
    def at_once(self) -> bool:
        """Whether no loss so far had to be taken one lane after the other."""
        return not any(group.one_by_one for group in self._groups)

    def grad_logits(self, logits: Tensor, targets: Tensor, progress: np.ndarray) -> Tensor:
        """The gradient (K, B, L) of each lane's mean loss in its logits, all that training needs of it."""
        done = torch.as_tensor(progress, dtype=torch.float32, device=logits.device)
        if len(self._groups) == 1:
            return self._groups[0].grad_logits(logits, targets, done)
        own = [
            group.grad_logits(logits[i], targets[i], done[i])
            for group, i in zip(self._groups, self._index, strict=True)
        ]
        return torch.cat(own)[self._back]

    def __call__(self, logits: Tensor, targets: Tensor, progress: np.ndarray) -> Tensor:
        done = torch.as_tensor(progress, dtype=torch.float32, device=logits.device)
        own = [
            group(logits[i], targets[i], done[i]) for group, i in zip(self._groups, self._index, strict=True)
        ]
        return torch.cat(own)[self._back]


class _Group:
    """The loss of lanes whose strategies differ in nothing but numbers."""

    def __init__(self, lanes: Sequence[Lane], device: torch.device) -> None:
        self._strategy, self._workspace = lanes[0].strategy, Workspace()
        names = continuous_fields(self._strategy)
        values = {n: [float(getattr(lane.strategy, n)) for lane in lanes] for n in names}
        self._hyper = {n: torch.tensor(v, dtype=torch.float32, device=device) for n, v in values.items()}
        self._n_pos = torch.as_tensor(np.stack([lane.n_pos for lane in lanes]), device=device).float()
        self._n_rows = torch.tensor([float(lane.n_rows) for lane in lanes], device=device)

    @property
    def one_by_one(self) -> bool:
        return type(self._strategy) in _ONE_BY_ONE

    def __call__(self, logits: Tensor, targets: Tensor, done: Tensor) -> Tensor:
        arguments: tuple[Any, ...] = (logits, targets, self._n_pos, self._n_rows, done, self._hyper)
        if len(logits) > 1:
            return self._all(arguments)
        return self._all(tuple(_twice(a) for a in arguments))[:1]

    def grad_logits(self, logits: Tensor, targets: Tensor, done: Tensor) -> Tensor:
        if type(self._strategy).loss is Strategy.loss:
            memory = self._workspace.take("grad_logits", logits.shape, logits.dtype, logits.device)
            return grad_logits(logits, targets, memory)
        with torch.enable_grad():
            leaf = logits.detach().requires_grad_()
            return torch.autograd.grad(self(leaf, targets, done).sum(), leaf)[0]

    def _all(self, arguments: tuple[Any, ...]) -> Tensor:
        if self._strategy.vectorized:
            return self._once(*arguments)
        if not self.one_by_one:
            try:
                batched: Tensor = torch.vmap(self._one)(*arguments)
                return batched
            except RuntimeError:
                _ONE_BY_ONE.add(type(self._strategy))
        return torch.stack([self._one(*(_pick(a, k) for a in arguments)) for k in range(len(arguments[0]))])

    def _once(
        self, logits: Tensor, targets: Tensor, n_pos: Tensor, n_rows: Tensor, progress: Tensor, hyper: Any
    ) -> Tensor:
        strategy = bind(self._strategy, {n: _column(v) for n, v in hyper.items()})
        ctx = Context(n_pos[:, None], _column(n_rows), progress=_column(progress))
        return strategy.loss(logits, targets, ctx).flatten(1).mean(1)

    def _one(
        self, logits: Tensor, targets: Tensor, n_pos: Tensor, n_rows: Tensor, progress: Tensor, hyper: Any
    ) -> Tensor:
        strategy = bind(self._strategy, hyper)
        return strategy.loss(logits, targets, Context(n_pos, n_rows, progress=progress)).mean()


def cells(strategy: Strategy, n_pos: np.ndarray, n_rows: int) -> int:
    """How many terms the unreduced loss has in a row: L for one that is (B, L), 1 for one that is (B,)."""
    zeros = torch.zeros(_PROBE, len(n_pos))
    ctx = Context(torch.as_tensor(n_pos).float(), torch.tensor(float(n_rows)), progress=torch.tensor(0.0))
    with torch.no_grad():
        return max(1, strategy.loss(zeros, zeros, ctx).numel() // _PROBE)


def _kind(strategy: Strategy) -> tuple[object, ...]:
    """What lanes must have in common to go through a loss at once."""
    return type(strategy), *((n, getattr(strategy, n)) for n in static_fields(strategy))


def _column(values: Tensor) -> Tensor:
    """(K,) as (K, 1, 1)."""
    return values.view(-1, 1, 1)


def _twice(argument: Any) -> Any:
    """One lane as two, since reductions over one lane may run in another order."""
    return (
        {n: _twice(v) for n, v in argument.items()}
        if isinstance(argument, dict)
        else torch.cat([argument] * 2)
    )


def _pick(argument: Any, k: int) -> Any:
    return {n: v[k] for n, v in argument.items()} if isinstance(argument, dict) else argument[k]
