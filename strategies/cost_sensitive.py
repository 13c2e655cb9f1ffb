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
    """Weighted cross-entropy in which a label's positives and negatives weigh the same in total.

    A positive costs (N / 2n)^power and a negative (N / 2(N − n))^power, with n positives in the N rows trained on:
    scikit-learn's `class_weight="balanced"` for each label. Unlike with `pos_weight`, every label keeps the total weight N (for
    power 1, N / 2 on its positives and N / 2 on its negatives), so that rare labels do not outweigh the others.
    """

    name: ClassVar[str] = "cost_sensitive"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "King & Zeng 2001, Logistic regression in rare events data, Political Analysis, DOI "
        "10.1093/oxfordjournals.pan.a004868; scikit-learn documentation, class_weight"
    )
    off: ClassVar[Mapping[str, Any]] = {"power": 0.0}

    power: float = tunable(1.0, low=0.0, high=1.5, at_least=0)  # 0: plain cross-entropy; 1: full balance

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        import torch

        n, rows = ctx.trained_pos, ctx.trained_rows
        positive, negative = (self._cost(count, rows) for count in (n, rows - n))
        return torch.where(targets > 0, positive, negative) * bce(logits, targets)

    def _cost(self, count: Tensor, n_rows: Tensor) -> Tensor:
        """(N / 2n)^power of each label for a class with n rows."""
        # A class without rows is counted as one row to avoid a division by zero; its cost is never used.
        return per_label(lambda n: (n_rows / (2 * n)) ** self.power, count.clamp(min=1.0))
