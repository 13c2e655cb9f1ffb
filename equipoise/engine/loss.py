"""Computes the losses of a population's lanes, each with its own hyperparameters and label counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.contracts import hook_results
from equipoise.contracts.hyperparameters import bind
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.errors import EquipoiseError
from equipoise.core.global_state import arithmetic_kept
from equipoise.engine.lanes import Lane, continuous_fields, static_fields
from equipoise.ops.buffers import Workspace
from equipoise.ops.cross_entropy import grad_logits

#: Rows of a batch that is only used to find out the shape of a loss.
_PROBE = 32
#: Strategies whose loss uses an operation for which `torch.vmap` has no rule: their lanes are computed one by one.
_ONE_BY_ONE: set[type] = set()


class PopulationLoss:
    """The mean loss of each lane, (K,), from logits and targets (K, B, L).

    Lanes whose strategies differ in numbers only form a group, which is computed at once: directly if the strategy is
    vectorized, else through `torch.vmap`, and one by one if vmap cannot batch the loss. This is the only part of a training
    step that lanes of different strategies do not share.
    """

    def __init__(self, lanes: Sequence[Lane], device: torch.device) -> None:
        kinds: dict[object, list[int]] = {}
        for k, lane in enumerate(lanes):
            kinds.setdefault(_kind(lane.strategy), []).append(k)
        members = [np.array(of_kind) for of_kind in kinds.values()]
        self._groups = [_Group([lanes[k] for k in of_kind], device) for of_kind in kinds.values()]
        self._closed = len(self._groups) == 1 and self._groups[0].is_closed
        self._members = [torch.as_tensor(of_kind, device=device) for of_kind in members]
        #: Brings concatenated results of the groups back into the order of the lanes.
        self._order = torch.as_tensor(np.argsort(np.concatenate(members)), device=device)

    @property
    def sees_representation(self) -> bool:
        """Whether the loss of any lane depends on the representation."""
        return any(group.sees_representation for group in self._groups)

    @property
    def is_closed(self) -> bool:
        """Whether the gradients of all lanes have a closed form, `closed`."""
        return self._closed

    def closed(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The gradient (K, B, L) of the mean loss of any K of the lanes."""
        return self._groups[0].closed(logits, targets)

    @property
    def at_once(self) -> bool:
        """Whether no loss so far had to be computed lane by lane."""
        return not any(group.one_by_one for group in self._groups)

    def grad_logits(self, logits: Tensor, targets: Tensor, progress: np.ndarray | Tensor) -> Tensor:
        """The gradient (K, B, L) of each lane's mean loss in its logits. A training step needs nothing else of the loss.

        Args:
            progress: (K,) the share of each lane's training that is done.
        """
        if self._closed:
            return self.closed(logits, targets)
        done = torch.as_tensor(progress, dtype=torch.float32, device=logits.device)
        if len(self._groups) == 1:
            return self._groups[0].grad_logits(logits, targets, done)
        by_group = [
            group.grad_logits(logits[i], targets[i], done[i])
            for group, i in zip(self._groups, self._members, strict=True)
        ]
        return torch.cat(by_group)[self._order]

    def gradients(
        self, logits: Tensor, representation: Tensor, targets: Tensor, progress: np.ndarray | Tensor
    ) -> tuple[Tensor, Tensor]:
        """The gradients of each lane's mean loss in its logits (K, B, L) and in its representation (K, B, H).

        The second is 0 for lanes whose loss does not see the representation.
        """
        done = torch.as_tensor(progress, dtype=torch.float32, device=logits.device)
        by_group = [
            group.gradients(logits[i], representation[i], targets[i], done[i])
            for group, i in zip(self._groups, self._members, strict=True)
        ]
        of_logits, of_representation = zip(*by_group, strict=True)
        return torch.cat(of_logits)[self._order], torch.cat(of_representation)[self._order]

    def __call__(
        self,
        logits: Tensor,
        targets: Tensor,
        progress: np.ndarray | Tensor,
        representation: Tensor | None = None,
    ) -> Tensor:
        done = torch.as_tensor(progress, dtype=torch.float32, device=logits.device)
        by_group = [
            group(logits[i], targets[i], done[i], None if representation is None else representation[i])
            for group, i in zip(self._groups, self._members, strict=True)
        ]
        return torch.cat(by_group)[self._order]


