"""One strategy's loss over all lanes of a population, each lane with hyperparameters and label statistics of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.lanes import Lane, continuous_fields
from equipoise.hyperparameters import bind
from equipoise.strategy import Context


class PopulationLoss:
    """Mean loss of each lane, (K,), from logits and targets (K, B, L).

    The strategy's plain code over one lane is batched by `torch.func.vmap`; where vmap knows no rule for something it
    does, lanes are taken one by one.
    """

    def __init__(self, lanes: Sequence[Lane], device: torch.device) -> None:
        self._strategy = lanes[0].strategy
        names = continuous_fields(self._strategy)
        values = {n: [float(getattr(lane.strategy, n)) for lane in lanes] for n in names}
        self._hyper = {n: torch.tensor(v, dtype=torch.float32, device=device) for n, v in values.items()}
        self._n_pos = torch.as_tensor(np.stack([lane.n_pos for lane in lanes]), device=device).float()
        self._n_rows = torch.tensor([float(lane.n_rows) for lane in lanes], device=device)
        self._vmaps = True

    def keep(self, lanes: np.ndarray) -> None:
        """Go on with these lanes only."""
        index = torch.as_tensor(lanes, device=self._n_pos.device)
        self._hyper = {n: v[index] for n, v in self._hyper.items()}
        self._n_pos, self._n_rows = self._n_pos[index], self._n_rows[index]

    def __call__(self, logits: Tensor, targets: Tensor, progress: np.ndarray) -> Tensor:
        done = torch.as_tensor(progress, dtype=torch.float32, device=logits.device)
        arguments: tuple[Any, ...] = (logits, targets, self._n_pos, self._n_rows, done, self._hyper)
        if len(logits) > 1:
            return self._all(arguments)
        return self._all(tuple(_twice(a) for a in arguments))[:1]

    def _all(self, arguments: tuple[Any, ...]) -> Tensor:
        if self._vmaps:
            try:
                batched: Tensor = torch.vmap(self._one)(*arguments)
                return batched
            except RuntimeError:
                self._vmaps = False
        return torch.stack([self._one(*(_pick(a, k) for a in arguments)) for k in range(len(arguments[0]))])

    def _one(
        self, logits: Tensor, targets: Tensor, n_pos: Tensor, n_rows: Tensor, progress: Tensor, hyper: Any
    ) -> Tensor:
        strategy = bind(self._strategy, hyper)
        return strategy.loss(logits, targets, Context(n_pos, n_rows, progress=progress)).mean()


def _twice(argument: Any) -> Any:
    """One lane as two, since reductions over one lane may run in another order."""
    return (
        {n: _twice(v) for n, v in argument.items()}
        if isinstance(argument, dict)
        else torch.cat([argument] * 2)
    )


def _pick(argument: Any, k: int) -> Any:
    return {n: v[k] for n, v in argument.items()} if isinstance(argument, dict) else argument[k]
