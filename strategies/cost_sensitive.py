"""Cost-sensitive cross-entropy: both classes of every label count the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.strategies._shared import per_label

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class CostSensitive(Strategy):
    """Cross-entropy with costs (N / 2n)^power for positives and (N / 2(N − n))^power for negatives: a label's classes balance.

    scikit-learn's `class_weight="balanced"` for each label. Unlike `pos_weight`, every label keeps the total weight N: with
    power 1 its positives weigh N / 2 and its negatives N / 2, so a rare label doesn't outweigh the others. A class that never
    occurs counts as one row, and never acts.
    """

    name: ClassVar[str] = "cost_sensitive"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "King & Zeng 2001, DOI 10.1093/oxfordjournals.pan.a004868; scikit-learn documentation, class_weight"
    )
    off: ClassVar[Mapping[str, Any]] = {"power": 0.0}

    power: float = tunable(1.0, low=0.0, high=1.5)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        import torch

        positive, negative = (self._cost(n, ctx.n_rows) for n in (ctx.n_pos, ctx.n_rows - ctx.n_pos))
        return torch.where(targets > 0, positive, negative) * bce(logits, targets)

    def _cost(self, count: Tensor, n_rows: Tensor) -> Tensor:
        return per_label(lambda n: (n_rows / (2 * n)) ** self.power, count.clamp(min=1.0))
