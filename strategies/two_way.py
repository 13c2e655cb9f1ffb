"""Two-way loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy
from equipoise.strategies._shared import wide

if TYPE_CHECKING:
    from torch import Tensor

#: Taken off logits that a sum leaves out; finite, since the gradient of a sum over nothing is not.
OUT = 1e5


@dataclass(frozen=True)
class TwoWay(Strategy):
    """Positives above negatives, by a soft margin between the lowest positive and highest negative, per row and per label.

    softplus(T_n · LSE₋(z / T_n) + T_p · LSE₊(−z / T_p)) over the labels of a row, plus the same over the rows of a label in the
    batch; LSE is log-sum-exp over negatives (positives). Averaged over the rows (labels) that have a positive; where there is
    no negative the term is 0. The value in cell (i, j) is row i's share plus label j's, so that the mean over the batch is the
    published loss. It ranks: its scores have no natural threshold, so compare it at tuned ones.
    """

    name: ClassVar[str] = "two_way"
    reference: ClassVar[str] = "Kobayashi 2023, Two-way multi-label loss, CVPR"

    t_pos: float = tunable(4.0, low=0.5, high=8.0)
    t_neg: float = tunable(1.0, low=0.5, high=8.0)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        z, y = wide(logits), wide(targets)
        return self._terms(z, y, -1) + self._terms(z, y, -2)

    def _terms(self, z: Tensor, y: Tensor, dim: int) -> Tensor:
        """(B, L): each row's term (dim −1) or label's (dim −2) in all its cells, weighted so that their mean is the loss."""
        import torch.nn.functional as F

        highest = self.t_neg * soft_max(z, 1 - y, self.t_neg, dim)
        lowest = self.t_pos * soft_max(-z, y, self.t_pos, dim)
        some = (y.sum(dim, keepdim=True) > 0).to(z.dtype)
        both = some * ((1 - y).sum(dim, keepdim=True) > 0).to(z.dtype)
        weight = some / some.mean().clamp(min=1e-9)
        return weight * F.softplus(both * (highest + lowest) - (1 - both) * OUT)


def soft_max(z: Tensor, kept: Tensor, temperature: Any, dim: int) -> Tensor:
    """log Σ e^(z / temperature) over the cells along `dim` that are kept, repeated along it: (B, L).

    Repeated before the logarithm is taken, since its last bits depend on where in memory a short row of numbers ends.
    """
    scaled = (z * kept) / temperature - (1 - kept) * OUT
    top = scaled.detach().amax(dim, keepdim=True)
    total = (scaled - top).exp().sum(dim, keepdim=True)
    return total.expand_as(z).contiguous().log() + top
