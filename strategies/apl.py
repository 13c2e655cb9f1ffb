"""Asymmetric polynomial loss (APL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.equality import Equality, counterpart, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.strategies.asl import ASL

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.contracts.backbone import Backbone


@dataclass(frozen=True)
class APL(ASL):
    """Asymmetric polynomial loss: ASL with other coefficients for the first terms of its logarithms' Taylor series.

    −log p is Σ_k (1 − p)^k / k. A positive loses ε₁ (1 − p) + ε₂ (1 − p)² / 2 of it, and a negative η p_m of −log(1 − p_m), where
    p_m = max(p − m, 0); both are then multiplied by the focusing factors of `asl`, (1 − p)^γ₊ and p_m^γ₋. With the defaults
    ε₁ = 1 and ε₂ = −2.5 the series of a positive begins with 1.75 (1 − p)² instead of (1 − p).

    Variant: the defaults are those of the authors' program. It subtracts η (1 − p_m) where this subtracts η p_m, the paper's
    term; at the default η = 0 they agree. For the gradient and the scale of the loss, see `asl`.
    """

    name: ClassVar[str] = "apl"
    reference: ClassVar[str] = (
        "Huang, Qi, Wang & Lin 2023, Asymmetric polynomial loss for multi-label classification, ICASSP, arXiv:2304.05361"
    )
    off: ClassVar[Mapping[str, Any]] = {**ASL.off, "eps1": 0.0, "eps2": 0.0, "eta": 0.0}

    gamma_pos: float = tunable(0.0, low=0.0, high=4.0, at_least=0)
    # Above 1 a coefficient would be negative, and sure positives would be pushed down.
    eps1: float = tunable(1.0, low=-1.0, high=1.0, at_most=1)
    eps2: float = tunable(-2.5, low=-4.0, high=1.0, at_most=1)
    eta: float = tunable(0.0, low=-1.0, high=1.0, at_most=1)

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        other = counterpart(self, ASL) if self.fixed_at(eps1=0.0, eps2=0.0, eta=0.0) else None
        return same(other, "the coefficients of the series are those of the logarithm")

    def unfocused(self, z: Tensor, y: Tensor) -> Tensor:
        miss, p_m = (-z).sigmoid(), (z.sigmoid() - self.margin).clamp(min=0.0)
        less = y * (self.eps1 * miss + self.eps2 * miss * miss / 2) + (1 - y) * self.eta * p_m
        return super().unfocused(z, y) - less
