"""Logit adjustment: prior log-odds added while training, or taken off afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.strategies._shared import log_odds

if TYPE_CHECKING:
    from torch import Tensor

MENON = "Menon, Jayasumana, Rawat, Jain, Veit & Kumar 2021, Long-tail learning via logit adjustment, ICLR, arXiv:2007.07314"


@dataclass(frozen=True)
class LogitAdjustedLoss(Strategy):
    """Train on z + τ logit(π): what is learnt, and predicted with, is the part of the score that the prior doesn't explain.

    The paper adds τ log π to the logits of exclusive classes; this is its binary form, label by label, with the log-odds of
    the label's prior π = n / N in the training rows (n kept within ½ .. N − ½). With τ = 1, z > 0 is the Bayes decision under
    balanced error.
    """

    name: ClassVar[str] = "logit_adjusted_loss"
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = MENON
    off: ClassVar[Mapping[str, Any]] = {"tau": 0.0}

    tau: float = tunable(1.0, low=0.0, high=2.0)

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        adjusted = logits + self.tau * log_odds(ctx.n_pos, ctx.n_rows)
        return bce(adjusted, targets.to(adjusted.dtype))


@dataclass(frozen=True)
class LogitAdjustment(Strategy):
    """Take τ logit(π) off the scores of a model that was trained as usual; nothing is fitted.

    The binary form of the paper's post-hoc rule, label by label, π = n / N of the training rows (n kept within ½ .. N − ½).
    For a label it moves all scores alike: the order of its rows, and any decision at a tuned threshold of its own, stay; the
    order of labels within a row changes.
    """

    name: ClassVar[str] = "logit_adjustment"
    tuned_on: ClassVar[str] = "macro_f1"  # log-loss would choose no adjustment at all
    reference: ClassVar[str] = MENON
    off: ClassVar[Mapping[str, Any]] = {"tau": 0.0}

    tau: float = tunable(1.0, low=0.0, high=2.0)

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        n = np.clip(ctx.n_pos, 0.5, ctx.n_rows - 0.5)
        return Shifted(self.tau * np.log(n / (ctx.n_rows - n)))


@dataclass(frozen=True, eq=False)
class Shifted:
    """z ↦ z − shift (L,), in the type of z."""

    shift: np.ndarray

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        return (logits - self.shift).astype(logits.dtype)
