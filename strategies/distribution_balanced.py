"""Distribution-balanced loss and its parts: re-balanced weights, and negatives that are tolerated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.strategies._shared import effective_weights, log_odds, wide
from equipoise.strategies.focal import class_share, focal_factor, focal_loss

if TYPE_CHECKING:
    from torch import Tensor

WU = "Wu, Huang, Liu, Wang & Lin 2020, DOI 10.1007/978-3-030-58548-8_10"
HUANG = "Huang, Giledereli, Köksal, Özgür & Ozkirimli 2021, DOI 10.18653/v1/2021.emnlp-main.643"


@dataclass(frozen=True)
class RebalancedFocal(Strategy):
    """R-FL: focal loss times a + σ(b(r − μ)), where r undoes that a row is drawn once for each of its labels.

    r_ij = (1/n_j) / Σ_{k ∈ Y_i} 1/n_k. μ is .9, the setting for text (images: .2, .3). The other rule for μ, the mean of mean
    and median of r over the training positives, needs the rows themselves; a loss sees only n and N, so it isn't offered:
    give its value as `mu=…`. A row without labels gets the limit, a + 1. α_t = ½ belongs to the published program.
    """

    name: ClassVar[str] = "rebalanced_focal"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = f"{WU}; on text: {HUANG}"
    off: ClassVar[Mapping[str, Any]] = {"a": 0.5, "b": 0.0, "gamma": 0.0, "alpha": -1.0}

    a: float = tunable(0.1, low=0.0, high=1.0)
    b: float = tunable(10.0, low=1.0, high=20.0)
    mu: float = tunable(0.9, low=0.1, high=0.95)
    gamma: float = tunable(2.0, low=0.0, high=5.0)
    alpha: float = tunable(0.5, low=0.05, high=0.95)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        weight = rebalanced(targets, ctx.n_pos, self.a, self.b, self.mu)
        return weight * focal_loss(logits, targets, self.gamma, self.alpha)


@dataclass(frozen=True)
class NTRFocal(Strategy):
    """NTR-FL: focal loss on logits shifted by v = κ log(N/n − 1), with negatives scaled by λ so that they saturate early.

    q⁺ = σ(z − v), q⁻ = σ(λ(z − v)); positives −(1 − q⁺)^γ log q⁺, negatives −(1/λ)(q⁻)^γ log(1 − q⁻), both times α_t = ½ as in
    the published program. This keeps the 1/λ of the paper's equation, which a published program drops. n is kept within
    ½ .. N − ½. Predictions use z as it is.
    """

    name: ClassVar[str] = "ntr_focal"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = f"{WU}; eq. 6 of {HUANG}"
    off: ClassVar[Mapping[str, Any]] = {"kappa": 0.0, "lam": 1.0, "gamma": 0.0, "alpha": -1.0}

    kappa: float = tunable(0.05, low=0.0, high=0.2)
    lam: float = tunable(2.0, low=1.0, high=5.0)
    gamma: float = tunable(2.0, low=0.0, high=5.0)
    alpha: float = tunable(0.5, low=0.05, high=0.95)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return tolerant(logits, targets, ctx, self)


@dataclass(frozen=True)
class DistributionBalanced(Strategy):
    """DB: the re-balanced weights of R-FL times the negative-tolerant loss NTR-FL.

    See `rebalanced_focal` for a, b and μ, and `ntr_focal` for κ and λ.
    """

    name: ClassVar[str] = "distribution_balanced"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = f"{WU}; eq. 8 of {HUANG}"
    off: ClassVar[Mapping[str, Any]] = {**RebalancedFocal.off, **NTRFocal.off}

    a: float = tunable(0.1, low=0.0, high=1.0)
    b: float = tunable(10.0, low=1.0, high=20.0)
    mu: float = tunable(0.9, low=0.1, high=0.95)
    kappa: float = tunable(0.05, low=0.0, high=0.2)
    lam: float = tunable(2.0, low=1.0, high=5.0)
    gamma: float = tunable(2.0, low=0.0, high=5.0)
    alpha: float = tunable(0.5, low=0.05, high=0.95)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        weight = rebalanced(targets, ctx.n_pos, self.a, self.b, self.mu)
        return weight * tolerant(logits, targets, ctx, self)


@dataclass(frozen=True)
class CBNTR(Strategy):
    """CB-NTR: the class-balanced weights (1 − β) / (1 − β^n) times the negative-tolerant loss NTR-FL.

    See `class_balanced` for β, and `ntr_focal` for κ and λ.
    """

    name: ClassVar[str] = "cb_ntr"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = HUANG
    off: ClassVar[Mapping[str, Any]] = {"beta": 0.0, **NTRFocal.off}

    beta: float = tunable(0.9, low=0.9, high=0.9999)
    kappa: float = tunable(0.05, low=0.0, high=0.2)
    lam: float = tunable(2.0, low=1.0, high=5.0)
    gamma: float = tunable(2.0, low=0.0, high=5.0)
    alpha: float = tunable(0.5, low=0.05, high=0.95)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return effective_weights(ctx.n_pos, self.beta) * tolerant(logits, targets, ctx, self)


def rebalanced(targets: Tensor, n_pos: Tensor, a: Any, b: Any, mu: Any) -> Tensor:
    """r̂ = a + σ(b(r − μ)), (B, L), with r_ij = (1/n_j) / Σ_{k ∈ Y_i} 1/n_k; r is huge, so r̂ = a + 1, in an empty row."""
    own = 1.0 / n_pos.clamp(min=1.0)
    share = (wide(targets) * own).sum(-1, keepdim=True)
    r = own / share.clamp(min=1e-20)
    return a + (b * (r - mu)).sigmoid()


def tolerant(logits: Tensor, targets: Tensor, ctx: Context, settings: Any) -> Tensor:
    """NTR-FL, (B, L), with κ, λ, γ and α of `settings`."""
    import torch

    shifted = logits + settings.kappa * log_odds(ctx.n_pos, ctx.n_rows)
    positive = targets > 0
    scaled = torch.where(positive, shifted, settings.lam * shifted)
    unscale = torch.where(positive, torch.ones_like(scaled), torch.ones_like(scaled) / settings.lam)
    factor = class_share(targets, settings.alpha) * focal_factor(scaled, targets, settings.gamma)
    return unscale * factor * bce(scaled, targets.to(scaled.dtype))
