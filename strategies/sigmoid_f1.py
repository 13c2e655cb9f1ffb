"""sigmoidF1: a differentiable F1 as the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy
from equipoise.strategies._shared import wide

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SigmoidF1(Strategy):
    """sigmoidF1: minimises 1 − F1 of each label over the batch, with predictions softened by a sigmoid.

    F1 = 2tp / (2tp + fn + fp) with tp = Σ p y, fp = Σ p (1 − y), fn = Σ (1 − p) y over the rows of the batch, and
    p = 1 / (1 + e^(−β (z + η))). A label without positives in the batch has loss 1 and gradient 0, so rare labels learn from
    few batches. The scale of the loss does not depend on the batch size, but its noise does.

    Variant: with the defaults β = 1 and η = 0 it is the widely used soft macro-F1 loss; `double=true` averages it with the
    soft F1 of the negatives (the "double soft F1").
    """

    name: ClassVar[str] = "sigmoid_f1"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Bénédict, Koops, Odijk & de Rijke 2022, sigmoidF1: a smooth F1 score surrogate loss for multilabel "
        "classification, TMLR, arXiv:2108.10566"
    )

    beta: float = tunable(1.0, low=0.5, high=30.0, log=True, above=0)
    eta: float = tunable(0.0, low=-2.0, high=2.0)
    double: bool = False

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        z, y = self.beta * (wide(logits) + self.eta), wide(targets)
        loss = 1 - soft_f1(z.sigmoid(), y)
        if self.double:
            loss = (loss + 1 - soft_f1((-z).sigmoid(), 1 - y)) / 2
        # A value per cell, so that the mean over the batch is the mean over labels.
        return loss.unsqueeze(-2).expand_as(z)


def soft_f1(p: Tensor, y: Tensor) -> Tensor:
    """Soft F1 of each label, 2 Σ p y / (Σ p + Σ y) over the rows, (L,); 0 for a label neither present nor predicted."""
    # 2tp + fn + fp = Σ p + Σ y.
    hits, size = (p * y).sum(-2), (p + y).sum(-2)
    return 2 * hits / size.clamp(min=1e-12)
