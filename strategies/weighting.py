"""Losses weighted by label frequency."""

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
    """Binary cross-entropy whose positives weigh w = ((N − n) / n)^power, PyTorch's `pos_weight`.

    A label without positives keeps weight (N − 1)^power, which never acts: it has none to weigh.
    """

    name: ClassVar[str] = "pos_weight"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = "PyTorch documentation, torch.nn.BCEWithLogitsLoss"
    off: ClassVar[Mapping[str, Any]] = {"power": 0.0}

    power: float = tunable(1.0, low=0.0, high=1.5)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        n_pos = ctx.n_pos.clamp(min=1.0)
        weight = ((ctx.n_rows - n_pos) / n_pos) ** self.power
        return (1.0 + (weight - 1.0) * targets) * bce(logits, targets)


@dataclass(frozen=True)
class InverseFrequency(Strategy):
    """Binary cross-entropy of each label times (mean(n) / n)^power, on positives and negatives; 0 for a label with none.

    Unlike `pos_weight` it does not favour positives over negatives: it says how much a label counts.
    """

    name: ClassVar[str] = "inverse_frequency"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "the inverse class frequency heuristic, e.g. King & Zeng 2001, DOI 10.1093/oxfordjournals.pan.a004868"
    )
    off: ClassVar[Mapping[str, Any]] = {"power": 0.0}

    power: float = tunable(1.0, low=0.0, high=1.5)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return inverse_frequency(ctx.n_pos) ** self.power * bce(logits, targets)


@dataclass(frozen=True)
class InverseFrequencySoftmax(Strategy):
    """Softmax cross-entropy over labels: multi-hot targets, class weights (mean(n) / n)^power, 0 for a label with none.

    The form the question was first asked with (`CrossEntropyLoss(weight=…)`). Softmax shares one unit of probability among
    the labels, so its scores are turned into the log-odds of that share before any threshold.
    """

    name: ClassVar[str] = "inverse_frequency_softmax"
    vectorized: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"labels"})
    reference: ClassVar[str] = "PyTorch documentation, torch.nn.CrossEntropyLoss"

    power: float = tunable(1.0, low=0.0, high=1.5)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        weight = inverse_frequency(ctx.n_pos) ** self.power
        return -weight * targets * logits.log_softmax(-1)

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        return share_log_odds


def inverse_frequency(n_pos: Any) -> Any:
    """mean(n) / n for each label, 0 where n = 0; a tensor (L,)."""
    weight = n_pos.mean(-1, keepdim=True) / n_pos.clamp(min=1.0)
    return weight * (n_pos > 0)


def share_log_odds(logits: np.ndarray) -> np.ndarray:
    """log(p / (1 − p)) of the softmax shares p of logits (n, L): z_j − log Σ_{k≠j} e^{z_k}; within ±30."""
    z = logits.astype(np.float64)
    out = np.empty_like(z)
    for j in range(z.shape[1]):
        out[:, j] = z[:, j] - scipy.special.logsumexp(np.delete(z, j, axis=1), axis=1)
    return np.clip(out, -30.0, 30.0).astype(np.float32)
