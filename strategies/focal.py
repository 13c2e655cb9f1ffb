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
    """α_t (1 − p_t)^γ times cross-entropy: easy cells count less.

    α = .5 treats positives and negatives alike; .25 is the paper's setting for detection. A negative α means no α at all.
    """

    name: ClassVar[str] = "focal"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = "Lin, Goyal, Girshick, He & Dollár 2017, DOI 10.1109/ICCV.2017.324"
    off: ClassVar[Mapping[str, Any]] = {"gamma": 0.0, "alpha": -1.0}

    gamma: float = tunable(2.0, low=0.0, high=5.0)
    alpha: float = tunable(0.5, low=0.05, high=0.95)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return focal_loss(logits, targets, self.gamma, self.alpha)


def focal_loss(logits: Tensor, targets: Tensor, gamma: Any, alpha: Any) -> Tensor:
    """α_t (1 − p_t)^γ · cross-entropy, unreduced; a negative α means no α."""
    return class_share(targets, alpha) * focal_factor(logits, targets, gamma) * bce(logits, targets)


def class_share(targets: Tensor, alpha: Any) -> Tensor:
    """α_t: α for positives, 1 − α for negatives; 1 for both where α is negative."""
    import torch

    alpha = torch.as_tensor(alpha)
    return torch.where(alpha < 0, torch.ones_like(targets), alpha * targets + (1 - alpha) * (1 - targets))


def focal_factor(logits: Tensor, targets: Tensor, gamma: Any) -> Tensor:
    """(1 − p_t)^γ from logits, through log(1 − p_t), so that its gradient is finite however sure the model is."""
    import torch.nn.functional as F

    return (gamma * F.logsigmoid(logits * (1 - 2 * targets))).exp()
