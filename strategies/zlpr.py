"""ZLPR, the zero-bounded log-sum-exp and pairwise rank-based loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from equipoise.contracts.strategy import Context, Strategy
from equipoise.strategies._shared import wide

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ZLPR(Strategy):
    """ZLPR: ranks a row's positive labels above its negative ones, with the positives above 0 and the negatives below.

    log(1 + Σ₋ e^z) + log(1 + Σ₊ e^−z), the sums running over the negatives and the positives of a row; one value per row. The
    threshold is 0. With a single label it is cross-entropy. There are no hyperparameters.

    Variant: the paper's sum form.
    """

    name: ClassVar[str] = "zlpr"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Su, Zhu, Murtadha, Pan, Wen & Liu 2022, ZLPR: a novel loss for multi-label classification, arXiv:2208.02955"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"labels"})

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        positive = targets > 0
        z = wide(logits)
        return bounded(z, ~positive) + bounded(-z, positive)


def bounded(z: Tensor, mask: Tensor) -> Tensor:
    """log(1 + Σ e^z) of each row over the cells where `mask` is true, (B,)."""
    import torch

    terms = torch.where(mask, z, torch.full_like(z, -torch.inf))
    # An extra column of zeros supplies the 1, and keeps the sum from being empty.
    return torch.cat([terms, torch.zeros_like(z[..., :1])], -1).logsumexp(-1)
