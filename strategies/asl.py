"""Asymmetric loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.strategies._shared import wide

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ASL(Strategy):
    """Asymmetric loss: negatives are focused harder than positives, and those below the margin m are dropped.

    −[y (1 − p)^γ₊ log p + (1 − y) p_m^γ₋ log(1 − p_m)], p_m = max(p − m, 0). This variant: the defaults of the published class
    (γ₋ 4, γ₊ 1, m .05; its training script uses γ₊ 0); the gradient is that of the whole formula, as derived in the paper,
    while the program by default treats the focusing factor as a constant (`focus_gradient=false`); one value per cell, where
    the program sums over the batch, which ties the learning rate to batch size and number of labels.
    """

    name: ClassVar[str] = "asl"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter & Zelnik-Manor 2021, DOI 10.1109/ICCV48922.2021.00015"
    )
    off: ClassVar[Mapping[str, Any]] = {"gamma_neg": 0.0, "gamma_pos": 0.0, "margin": 0.0}

    gamma_neg: float = tunable(4.0, low=0.0, high=8.0)
    gamma_pos: float = tunable(1.0, low=0.0, high=4.0)
    margin: float = tunable(0.05, low=0.0, high=0.3)
    focus_gradient: bool = True

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        z, y = wide(logits), wide(targets)
        focus = y * self._positive_focus(z) + (1 - y) * self._negative_focus(z)
        shifted = (bce(z, y) - (1 - y) * self._margin_gain(z)).clamp(min=0.0)
        return (focus if self.focus_gradient else focus.detach()) * shifted

    def _positive_focus(self, z: Tensor) -> Tensor:
        import torch.nn.functional as F

        return (self.gamma_pos * F.logsigmoid(-z)).exp()

    def _negative_focus(self, z: Tensor) -> Tensor:
        """p_m^γ₋, and 1 where p_m = 0: the loss it multiplies is 0 there, and 0^γ has no gradient for γ < 1."""
        import torch

        p = z.sigmoid() - self.margin
        return torch.where(p > 0, p, torch.ones_like(p)).pow(self.gamma_neg)

    def _margin_gain(self, z: Tensor) -> Tensor:
        """log(1 + m / (1 − p)), by which the margin lowers −log(1 − p); exactly 0 for m = 0, and finite for any logit."""
        import torch.nn.functional as F

        log_margin = (self.margin + 0.0 * z.detach()).log()
        return -F.logsigmoid(F.logsigmoid(-z) - log_margin)
