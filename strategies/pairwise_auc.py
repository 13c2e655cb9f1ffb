"""Pairwise AUC loss: a squared hinge on the gap between the positives and the negatives of a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PairwiseAUC(Strategy):
    """Pairwise AUC loss: each positive of a label should score at least a margin above each of its negatives.

    The mean of max(0, margin − (z₊ − z₋))² over all pairs of a positive and a negative row of the batch for every label; then
    the mean over the labels that have both in the batch. How many positives a label has does not matter, but a rare label is
    compared in few batches. Only ranking is learned, so ½ is not a natural threshold; compare this loss at tuned thresholds.

    Pairs are not enumerated: in the order of z₋ and z₊ − margin, a negative's sum over the positives below it is a quadratic
    in its score whose coefficients are running sums (Rust & Hocking), O(B log B) for B rows.
    """

    name: ClassVar[str] = "pairwise_auc"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "squared hinge: Gao & Zhou 2015, On the consistency of AUC pairwise optimization, IJCAI, arXiv:1208.0645; in "
        "O(B log B): Rust & Hocking 2023, A log-linear gradient descent algorithm for unbalanced binary classification using "
        "the all pairs squared hinge loss, arXiv:2302.11062"
    )

    margin: float = tunable(1.0, low=0.1, high=10.0, log=True, above=0)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        import torch

        # In double precision: the running sums of squares cancel.
        z, y = logits.double(), targets.double()
        kind = torch.float32 if logits.element_size() < 4 else logits.dtype
        pairs = y.sum(-2, keepdim=True) * (1 - y).sum(-2, keepdim=True)
        mean = hinge_sum(z - self.margin * y, y) / pairs.clamp(min=1.0)
        # The average runs over the labels with pairs only, while the engine averages over all of them.
        compared = (pairs > 0).double()
        weight = compared / compared.mean(-1, keepdim=True).clamp(min=1e-9)
        return (weight * mean).expand_as(z).to(kind)


def hinge_sum(v: Tensor, y: Tensor) -> Tensor:
    """Σ max(0, v₋ − v₊)² over the pairs of a positive and a negative row of each label, (…, 1, L), for v and 0/1 y (…, B, L)."""
    # Stable, so that tied rows keep their order; a tied pair adds 0 whichever comes first.
    order = v.detach().argsort(dim=-2, stable=True)
    v, y = v.gather(-2, order), y.gather(-2, order)
    count, total, squares = y.cumsum(-2), (y * v).cumsum(-2), (y * v * v).cumsum(-2)
    # Σ (v − v₊)² over the positives so far, as count · v² − 2 v Σ v₊ + Σ v₊².
    below = (count * v * v - 2 * v * total + squares).clamp(min=0.0)
    return ((1 - y) * below).sum(-2, keepdim=True)
