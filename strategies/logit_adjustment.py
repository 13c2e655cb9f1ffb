"""Logit adjustment: the label's prior log-odds are added in training, or subtracted after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equipoise.contracts.equality import Equality, counterpart, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.strategies._shared import log_odds

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.contracts.backbone import Backbone

MENON = "Menon, Jayasumana, Rawat, Jain, Veit & Kumar 2021, Long-tail learning via logit adjustment, ICLR, arXiv:2007.07314"


@dataclass(frozen=True)
class LogitAdjustedLoss(Strategy):
    """Logit-adjusted loss: train with the label's prior log-odds added to its logit, and predict without them.

    Cross-entropy on z + τ log(π / (1 − π)), where π = n / N is the label's share of positives in the rows trained on, as they are
    drawn (n clipped to ½ .. N − ½): the prior that the network would otherwise learn. It thus learns the part of the score that
    the prior does not explain. With τ = 1, z > 0 is the Bayes decision for the balanced error.

    Variant: the paper adds τ log π to the logits of exclusive classes; this is its binary form, label by label.
    """

    name: ClassVar[str] = "logit_adjusted_loss"
    changes: ClassVar[frozenset[str]] = frozenset({"prior"})
    vectorized: ClassVar[bool] = True
    reference: ClassVar[str] = MENON
    off: ClassVar[Mapping[str, Any]] = {"tau": 0.0}

    tau: float = tunable(1.0, low=0.0, high=2.0, at_least=0)  # share of the prior; 1 corrects fully for it

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        # The bias of a rare label would start at −(τ − 1) times its log-odds, which above 2 is out of the start's bounds.
        if not backbone.absorbs_shifts or self.tau > 2:
            return []
        shift = "the bias of the output takes up the prior, so that logits are those of none minus a constant"
        # Any τ gives the same tuned decisions; those at one half depend on it, and each of the two searches its own.
        post_hoc = counterpart(self, LogitAdjustment) if "tau" in self.fixed else None
        return [*same("none", shift, ["map", "tuned"]), *same(post_hoc, shift, ["map", "fixed", "tuned"])]

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        adjusted = logits + self.tau * log_odds(ctx.trained_pos, ctx.trained_rows)
        return bce(adjusted, targets.to(adjusted.dtype))


@dataclass(frozen=True)
class LogitAdjustment(Strategy):
    """Post-hoc logit adjustment: subtract τ times the label's prior log-odds from the logits of a model trained as usual.

    z ↦ z − τ log(π / (1 − π)) with π = n / N in the rows before resampling (n clipped to ½ .. N − ½); nothing is fitted. All
    scores of a label move by the same amount, so the ranking of rows for a label and any decision at its tuned threshold stay
    the same; the ranking of labels within a row changes.

    Variant: the binary form, label by label, of the paper's rule for exclusive classes.
    """

    name: ClassVar[str] = "logit_adjustment"
    changes: ClassVar[frozenset[str]] = frozenset({"shift"})
    tuned_on: ClassVar[str] = "macro_f1"  # log-loss would choose no adjustment at all
    reference: ClassVar[str] = MENON
    off: ClassVar[Mapping[str, Any]] = {"tau": 0.0}

    tau: float = tunable(1.0, low=0.0, high=2.0, at_least=0)

    @property
    def clashes(self) -> Mapping[str, str]:
        # Out-of-fold logits do not tell under which prior they were learned, so it takes that of the data.
        return dict.fromkeys(
            ("rows", "draws", "prior"),
            "corrects twice: it subtracts the prior of the data from scores, although that was changed by {other}",
        )

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        return same("none", "a constant subtracted from a label's logits keeps their order", ["map", "tuned"])

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        # Half a row away from 0 and N, as in training: the log-odds of a prior of 0 or 1 would be infinite.
        n = np.clip(ctx.n_pos, 0.5, ctx.n_rows - 0.5)
        return Shifted(self.tau * np.log(n / (ctx.n_rows - n)))


@dataclass(frozen=True, eq=False)
class Shifted:
    """The map z ↦ z − shift, with shift (L,); the result has the dtype of z."""

    shift: np.ndarray

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        return (logits - self.shift).astype(logits.dtype)
