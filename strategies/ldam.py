"""LDAM: label-distribution-aware margins, with deferred re-weighting (DRW)."""

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
    """LDAM: cross-entropy that demands a larger margin from the positives of rarer labels, re-weighted late in training.

    Each label is a cross-entropy on s (z − m_j y) with the margin m_j = max_margin · (n_min / n_j)^(1/4), where n_min is the
    smallest count above 0. After a fraction `defer` of training, label j gets weight (1 − β) / (1 − β^n_j), normalised to mean 1
    over the labels. Margins count the rows before resampling, since copies of a row tell nothing new about a label (the
    authors' program, too, keeps them when it resamples); weights count the rows trained on.

    Variant: the paper is about softmax over exclusive classes; this is its binary form, label by label. The paper's s = 30
    belongs to cosine logits, which lie between −1 and 1. These do not, so the default is s = 1: at 30 a margin of .5 would be 15
    units of log-odds. The model's probability is σ(s z): scores are multiplied by s after training, which changes no decision
    at ½.
    """

    name: ClassVar[str] = "ldam"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Cao, Wei, Gaidon, Arechiga & Ma 2019, Learning imbalanced datasets with label-distribution-aware "
        "margin loss, NeurIPS, arXiv:1906.07413"
    )
    off: ClassVar[Mapping[str, Any]] = {"max_margin": 0.0, "scale": 1.0, "defer": 1.0}

    max_margin: float = tunable(0.5, low=0.0, high=2.0, at_least=0)
    scale: float = tunable(1.0, low=0.5, high=30.0, log=True, above=0)
    defer: float = tunable(0.8, low=0.5, high=1.0, at_least=0, at_most=1)
    one_minus_beta: float = tunable(1e-4, low=1e-5, high=0.5, log=True, above=0, at_most=1)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        z, y = wide(logits), wide(targets)
        margin = self.max_margin * relative_margins(ctx.n_pos)
        weight = effective_weights(ctx.trained_pos, self.one_minus_beta)
        # Arithmetic instead of an `if`: progress and `defer` may be tensors with one value per lane.
        late = 1.0 * (ctx.progress >= self.defer)
        deferred_weight = 1 + late * (weight / weight.mean(-1, keepdim=True) - 1)
        return deferred_weight * bce(self.scale * (z - margin * y), y)

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        return Scaled(float(self.scale))


@dataclass(frozen=True)
class Scaled:
    """The map z ↦ factor · z; the result has the dtype of z."""

    factor: float

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        return logits * self.factor


def relative_margins(n_pos: Tensor) -> Tensor:
    """(n_min / n)^(1/4) of each label, (L,): 1 for the rarest label that has positives."""
    import torch

    # A label without positives must not become the minimum; its own margin is never used.
    counts = torch.where(n_pos > 0, n_pos, n_pos.amax(-1, keepdim=True).clamp(min=1.0))
    # Two square roots instead of a power: IEEE 754 rounds a square root correctly, so its bits never vary.
    return (counts.amin(-1, keepdim=True) / counts).sqrt().sqrt()
