"""Sampling strategies: with which probability each row is drawn into a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equipoise.contracts.equality import Equality, counterpart, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy

if TYPE_CHECKING:
    from equipoise.contracts.backbone import Backbone

KANG = (
    "Kang, Xie, Rohrbach, Yan, Gordo, Feng & Kalantidis 2020, Decoupling representation and classifier for "
    "long-tailed recognition, ICLR, arXiv:1910.09217"
)


@dataclass(frozen=True)
class BalancedSampling(Strategy):
    """Class-balanced sampling: draw a label uniformly, then one of its positive rows uniformly.

    Only the share `mix` of the draws is made this way; the others are uniform over rows. The probability of row i is
    mix · mean_j(Y_ij / n_j) + (1 − mix) / N, the mean running over labels with a positive. With mix = 1 rows without labels are
    never drawn.
    """

    name: ClassVar[str] = "balanced_sampling"
    changes: ClassVar[frozenset[str]] = frozenset({"draws"})
    reference: ClassVar[str] = (
        "class-aware sampling: Shen, Lin & Huang 2016, Relay backpropagation for effective learning of deep convolutional "
        "neural networks, ECCV, DOI 10.1007/978-3-319-46478-7_29"
    )
    off: ClassVar[Mapping[str, Any]] = {"mix": 0.0}

    mix: float = tunable(1.0, low=0.0, high=1.0, at_least=0, at_most=1)

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        return self.mix * by_label(Y, 0.0) + (1.0 - self.mix) * uniform(Y)


@dataclass(frozen=True)
class SqrtSampling(Strategy):
    """Square-root sampling: draw a label with probability ∝ √n, then one of its positive rows uniformly.

    The exponent is `power`: ½ is square-root sampling and 0 is `balanced_sampling`. Only the share `mix` of the draws is made
    this way; the others are uniform over rows. With mix = 1 rows without labels are never drawn.

    Variant: with the paper's exclusive classes, power 1 draws all rows with equal probability and so switches the strategy
    off. With several labels per row it draws a row in proportion to its number of labels, so `mix=0` switches it off instead.
    """

    name: ClassVar[str] = "sqrt_sampling"
    changes: ClassVar[frozenset[str]] = frozenset({"draws"})
    reference: ClassVar[str] = KANG
    off: ClassVar[Mapping[str, Any]] = {"mix": 0.0}

    power: float = tunable(0.5, low=0.0, high=1.0, at_least=0, at_most=1)
    mix: float = tunable(1.0, low=0.0, high=1.0, at_least=0, at_most=1)

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        other = counterpart(self, BalancedSampling) if self.fixed_at(power=0.0) else None
        return same(other, "at power 0 all labels are drawn equally often")

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        return self.mix * by_label(Y, self.power) + (1.0 - self.mix) * uniform(Y)


@dataclass(frozen=True)
class ProgressiveSampling(Strategy):
    """Progressively balanced sampling: move from uniform sampling at the start to class-balanced sampling at the end.

    At progress t (0 to 1) the probability of row i is (1 − t · end) / N + t · end · mean_j(Y_ij / n_j). Progress counts the
    planned steps, so training that is stopped early does not reach full balance.

    Variant: the paper changes the probabilities once per epoch; here they change at every step.
    """

    name: ClassVar[str] = "progressive_sampling"
    changes: ClassVar[frozenset[str]] = frozenset({"draws"})
    reference: ClassVar[str] = KANG
    off: ClassVar[Mapping[str, Any]] = {"end": 0.0}

    end: float = tunable(1.0, low=0.0, high=1.0, at_least=0, at_most=1)

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        start = uniform(Y)
        # Two key frames; the engine interpolates linearly between them as training proceeds.
        return np.stack([start, self.end * by_label(Y, 0.0) + (1.0 - self.end) * start])


def uniform(Y: np.ndarray) -> np.ndarray:
    """Equal probabilities for the rows of Y, (n,)."""
    return np.full(len(Y), 1.0 / len(Y))


def by_label(Y: np.ndarray, power: float) -> np.ndarray:
    """Probability of each row of Y (n, L), (n,), if a label is drawn ∝ n_j^power and then one of its positive rows uniformly.

    Labels without positives are left out; if no label has any, all rows are equally probable.
    """
    counts = Y.sum(0)
    has_positives = counts > 0
    if not has_positives.any():
        return uniform(Y)
    n = counts[has_positives].astype(np.float64)
    # P(row) = Σ_j P(label j) / n_j over the row's labels, and P(label j) ∝ n_j^power.
    return np.asarray((Y[:, has_positives] * n ** (power - 1.0)).sum(1) / (n**power).sum())
