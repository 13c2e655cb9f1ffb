"""Hill loss, a loss whose negatives are forgiven if the model is sure that they are positive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy
from equipoise.strategies._shared import wide

if TYPE_CHECKING:
    from torch import Tensor

ZHANG = (
    "Zhang, Cheng, Huang, Wen, Feng, Li & Guo 2021, Simple and robust loss design for multi-label learning with missing "
    "labels, arXiv:2112.07368"
)


@dataclass(frozen=True)
class Hill(Strategy):
    """Hill loss: a negative that the model takes for a positive pulls little, since its label may be missing.

    A negative costs (λ − p) p² with p = σ(z). At λ = 1.5 the slope in p falls back to 0 at p = 1, so that very confident
    "mistakes" are left alone; a smaller λ takes the side of the model against the label. A positive costs
    −(1 − q)^γ log q with q = σ(z − m): focal loss after a margin m has been taken off its logit.

    For data with missing labels. A complete data set has none, and there forgiving negatives costs precision.
    """

    name: ClassVar[str] = "hill"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = ZHANG

    lam: float = tunable(1.5, low=1.0, high=3.0, at_least=1)
    margin: float = tunable(1.0, low=0.0, high=2.0, at_least=0)
    gamma: float = tunable(2.0, low=0.0, high=5.0, at_least=0)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        import torch.nn.functional as F

        z, y = wide(logits), wide(targets)
        shifted, p = z - self.margin, z.sigmoid()
        # (1 − q)^γ through the log-sigmoid: for γ < 1 the gradient of a direct power is infinite once q rounds to 1.
        positive = -(self.gamma * F.logsigmoid(-shifted)).exp() * F.logsigmoid(shifted)
        return y * positive + (1 - y) * (self.lam - p) * p * p
