"""Distribution-balanced loss and its parts: re-balanced weights, and negatives that are tolerated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.equality import Equality, counterpart, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.strategies._shared import effective_weights, log_odds, wide
from equipoise.strategies.focal import Focal, class_share, focal_factor, focal_loss

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.contracts.backbone import Backbone

WU = (
    "Wu, Huang, Liu, Wang & Lin 2020, Distribution-balanced loss for multi-label classification in long-tailed datasets, "
    "ECCV, DOI 10.1007/978-3-030-58548-8_10"
)
HUANG = (
    "Huang, Giledereli, Köksal, Özgür & Ozkirimli 2021, Balancing methods for multi-label text classification with "
    "long-tailed class distribution, EMNLP, DOI 10.18653/v1/2021.emnlp-main.643"
)

#: Why losses with some of their factors switched off equal others.
UNWEIGHTED, TOLERANCE_OFF = (
    "at a = ½ and b = 0 all weights are 1",
    "at κ = 0 and λ = 1 negatives are treated as in focal loss",
)


@dataclass(frozen=True)
class RebalancedFocal(Strategy):
    """R-FL: focal loss with weights that correct for rows being resampled through several of their labels.

    The weight is a + σ(b (r − μ)) with r_ij = (1/n_j) / Σ_{k ∈ Y_i} 1/n_k: the rate at which label j alone would draw row i,
    over the rate at which all its labels do. A row without labels gets the limit a + 1. n counts the rows before resampling: the
    weights are made to go with class-balanced sampling from these, after which all labels are about equally frequent.

    Variant: μ = .9, the setting for text (for images .2 or .3). The papers' other rule, μ as the mean of the mean and the
    median of r over the training positives, needs the rows themselves, while a loss sees only n and N; compute it and pass
    `mu=…`. The factor α_t = ½ is part of the published program.
    """

    name: ClassVar[str] = "rebalanced_focal"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = f"{WU}; on text: {HUANG}"
    off: ClassVar[Mapping[str, Any]] = {"a": 0.5, "b": 0.0, "gamma": 0.0, "alpha": -1.0}

    a: float = tunable(0.1, low=0.0, high=1.0, at_least=0)  # smallest weight
    b: float = tunable(10.0, low=1.0, high=20.0, at_least=0)  # steepness of the sigmoid
    mu: float = tunable(0.9, low=0.05, high=0.95)  # its centre, on the scale of r (0 to 1 for positives)
    gamma: float = tunable(2.0, low=0.0, high=5.0, at_least=0)
    alpha: float = tunable(0.5, low=0.05, high=0.95, at_most=1)

    @property
    def clashes(self) -> Mapping[str, str]:
        return TWICE

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        other = counterpart(self, Focal) if self.fixed_at(a=0.5, b=0.0) else None
        return same(other, UNWEIGHTED)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        weight = rebalanced(targets, ctx.n_pos, self.a, self.b, self.mu)
        return weight * focal_loss(logits, targets, self.gamma, self.alpha)


@dataclass(frozen=True)
class NTRFocal(Strategy):
    """NTR-FL: negative-tolerant focal loss, which stops pushing negatives down early and shifts logits by the label's prior.

    With v = κ log(N/n − 1), q⁺ = σ(z − v) and q⁻ = σ(λ (z − v)), a positive costs −(1 − q⁺)^γ log q⁺ and a negative
    −(1/λ) (q⁻)^γ log(1 − q⁻). A λ above 1 makes the loss of a negative vanish sooner. n is clipped to ½ .. N − ½. Predictions
    use z, without shift or scale. The prior n / N is that of the rows trained on: the
    paper derives −v (for κ = 1) as the bias that minimises their loss before anything is learned.

    Variant: both terms are multiplied by α_t = ½, as in the published program. The factor 1/λ is that of the paper's equation;
    a published program drops it.
    """

    name: ClassVar[str] = "ntr_focal"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = f"{WU}; eq. 6 of {HUANG}"
    off: ClassVar[Mapping[str, Any]] = {"kappa": 0.0, "lam": 1.0, "gamma": 0.0, "alpha": -1.0}

    kappa: float = tunable(0.05, low=0.0, high=0.2, at_least=0)  # strength of the shift by the prior
    lam: float = tunable(2.0, low=1.0, high=5.0, above=0)  # scale of the negatives' logits
    gamma: float = tunable(2.0, low=0.0, high=5.0, at_least=0)
    alpha: float = tunable(0.5, low=0.05, high=0.95, at_most=1)

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        other = counterpart(self, Focal) if self.fixed_at(kappa=0.0, lam=1.0) else None
        return [*same(other, TOLERANCE_OFF), *unshifted(self, backbone)]

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return tolerant(logits, targets, ctx, self)


@dataclass(frozen=True)
class DistributionBalanced(Strategy):
    """Distribution-balanced loss: the re-balanced weights of R-FL times the negative-tolerant loss NTR-FL.

    See `rebalanced_focal` for a, b and μ, and `ntr_focal` for κ and λ.
    """

    name: ClassVar[str] = "distribution_balanced"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = f"{WU}; eq. 8 of {HUANG}"
    off: ClassVar[Mapping[str, Any]] = {**RebalancedFocal.off, **NTRFocal.off}

    a: float = tunable(0.1, low=0.0, high=1.0, at_least=0)
    b: float = tunable(10.0, low=1.0, high=20.0, at_least=0)
    mu: float = tunable(0.9, low=0.05, high=0.95)
    kappa: float = tunable(0.05, low=0.0, high=0.2, at_least=0)
    lam: float = tunable(2.0, low=1.0, high=5.0, above=0)
    gamma: float = tunable(2.0, low=0.0, high=5.0, at_least=0)
    alpha: float = tunable(0.5, low=0.05, high=0.95, at_most=1)

    @property
    def clashes(self) -> Mapping[str, str]:
        return TWICE

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        unweighted = counterpart(self, NTRFocal) if self.fixed_at(a=0.5, b=0.0) else None
        other = counterpart(self, RebalancedFocal) if self.fixed_at(kappa=0.0, lam=1.0) else None
        return [*same(unweighted, UNWEIGHTED), *same(other, TOLERANCE_OFF), *unshifted(self, backbone)]

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        weight = rebalanced(targets, ctx.n_pos, self.a, self.b, self.mu)
        return weight * tolerant(logits, targets, ctx, self)


@dataclass(frozen=True)
class CBNTR(Strategy):
    """CB-NTR: the class-balanced weights (1 − β) / (1 − β^n) times the negative-tolerant loss NTR-FL.

    See `class_balanced` for 1 − β, and `ntr_focal` for κ and λ.
    """

    name: ClassVar[str] = "cb_ntr"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = HUANG
    off: ClassVar[Mapping[str, Any]] = {"one_minus_beta": 1.0, **NTRFocal.off}

    one_minus_beta: float = tunable(0.1, low=1e-5, high=0.5, log=True, above=0, at_most=1)
    kappa: float = tunable(0.05, low=0.0, high=0.2, at_least=0)
    lam: float = tunable(2.0, low=1.0, high=5.0, above=0)
    gamma: float = tunable(2.0, low=0.0, high=5.0, at_least=0)
    alpha: float = tunable(0.5, low=0.05, high=0.95, at_most=1)

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        other = counterpart(self, NTRFocal) if self.fixed_at(one_minus_beta=1.0) else None
        return [*same(other, "at β = 0 all labels weigh 1"), *unshifted(self, backbone)]

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return effective_weights(ctx.trained_pos, self.one_minus_beta) * tolerant(logits, targets, ctx, self)


#: Class-balanced sampling ("draws") is what these weights were made for.
TWICE: Mapping[str, str] = {
    "rows": "corrects twice: it weights by the label frequencies of the data, although they were changed by {other}"
}


def unshifted(strategy: NTRFocal | DistributionBalanced | CBNTR, backbone: Backbone) -> list[Equality]:
    """A loss that shifts logits by κ times the log-odds of the label equals itself with κ = 0, apart from that shift."""
    # With κ above 1 the best bias of a rare label may lie out of the bounds within which a training starts.
    if not backbone.absorbs_shifts or strategy.fixed_at(kappa=0.0) or strategy.kappa > 1:
        return []
    other = counterpart(strategy, type(strategy), kappa=0.0)
    return same(other, "the bias of the output takes up the shift by the prior", ["map", "tuned"])


def rebalanced(targets: Tensor, n_pos: Tensor, a: Any, b: Any, mu: Any) -> Tensor:
    """Weights a + σ(b (r − μ)), (B, L), with r_ij = (1/n_j) / Σ_{k ∈ Y_i} 1/n_k."""
    label_rate = 1.0 / n_pos.clamp(min=1.0)
    row_rate = (wide(targets) * label_rate).sum(-1, keepdim=True)
    # In a row without labels r becomes huge, the sigmoid 1 and the weight a + 1.
    r = label_rate / row_rate.clamp(min=1e-20)
    return a + (b * (r - mu)).sigmoid()


def tolerant(logits: Tensor, targets: Tensor, ctx: Context, settings: Any) -> Tensor:
    """The loss NTR-FL, (B, L), with the κ, λ, γ and α of `settings`."""
    import torch

    # −v = κ log(n / (N − n)): the shift is the label's log-odds.
    shifted = logits + settings.kappa * log_odds(ctx.trained_pos, ctx.trained_rows)
    positive = targets > 0
    scaled = torch.where(positive, shifted, settings.lam * shifted)
    unscale = torch.where(positive, torch.ones_like(scaled), torch.ones_like(scaled) / settings.lam)
    factor = class_share(targets, settings.alpha) * focal_factor(scaled, targets, settings.gamma)
    return unscale * factor * bce(scaled, targets.to(scaled.dtype))