class _Group:
    """The loss of lanes whose strategies differ in the values of continuous hyperparameters only."""

    def __init__(self, lanes: Sequence[Lane], device: torch.device) -> None:
        self._strategy, self._workspace = lanes[0].strategy, Workspace()
        names = continuous_fields(self._strategy)
        values = {n: [float(getattr(lane.strategy, n)) for lane in lanes] for n in names}
        self._hyper = {n: torch.tensor(v, dtype=torch.float32, device=device) for n, v in values.items()}
        #: The label counts of a context, with a row for each lane.
        self._counts = {
            name: torch.as_tensor(np.stack([_count(lane, name) for lane in lanes]), device=device).float()
            for name in ("n_pos", "n_rows", "trained_pos", "trained_rows")
        }

    @property
    def sees_representation(self) -> bool:
        return self._strategy.sees_representation

    @property
    def one_by_one(self) -> bool:
        return type(self._strategy) in _ONE_BY_ONE

    def __call__(
        self, logits: Tensor, targets: Tensor, done: Tensor, representation: Tensor | None = None
    ) -> Tensor:
        seen = {} if representation is None else {"representation": representation}
        arguments: tuple[Any, ...] = (logits, targets, self._counts, done, self._hyper, seen)
        if len(logits) > 1:
            return self._all(arguments)
        # Reductions over one lane may run in another order, with other roundings, so a single lane is computed twice.
        return self._all(tuple(_twice(a) for a in arguments))[:1]

    @property
    def is_closed(self) -> bool:
        """Whether the gradient has a closed form: that of plain cross-entropy, the most common loss by far."""
        return type(self._strategy).loss is Strategy.loss

    def closed(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The gradient in closed form."""
        memory = self._workspace.take("grad_logits", logits.shape, logits.dtype, logits.device)
        return grad_logits(logits, targets, memory)

    def grad_logits(self, logits: Tensor, targets: Tensor, done: Tensor) -> Tensor:
        if self.is_closed:
            return self.closed(logits, targets)
        with torch.enable_grad():
            leaf = logits.detach().requires_grad_()
            return torch.autograd.grad(self(leaf, targets, done).sum(), leaf)[0]

    def gradients(
        self, logits: Tensor, representation: Tensor, targets: Tensor, done: Tensor
    ) -> tuple[Tensor, Tensor]:
        if not self.sees_representation:
            # A copy, since the gradient of plain cross-entropy is in memory that the next step uses again.
            return self.grad_logits(logits, targets, done).clone(), torch.zeros_like(representation)
        with torch.enable_grad():
            leaves = logits.detach().requires_grad_(), representation.detach().requires_grad_()
            loss = self(leaves[0], targets, done, leaves[1]).sum()
            of_logits, of_representation = torch.autograd.grad(loss, leaves)
            return of_logits, of_representation

    def _all(self, arguments: tuple[Any, ...]) -> Tensor:
        with arithmetic_kept():
            return self._means(arguments)

    def _means(self, arguments: tuple[Any, ...]) -> Tensor:
        if self._strategy.vectorized:
            return self._vectorized(*arguments)
        if not self.one_by_one:
            try:
                batched: Tensor = torch.vmap(self._one)(*arguments)
                return batched
            except RuntimeError:
                # No rule for some operation. A real error in the loss is raised again below.
                _ONE_BY_ONE.add(type(self._strategy))
        return torch.stack([self._one(*(_pick(a, k) for a in arguments)) for k in range(len(arguments[0]))])

    def _vectorized(
        self, logits: Tensor, targets: Tensor, counts: Any, progress: Tensor, hyper: Any, seen: Any
    ) -> Tensor:
        strategy = bind(self._strategy, {n: _column(v) for n, v in hyper.items()})
        # (K, L) becomes (K, 1, L), and (K,) becomes (K, 1, 1).
        columns: dict[str, Any] = {n: v[:, None] if v.dim() > 1 else _column(v) for n, v in counts.items()}
        ctx = Context(**columns, progress=_column(progress), **seen)
        loss = hook_results.losses(strategy, strategy.loss(logits, targets, ctx), logits)
        return loss.flatten(1).mean(1)

    def _one(
        self, logits: Tensor, targets: Tensor, counts: Any, progress: Tensor, hyper: Any, seen: Any
    ) -> Tensor:
        strategy = bind(self._strategy, hyper)
        loss = strategy.loss(logits, targets, Context(**counts, progress=progress, **seen))
        return hook_results.losses(strategy, loss, logits).mean()


def cells(strategy: Strategy, n_pos: np.ndarray, n_rows: int) -> int:
    """The number of terms that the unreduced loss has for a row: L for a loss (B, L), 1 for a loss (B,)."""
    zeros = torch.zeros(_PROBE, len(n_pos))
    ctx = Context(torch.as_tensor(n_pos).float(), torch.tensor(float(n_rows)), progress=torch.tensor(0.0))
    with torch.no_grad():
        return hook_results.losses(strategy, strategy.loss(zeros, zeros, ctx), zeros).numel() // _PROBE


def require_finite(lanes: Sequence[Lane]) -> None:
    """Raise EquipoiseError if a lane's loss, or its gradient, is not finite at ordinary logits at the start, middle or end.

    Computed on the CPU before the training, in which reading each step's loss back would make a GPU wait. All lanes have the same
    number of labels.
    """
    own = [lane for lane in lanes if type(lane.strategy).loss is not Strategy.loss]
    if not own:
        return
    # At least two lanes, as in training.
    padded, n_labels = [*own, *own[: len(own) == 1]], own[0].targets.shape[1]
    loss = PopulationLoss(padded, torch.device("cpu"))
    logits = torch.linspace(-4.0, 4.0, _PROBE)[:, None].expand(len(padded), _PROBE, n_labels).contiguous()
    # Rows with no label, with every label, and with every other one.
    kinds = torch.stack([torch.zeros(n_labels), torch.ones(n_labels), (torch.arange(n_labels) % 2).float()])
    targets = kinds[torch.arange(_PROBE) % 3].expand_as(logits).contiguous()
    for progress in (0.0, 0.5, 1.0):
        done = np.full(len(padded), progress)
        values = loss(logits, targets, done)
        gradient = loss.grad_logits(logits, targets, done)
        right = (torch.isfinite(values) & torch.isfinite(gradient).flatten(1).all(1)).tolist()
        if not all(right):
            name, what = own[right.index(False) % len(own)].strategy.name, f"logits {(_PROBE, n_labels)}"
            raise EquipoiseError(
                f"loss of strategy {name!r} is NaN or infinite, or its gradient is, for finite {what}; it must be finite"
            )


def _count(lane: Lane, name: str) -> Any:
    """A label count of a lane; where it does not say what it trains on, that is what there was before resampling."""
    value = getattr(lane, name)
    return getattr(lane, name.replace("trained", "n")) if value is None else value


def _kind(strategy: Strategy) -> tuple[object, ...]:
    """What lanes of one group must have in common: the class and the hyperparameters on which its code may branch."""
    return type(strategy), *((n, getattr(strategy, n)) for n in static_fields(strategy))


def _column(values: Tensor) -> Tensor:
    """(K,) as (K, 1, 1)."""
    return values.view(-1, 1, 1)


def _twice(argument: Any) -> Any:
    """An argument of one lane, repeated as for two."""
    return (
        {n: _twice(v) for n, v in argument.items()}
        if isinstance(argument, dict)
        else torch.cat([argument] * 2)
    )


def _pick(argument: Any, k: int) -> Any:
    """Lane k's part of an argument."""
    return {n: v[k] for n, v in argument.items()} if isinstance(argument, dict) else argument[k]
