"""τ-normalisation: the weights of a trained last layer, made more equal in length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equipoise.contracts.equality import Equality, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Head, Strategy
from equipoise.strategies.sampling import KANG

if TYPE_CHECKING:
    from equipoise.contracts.backbone import Backbone

#: Why average precision and AUROC are those of `none`. Tuned decisions are not: each fold's network has factors of its own.
KEPT = "a positive factor for a label's scores keeps the order of the rows"


@dataclass(frozen=True)
class TauNormalisation(Strategy):
    """τ-normalisation: divide each label's weights in the last layer by their length to the power τ; nothing is fitted.

    The weights of a frequent label tend to be longer. z_j ↦ b_j + (z_j − b_j) · (m / ‖w_j‖)^τ, where m is the geometric mean of
    the lengths of all labels. With τ = 1 all are equally long. The scores of a label are mapped by an increasing function, so
    its average precision and AUROC are those of `none`, and decisions at its tuned threshold differ only as far as the networks
    of the inner folds do: what changes are decisions at ½, probabilities, and the order of the labels within a row.

    Variant: the paper has exclusive classes and drops the bias. A sigmoid needs the bias, which holds the label's prior, so it
    is kept; and a common factor, which decides nothing among exclusive classes, would pull all probabilities to those of the
    biases, so lengths are compared with their mean.
    """

    name: ClassVar[str] = "tau_norm"
    tuned_on: ClassVar[str] = "macro_f1"  # at ½: tuned thresholds would undo it
    reference: ClassVar[str] = KANG
    off: ClassVar[Mapping[str, Any]] = {"tau": 0.0}

    tau: float = tunable(1.0, low=0.0, high=2.0)  # 0: as trained

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        return same("none", KEPT, ["map"])

    def head(
        self, representation: np.ndarray, Y: np.ndarray, weight: np.ndarray, bias: np.ndarray, ctx: Context
    ) -> Head:
        lengths = np.linalg.norm(weight.astype(np.float64), axis=0)
        # Weights of zeros stay as they are.
        present = lengths > 0
        logs = np.log(np.where(present, lengths, 1.0))
        mean = logs.sum() / max(int(present.sum()), 1)
        return Scaled(np.where(present, np.exp(self.tau * (mean - logs)), 1.0), bias.astype(np.float64))


@dataclass(frozen=True, eq=False)
class Scaled:
    """The map z ↦ b + factor · (z − b) for each label, with factor and b (L,); the result has the dtype of z."""

    factor: np.ndarray
    bias: np.ndarray

    def __call__(self, representation: np.ndarray, logits: np.ndarray) -> np.ndarray:
        # As a change of z: a factor of 1 leaves its bits as they are.
        return (logits + (self.factor - 1.0) * (logits - self.bias)).astype(logits.dtype)
