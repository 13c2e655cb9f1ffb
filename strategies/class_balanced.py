"""Class-balanced loss: labels weighted by their effective number of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.equality import Equality, counterpart, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy
from equipoise.strategies._shared import effective_weights
from equipoise.strategies.focal import Focal, focal_loss

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.contracts.backbone import Backbone


@dataclass(frozen=True)
class ClassBalanced(Strategy):
    """Class-balanced focal loss: weights each label by one over its effective number of samples, (1 − β) / (1 − β^n).

    The weight applies to a label's positives and negatives alike. A label without positives is treated as n = 1. n counts the
    rows trained on: the weights balance what the labels add to the loss, and copies of a row add to it like others.

    Variant: the settings used on text, β = .9, γ = 2, α = .5 (Huang et al. 2021, whose program also multiplies by 10); on
    images β = .99, .999 and .9999 are usual. The hyperparameter is 1 − β, since β acts through its distance from 1. Weights are
    not normalised over labels: the original program scales them to sum to the number of labels, but Adam is indifferent to a
    common factor. `gamma=0` with `alpha=-1` is class-balanced cross-entropy.
    """

    name: ClassVar[str] = "class_balanced"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Cui, Jia, Lin, Song & Belongie 2019, Class-balanced loss based on effective number of samples, CVPR, DOI "
        "10.1109/CVPR.2019.00949; settings: Huang, Giledereli, Köksal, Özgür & Ozkirimli 2021, Balancing methods for "
        "multi-label text classification with long-tailed class distribution, EMNLP, DOI 10.18653/v1/2021.emnlp-main.643"
    )
    off: ClassVar[Mapping[str, Any]] = {"one_minus_beta": 1.0, "gamma": 0.0, "alpha": -1.0}

    # 1: equal weights; towards 0: weights ∝ 1 / n
    one_minus_beta: float = tunable(0.1, low=1e-5, high=0.5, log=True, above=0, at_most=1)
    gamma: float = tunable(2.0, low=0.0, high=5.0, at_least=0)
    alpha: float = tunable(0.5, low=0.05, high=0.95, at_most=1)

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        other = counterpart(self, Focal) if self.fixed_at(one_minus_beta=1.0) else None
        return same(other, "at β = 0 all labels weigh 1")

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        weight = effective_weights(ctx.trained_pos, self.one_minus_beta)
        return weight * focal_loss(logits, targets, self.gamma, self.alpha)
