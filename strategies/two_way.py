"""Two-way loss: ranks positives above negatives within each row and within each label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy
from equipoise.strategies._shared import wide

if TYPE_CHECKING:
    from torch import Tensor

#: Subtracted from logits that a log-sum-exp must ignore. Not infinite: the gradient of a sum over nothing would be NaN.
EXCLUDED = 1e5


@dataclass(frozen=True)
class TwoWay(Strategy):
    """Two-way loss: pushes positives above negatives, both among the labels of a row and among the rows of a label.

    softplus(T_n · LSE₋(z / T_n) + T_p · LSE₊(−z / T_p)), a soft margin between the highest negative and the lowest positive:
    LSE₋ and LSE₊ are the log-sum-exp over negatives and positives. It is taken over the labels of each row and over the rows of
    each label in the batch, and averaged over the rows (labels) that have a positive; without a negative the term is 0. The
    value of cell (i, j) is row i's share plus label j's, so that the mean over the batch is the published loss. Only ranking is
    learned, so ½ is not a natural threshold; compare this loss at tuned thresholds.
    """

    name: ClassVar[str] = "two_way"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    reference: ClassVar[str] = (
        "Kobayashi 2023, Two-way multi-label loss, CVPR, DOI 10.1109/CVPR52729.2023.00722"
    )

    t_pos: float = tunable(4.0, low=0.5, high=8.0, above=0)
    t_neg: float = tunable(1.0, low=0.5, high=8.0, above=0)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        z, y = wide(logits), wide(targets)
        return self._terms(z, y, -1) + self._terms(z, y, -2)

    def _terms(self, z: Tensor, y: Tensor, dim: int) -> Tensor:
        """The term of each row (dim −1) or label (dim −2) in all its cells, (B, L), weighted so that their mean is the loss."""
        import torch.nn.functional as F

        highest_negative = self.t_neg * soft_max(z, 1 - y, self.t_neg, dim)
        lowest_positive = self.t_pos * soft_max(-z, y, self.t_pos, dim)
        has_positive = (y.sum(dim, keepdim=True) > 0).to(z.dtype)
        has_both = has_positive * ((1 - y).sum(dim, keepdim=True) > 0).to(z.dtype)
        # The average runs over the rows (labels) with a positive only, while the engine averages over all cells.
        weight = has_positive / has_positive.mean().clamp(min=1e-9)
        # softplus of a very negative number is 0: so rows without both values cost nothing, with a finite gradient.
        return weight * F.softplus(
            has_both * (highest_negative + lowest_positive) - (1 - has_both) * EXCLUDED
        )


def soft_max(z: Tensor, mask: Tensor, temperature: Any, dim: int) -> Tensor:
    """Log-sum-exp of z / temperature along `dim` over the cells where `mask` is 1, repeated along `dim`: (B, L)."""
    scaled = (z * mask) / temperature - (1 - mask) * EXCLUDED
    top = scaled.detach().amax(dim, keepdim=True)
    total = (scaled - top).exp().sum(dim, keepdim=True)
    # Repeated before the logarithm: the last bits of a logarithm depend on where in memory a short array ends.
    return total.expand_as(z).contiguous().log() + top
