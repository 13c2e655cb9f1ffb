"""SPLC, self-paced loss correction: labels that seem to be missing are added during training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.equality import Equality, counterpart, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.strategies._shared import wide
from equipoise.strategies.focal import Focal, focal_factor
from equipoise.strategies.hill import ZHANG

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.contracts.backbone import Backbone


@dataclass(frozen=True)
class SPLC(Strategy):
    """SPLC: once training has begun, negatives to which the model gives a high probability are treated as positives.

    Focal loss with α_t left out, after a margin m has been taken off the logits of the given positives. From the share `begin`
    of the training on, a negative with σ(z) > τ is taken for a positive whose label is missing.

    For data with missing labels. Variant: the authors begin after the first epoch, here after a share of the training, so that
    it does not depend on the number of epochs.
    """

    name: ClassVar[str] = "splc"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = ZHANG
    off: ClassVar[Mapping[str, Any]] = {"tau": 1.0, "margin": 0.0, "gamma": 0.0}

    # The probability above which a negative counts as a missing label.
    tau: float = tunable(0.6, low=0.5, high=1.0, at_least=0, at_most=1)
    begin: float = tunable(0.05, low=0.01, high=0.5, at_least=0, at_most=1)
    margin: float = tunable(1.0, low=0.0, high=2.0, at_least=0)
    gamma: float = tunable(2.0, low=0.0, high=5.0, at_least=0)

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        other = counterpart(self, Focal, alpha=-1.0) if self.fixed_at(tau=1.0, margin=0.0) else None
        return same(other, "no probability exceeds 1, so that no label is corrected")

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        y = wide(targets)
        z = wide(logits) - self.margin * y
        # Arithmetic instead of an `if`: progress and `begin` may be tensors with one value per lane.
        late = 1.0 * (ctx.progress >= self.begin)
        believed = y + late * (z.sigmoid() > self.tau) * (1 - y)
        return focal_factor(z, believed, self.gamma) * bce(z, believed)
