"""The loss of a strategy as a plain function, for a user's own training loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.options import checked
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.arrays import numbers
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")


# No generated `==`, which would compare arrays and fail.
@dataclass(frozen=True, eq=False)
class StandaloneLoss:
    """The loss of a strategy, with the label counts of one training set: `loss(logits, targets)`."""

    strategy: Strategy
    n_pos: np.ndarray = field(repr=False)
    n_rows: int

    def __call__(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        progress: float = 0.0,
        representation: Tensor | None = None,
    ) -> Tensor:
        """The loss before it is averaged, (B, L) or (B,). Training minimises its mean.

        Args:
            logits: (B, L), of any float type.
            targets: (B, L) of 0/1, of any type.
            progress: the finished share of the training, 0 to 1, for losses that change over time (LDAM's re-weighting).
            representation: (B, H) the inputs of the last layer, for a loss that depends on them (MulSupCon).

        Raises:
            EquipoiseError: an argument has another shape, or the representation is missing.
        """
        if not isinstance(logits, torch.Tensor) or not isinstance(targets, torch.Tensor):
            kinds = f"{type(logits).__name__} and {type(targets).__name__}"
            raise EquipoiseError(f"logits and targets must be PyTorch tensors, not {kinds}")
        if not logits.is_floating_point():
            raise EquipoiseError(f"logits must be floats, not {logits.dtype}")
        # A tensor without dimensions has no length, and no shape that is right.
        shape = (len(logits) if logits.dim() else 0, len(self.n_pos))
        if logits.shape != shape or targets.shape != shape:
            raise EquipoiseError(
                f"logits and targets must both be (rows, {len(self.n_pos)}); "
                f"got {tuple(logits.shape)} and {tuple(targets.shape)}"
            )
        if self.strategy.sees_representation and (representation is None or len(representation) != shape[0]):
            raise EquipoiseError(
                f"{self.strategy.name} needs the inputs of the last layer: pass representation=h of {shape[0]} rows"
            )
        # At least float32: counts above 2048 are not exact in float16, and those above 256 not in bfloat16.
        kind = torch.float64 if logits.dtype == torch.float64 else torch.float32
        n_pos = torch.as_tensor(self.n_pos, dtype=kind, device=logits.device)
        n_rows = torch.tensor(float(self.n_rows), dtype=kind, device=logits.device)
        done = torch.tensor(float(progress), dtype=kind, device=logits.device)
        ctx = Context(n_pos, n_rows, progress=done, representation=representation)
        return self.strategy.loss(logits, targets.to_dense().to(logits.dtype), ctx)


def loss_of(
    spec: str, n_pos: Sequence[int] | np.ndarray, n_rows: int, **hyperparameters: Any
) -> StandaloneLoss:
    """The loss of a strategy as a function of logits and targets, for your own training loop.

    >>> import torch
    >>> loss = loss_of("asl", n_pos=[400, 100, 20, 5], n_rows=500, gamma_neg=2.0)
    >>> loss(torch.zeros(3, 4), torch.ones(3, 4)).shape
    torch.Size([3, 4])

    Args:
        spec: a strategy with a loss, e.g. "asl" or "focal[gamma=1]"; "none" is plain cross-entropy.
        n_pos: (L,) positives of each label in the training rows.
        n_rows: the number of training rows.
        hyperparameters: fields of the strategy, besides those in brackets; the others keep their published defaults.

    Raises:
        EquipoiseError: an unknown strategy or field, a strategy without a loss, or impossible counts.
    """
    strategy = _named(spec, hyperparameters)
    # The loss of a strategy that splits the problem is about its sub-problems, not about the labels.
    if strategy.name != "none" and ("loss" not in strategy.stages or "tasks" in strategy.stages):
        known = ", ".join(loss_names())
        raise EquipoiseError(f"strategy {strategy.name!r} has no loss of its own; those that do: {known}")
    counts, rows = numbers(n_pos, "n_pos"), numbers(n_rows, "n_rows")
    possible = rows.ndim == 0 and 1 <= rows < np.inf
    if not possible or counts.ndim != 1 or not ((counts >= 0) & (counts <= rows)).all():
        raise EquipoiseError(f"n_pos must be one count per label, each within 0..n_rows = {n_rows!s:.40}")
    return StandaloneLoss(strategy, counts, int(rows))


def _named(spec: str, hyperparameters: Mapping[str, Any]) -> Strategy:
    """The single strategy that a spec names, with these fields besides those in its brackets."""
    strategy = get_strategy(spec)
    if len(strategy.parts) != 1:
        raise EquipoiseError(f"a loss belongs to one strategy; {strategy.spec!r} names several")
    if twice := sorted(strategy.pinned & hyperparameters.keys()):
        raise EquipoiseError(f"{', '.join(twice)}: given in brackets and as an argument; keep one of them")
    return replace(strategy, **checked("strategy", strategy.name, type(strategy), hyperparameters))


def loss_names() -> list[str]:
    """The strategies whose loss is a function of logits and targets: `loss_of` accepts these, and some that need more."""
    needs_more = {n for n in registry("strategy").names() if registry("strategy").get(n).sees_representation}
    return [n for n, own in _stages().items() if "loss" in own and "tasks" not in own and n not in needs_more]


def _stages() -> dict[str, tuple[str, ...]]:
    found = registry("strategy")
    return {n: found.get(n)().stages for n in found.names()}
