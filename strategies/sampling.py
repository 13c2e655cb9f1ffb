"""Which rows a batch is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equipoise.hyperparameters import tunable
from equipoise.strategy import Context, Strategy


@dataclass(frozen=True)
class BalancedSampling(Strategy):
    """Draw a label uniformly, then one of its rows; `mix` of the draws, the others uniform over rows.

    As row weights: mix · mean over labels of Y_ij / n_j + (1 − mix) / n. With mix 1 a row without labels is never drawn.
    """

    name: ClassVar[str] = "balanced_sampling"
    reference: ClassVar[str] = (
        "class-aware sampling: Shen, Lin & Huang 2016, DOI 10.1007/978-3-319-46478-7_29"
    )
    off: ClassVar[Mapping[str, Any]] = {"mix": 0.0}

    mix: float = tunable(1.0, low=0.0, high=1.0)

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        uniform = np.full(len(Y), 1.0 / len(Y))
        counts = Y.sum(0)
        seen = counts > 0
        if not seen.any():
            return uniform
        balanced = (Y[:, seen] / counts[seen]).sum(1) / seen.sum()
        return self.mix * balanced + (1.0 - self.mix) * uniform
