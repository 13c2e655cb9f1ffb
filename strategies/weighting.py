"""Cross-entropy weighted by label frequency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PosWeight(Strategy):
    """Binary cross-entropy that weights up the positives of each label by how rare they are.

    A positive weighs ((N − n) / n)^power and a negative 1: PyTorch's `pos_weight`, with n positives in the N rows trained on.
    After a resampler, or with sampling weights, only the imbalance that they leave is made up for.
    """

    name: ClassVar[str] = "pos_weight"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = "PyTorch documentation, torch.nn.BCEWithLogitsLoss"
    off: ClassVar[Mapping[str, Any]] = {"power": 0.0}

    power: float = tunable(
        1.0, low=0.0, high=1.5, at_least=0
    )  # 0: plain cross-entropy; 1: both classes weigh the same

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        # A label without positives has nothing to weigh; the clamp only avoids a division by zero.
        n_pos = ctx.trained_pos.clamp(min=1.0)
        weight = ((ctx.trained_rows - n_pos) / n_pos) ** self.power
        return (1.0 + (weight - 1.0) * targets) * bce(logits, targets)


@dataclass(frozen=True)
class InverseFrequency(Strategy):
    """Binary cross-entropy in which rare labels weigh more than frequent ones, by inverse frequency.

    All cells of a label, positives and negatives alike, weigh (mean(n) / n)^power, where n is its number of positives in the rows
    trained on; a label without positives weighs 0. Unlike `pos_weight` it does not favour positives over negatives.

    Variant: this is a common heuristic without a single source, normalised by the mean count.
    """

    name: ClassVar[str] = "inverse_frequency"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = "the inverse class frequency heuristic, which has no single source"
    off: ClassVar[Mapping[str, Any]] = {"power": 0.0}

    power: float = tunable(1.0, low=0.0, high=1.5, at_least=0)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return inverse_frequency(ctx.trained_pos) ** self.power * bce(logits, targets)


@dataclass(frozen=True)
class InverseFrequencySoftmax(Strategy):
    """Softmax cross-entropy over labels with inverse-frequency class weights, as PyTorch's `CrossEntropyLoss(weight=…)`.

    −Σ_j w_j y_j log softmax(z)_j with multi-hot targets y and w_j = (mean(n) / n_j)^power; a label without positives weighs 0.
    Softmax divides one unit of probability among the labels, so scores become the log-odds of a label's share before any
    threshold is applied. It is offered because it is often used on multilabel data, although its classes exclude each other.
    """

    name: ClassVar[str] = "inverse_frequency_softmax"
    vectorized: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"labels"})
    reference: ClassVar[str] = "PyTorch documentation, torch.nn.CrossEntropyLoss"

    power: float = tunable(1.0, low=0.0, high=1.5, at_least=0)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        weight = inverse_frequency(ctx.trained_pos) ** self.power
        return -weight * targets * logits.log_softmax(-1)

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        return share_log_odds


def inverse_frequency(n_pos: Any) -> Any:
    """Weights mean(n) / n of each label, (L,); 0 where n = 0, since a huge weight would only push that label's scores down."""
    weight = n_pos.mean(-1, keepdim=True) / n_pos.clamp(min=1.0)
    return weight * (n_pos > 0)


def share_log_odds(logits: np.ndarray) -> np.ndarray:
    """Log-odds log(p / (1 − p)) of the softmax shares p of logits (n, L), clipped to ±30."""
    z = logits.astype(np.float64)
    # z_j − log Σ_{k≠j} e^{z_k}: exact where 1 − p would round to 0.
    out = np.empty_like(z)
    for j in range(z.shape[1]):
        out[:, j] = z[:, j] - scipy.special.logsumexp(np.delete(z, j, axis=1), axis=1)
    return np.clip(out, -30.0, 30.0).astype(np.float32)
