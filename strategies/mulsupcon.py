"""Supervised contrastive learning for several labels per row, beside cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce

if TYPE_CHECKING:
    from torch import Tensor

#: Added to squared lengths: a row of zeros, as ReLU may give, has no direction.
EPSILON = 1e-8


@dataclass(frozen=True)
class MulSupCon(Strategy):
    """MulSupCon: cross-entropy, plus a contrastive loss that draws rows with a common label together in representation space.

    Each label of each row (anchor i, label j) takes the other rows p of the batch with that label as positives:
    L_ij = −mean_p log[exp(h_i · h_p / T) / Σ_{a ≠ i} exp(h_i · h_a / T)], with h the inputs of the last layer at length 1. So a
    row that shares two labels with the anchor counts twice. The loss of a row is its cross-entropy, summed over labels, plus
    weight · the mean of L_ij over all labels of all rows that have a positive in the batch; all of it divided by the number of
    labels. A row that a batch draws twice is its own positive.

    Variant: the authors pretrain with the contrastive loss alone, on a projection head, with augmented inputs and a queue of
    rows encoded by a slowly moving copy of the network, and train the classifier afterwards. Here both losses are minimised at
    once, in one training as long as that of every other strategy, with the batch in the place of the queue, and no projection.
    Rare labels have few positives in a batch.
    """

    name: ClassVar[str] = "mulsupcon"
    vectorized: ClassVar[bool] = True
    sees_representation: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Zhang & Wu 2024, Multi-label supervised contrastive learning, AAAI, DOI 10.1609/aaai.v38i15.29619; single labels: "
        "Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu & Krishnan 2020, Supervised contrastive learning, "
        "NeurIPS, arXiv:2004.11362"
    )
    off: ClassVar[Mapping[str, Any]] = {"weight": 0.0}

    weight: float = tunable(0.1, low=0.0, high=1.0, at_least=0)
    temperature: float = tunable(0.1, low=0.05, high=1.0, log=True, above=0)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        own = bce(logits, targets)
        # Without a network, only the part that depends on the logits.
        if ctx.representation is None:
            return own
        contrast = contrastive(ctx.representation.float(), targets.float(), self.temperature)
        # The engine averages over labels, too; with many labels, a contrast that is not divided would drown the cross-entropy.
        return own + (self.weight / logits.shape[-1] * contrast).to(own.dtype)


def contrastive(h: Tensor, y: Tensor, temperature: Any) -> Tensor:
    """(…, B, 1) for representations h (…, B, H) and 0/1 labels y (…, B, L): the mean over the B rows is the loss of the batch."""
    import torch

    h = h / (h.square().sum(-1, keepdim=True) + EPSILON).sqrt()
    similarity = h @ h.transpose(-1, -2) / temperature
    itself = torch.eye(h.shape[-2], dtype=torch.bool, device=h.device)
    # A large negative number instead of −∞, whose gradient would be NaN.
    others = similarity.masked_fill(itself, -1e30).logsumexp(-1, keepdim=True)
    log_share = (similarity - others).masked_fill(itself, 0.0)
    # The positives of anchor i and label j are the rows with the label, without i.
    positives = y.sum(-2, keepdim=True) - 1.0
    pairs = y * (positives > 0)
    of_pair = -pairs * (log_share @ y) / positives.clamp(min=1.0)
    count = pairs.sum((-2, -1), keepdim=True).clamp(min=1.0)
    return of_pair.sum(-1, keepdim=True) * (h.shape[-2] / count)
