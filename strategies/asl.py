"""Asymmetric loss (ASL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.equality import Equality, counterpart, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.strategies._shared import wide
from equipoise.strategies.focal import Focal

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.contracts.backbone import Backbone


@dataclass(frozen=True)
class ASL(Strategy):
    """Asymmetric loss: down-weights easy negatives more strongly than easy positives, and ignores very easy negatives.

    −[y (1 − p)^γ₊ log p + (1 − y) p_m^γ₋ log(1 − p_m)], where p = σ(z) and p_m = max(p − m, 0): a negative with p below the
    margin m has loss 0.

    Variant: the defaults are those of the published class (γ₋ = 4, γ₊ = 1, m = .05; the authors' training script uses γ₊ = 0).
    The gradient is that of the whole formula, as derived in the paper; the authors' program by default treats the focusing
    factor as a constant (here `focus_gradient=false`). The loss is one value per cell; the authors' program sums over the
    batch, which makes the effective learning rate depend on the batch size and the number of labels.
    """

    name: ClassVar[str] = "asl"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter & Zelnik-Manor 2021, Asymmetric loss for multi-label "
        "classification, ICCV, DOI 10.1109/ICCV48922.2021.00015"
    )
    off: ClassVar[Mapping[str, Any]] = {"gamma_neg": 0.0, "gamma_pos": 0.0, "margin": 0.0}

    gamma_neg: float = tunable(4.0, low=0.0, high=8.0, at_least=0)
    gamma_pos: float = tunable(1.0, low=0.0, high=4.0, at_least=0)
    margin: float = tunable(0.05, low=0.0, high=0.3, at_least=0, below=1)
    focus_gradient: bool = True

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        equal = self.gamma_neg == self.gamma_pos and self.fixed >= {"gamma_neg", "gamma_pos"}
        if not (equal and self.focus_gradient and self.fixed_at(margin=0.0)):
            return []
        other = counterpart(self, Focal, gamma=self.gamma_neg, alpha=-1.0)
        return same(other, "without a margin and with equal powers it is focal loss")

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        z, y = wide(logits), wide(targets)
        focus = y * self._positive_focus(z) + (1 - y) * self._negative_focus(z)
        return (focus if self.focus_gradient else focus.detach()) * self.unfocused(z, y)

    def unfocused(self, z: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of p for positives and of p_m for negatives, without the focusing factors, (B, L)."""
        # Subtracting what the margin gains keeps m = 0 bit-equal to plain cross-entropy; a direct log(1 − p_m) would not be.
        return (bce(z, y) - (1 - y) * self._margin_gain(z)).clamp(min=0.0)

    def _positive_focus(self, z: Tensor) -> Tensor:
        """(1 − p)^γ₊, through the log-sigmoid so that it stays accurate where p rounds to 1."""
        import torch.nn.functional as F

        return (self.gamma_pos * F.logsigmoid(-z)).exp()

    def _negative_focus(self, z: Tensor) -> Tensor:
        """p_m^γ₋, and 1 where p_m = 0."""
        import torch

        p = z.sigmoid() - self.margin
        # Below the margin the loss that this factor multiplies is 0 anyway, but for γ < 1 the gradient of 0^γ is infinite.
        return torch.where(p > 0, p, torch.ones_like(p)).pow(self.gamma_neg)

    def _margin_gain(self, z: Tensor) -> Tensor:
        """log(1 + m / (1 − p)): how far the margin lowers −log(1 − p). Exactly 0 for m = 0, and finite for any logit."""
        import torch.nn.functional as F

        # Adding 0 · z gives the margin, which may be a Python float or a tensor per lane, the shape of the logits.
        log_margin = (self.margin + 0.0 * z.detach()).log()
        return -F.logsigmoid(F.logsigmoid(-z) - log_margin)
