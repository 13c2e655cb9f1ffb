"""Propensity-weighted cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.strategies._shared import per_label

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Propensity(Strategy):
    """Cross-entropy that weights a positive by one over the probability that such a label was recorded at all.

    The estimated propensity of a label with n positives in N rows is 1 / (1 + C (n + B)^−A) with C = (log N − 1) (B + 1)^A:
    rare labels are assumed to be missing more often. Positives weigh 1 + C (n + B)^−A, from log N for a label with one positive
    down to 1, and negatives 1. n and N count the rows before resampling: what was recorded is a matter of the data.

    Variant: only the positive term is weighted, and negatives are not corrected for the missing labels among them; so the loss
    stays convex in the logits. A and B are the paper's values for data sets without a measured propensity.
    """

    name: ClassVar[str] = "propensity"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Jain, Prabhu & Varma 2016, Extreme multi-label loss functions for recommendation, tagging, ranking and other missing "
        "label applications, KDD, DOI 10.1145/2939672.2939756"
    )

    a: float = tunable(0.55, low=0.1, high=1.0, at_least=0)  # how fast the propensity grows with n
    b: float = tunable(1.5, low=0.1, high=10.0, log=True, above=0)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        weight = inverse_propensity(ctx.n_pos, ctx.n_rows, self.a, self.b)
        return (1.0 + (weight - 1.0) * targets) * bce(logits, targets)


def inverse_propensity(n_pos: Tensor, n_rows: Any, a: Any, b: Any) -> Tensor:
    """1 + (log N − 1) ((B + 1) / (n + B))^A of each label, (L,); at least 1, also for fewer than three rows."""

    def weight(n: Tensor) -> Tensor:
        # Adding 0 · n gives the scalars, which may be tensors with one value per lane, the shape of the block.
        excess = ((n_rows + 0 * n).log() - 1.0).clamp(min=0.0)
        return 1.0 + excess * (a * ((b + 1.0) / (n + b)).log()).exp()

    return per_label(weight, n_pos)
