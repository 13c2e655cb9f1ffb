"""ZLPR: zero-bounded log-sum-exp and pairwise rank-based loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from equipoise.contracts.strategy import Context, Strategy
from equipoise.strategies._shared import wide

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ZLPR(Strategy):
    """Every positive above 0 and every negative below, all labels of a row competing: log(1 + Σ₋ e^z) + log(1 + Σ₊ e^−z).

    Its threshold is 0. One value per row, the sum form of the paper; with a single label it is cross-entropy. There is nothing
    to set.
    """

    name: ClassVar[str] = "zlpr"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Su, Zhu, Liu, Zhu, Chen & Sun 2022, ZLPR: a novel loss for multi-label classification, arXiv:2208.02955"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"labels"})

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        positive = targets > 0
        z = wide(logits)
        return bounded(z, ~positive) + bounded(-z, positive)


def bounded(z: Tensor, kept: Tensor) -> Tensor:
    """log(1 + Σ e^z) of each row over the cells that are kept, (B,)."""
    import torch

    terms = torch.where(kept, z, torch.full_like(z, -torch.inf))
    return torch.cat([terms, torch.zeros_like(z[..., :1])], -1).logsumexp(-1)
