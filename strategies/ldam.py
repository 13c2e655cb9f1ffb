"""LDAM: label-distribution-aware margins, with deferred re-weighting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.strategies._shared import effective_weights, wide

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LDAM(Strategy):
    """Positives of a rare label must win by a margin ∝ n^(−1/4); class-balanced weights (DRW) come in late.

    The paper is about softmax over exclusive classes. Adapted to many labels: each label is a cross-entropy of its own on
    s · (z − m_j y), with m_j = max_margin · (n_min / n_j)^(1/4), n_min the smallest count above 0. From the share `defer` of the
    training on, cells weigh (1 − β) / (1 − β^n), normalised to mean 1 over the labels. The paper's s = 30 goes with cosine
    logits, which ours are not: search it downwards. The model's probability is σ(s z), so scores are multiplied by s afterwards,
    which moves no decision at one half.
    """

    name: ClassVar[str] = "ldam"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Cao, Wei, Gaidon, Arechiga & Ma 2019, Learning imbalanced datasets with label-distribution-aware "
        "margin loss, NeurIPS"
    )
    off: ClassVar[Mapping[str, Any]] = {"max_margin": 0.0, "scale": 1.0, "defer": 1.0}

    max_margin: float = tunable(0.5, low=0.0, high=2.0)
    scale: float = tunable(30.0, low=1.0, high=30.0, log=True)
    defer: float = tunable(0.8, low=0.5, high=1.0)
    beta: float = tunable(0.9999, low=0.9, high=0.9999)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        z, y = wide(logits), wide(targets)
        margin = self.max_margin * relative_margins(ctx.n_pos)
        weight = effective_weights(ctx.n_pos, self.beta)
        late = 1.0 * (ctx.progress >= self.defer)
        drawn = 1 + late * (weight / weight.mean(-1, keepdim=True) - 1)
        return drawn * bce(self.scale * (z - margin * y), y)

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        return Scaled(float(self.scale))


@dataclass(frozen=True)
class Scaled:
    """z ↦ factor · z, in the type of z."""

    factor: float

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        return logits * self.factor


def relative_margins(n_pos: Tensor) -> Tensor:
    """(n_min / n)^(1/4) of each label, (L,), 1 for the rarest that occurs; two square roots, which round the same everywhere."""
    import torch

    seen = torch.where(n_pos > 0, n_pos, n_pos.amax(-1, keepdim=True).clamp(min=1.0))
    return (seen.amin(-1, keepdim=True) / seen).sqrt().sqrt()
