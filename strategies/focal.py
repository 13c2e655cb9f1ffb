"""Focal loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Focal(Strategy):
    """Focal loss: cross-entropy times α_t (1 − p_t)^γ, so that well-classified cells count less.

    p_t is the probability given to the true value; α_t is α for positives and 1 − α for negatives.

    Variant: α = .5, which treats both alike (the paper's .25 is for object detection); a negative α leaves α_t out.
    """

    name: ClassVar[str] = "focal"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Lin, Goyal, Girshick, He & Dollár 2017, Focal loss for dense object detection, ICCV, DOI 10.1109/ICCV.2017.324"
    )
    off: ClassVar[Mapping[str, Any]] = {"gamma": 0.0, "alpha": -1.0}

    gamma: float = tunable(2.0, low=0.0, high=5.0, at_least=0)  # 0: plain cross-entropy
    alpha: float = tunable(0.5, low=0.05, high=0.95, at_most=1)  # weight of positives against negatives

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return focal_loss(logits, targets, self.gamma, self.alpha)


def focal_loss(logits: Tensor, targets: Tensor, gamma: Any, alpha: Any) -> Tensor:
    """Focal loss α_t (1 − p_t)^γ · cross-entropy, unreduced, (B, L)."""
    return class_share(targets, alpha) * focal_factor(logits, targets, gamma) * bce(logits, targets)


def class_share(targets: Tensor, alpha: Any) -> Tensor:
    """α_t (B, L): α for positives, 1 − α for negatives; 1 for both if α is negative."""
    import torch

    # In a search α may be a tensor with one value per lane, so a Python `if` cannot tell the two cases apart.
    alpha = torch.as_tensor(alpha)
    return torch.where(alpha < 0, torch.ones_like(targets), alpha * targets + (1 - alpha) * (1 - targets))


def focal_factor(logits: Tensor, targets: Tensor, gamma: Any) -> Tensor:
    """The factor (1 − p_t)^γ, (B, L)."""
    import torch.nn.functional as F

    # As e^(γ log(1 − p_t)) with 1 − p_t = σ(−z) for positives and σ(z) for negatives: the gradient of a direct power is
    # infinite for γ < 1 once p_t rounds to 1.
    return (gamma * F.logsigmoid(logits * (1 - 2 * targets))).exp()
