"""Which rows a batch is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy

KANG = (
    "Kang, Xie, Rohrbach, Yan, Gordo, Feng & Kalantidis 2020, Decoupling representation and classifier for "
    "long-tailed recognition, ICLR, arXiv:1910.09217"
)


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
        return self.mix * by_label(Y, 0.0) + (1.0 - self.mix) * uniform(Y)


@dataclass(frozen=True)
class SqrtSampling(Strategy):
    """Draw a label with probability ∝ n^power, then one of its rows; `mix` of the draws, the others uniform over rows.

    power ½ is square-root sampling, half-way to `balanced_sampling` (power 0). The paper's power 1 draws each row alike where
    classes exclude each other; with many labels it draws a row in proportion to how many it has, hence `mix` for switching
    it off. With mix 1 a row without labels is never drawn.
    """

    name: ClassVar[str] = "sqrt_sampling"
    reference: ClassVar[str] = KANG
    off: ClassVar[Mapping[str, Any]] = {"mix": 0.0}

    power: float = tunable(0.5, low=0.0, high=1.0)
    mix: float = tunable(1.0, low=0.0, high=1.0)

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        return self.mix * by_label(Y, self.power) + (1.0 - self.mix) * uniform(Y)


@dataclass(frozen=True)
class ProgressiveSampling(Strategy):
    """Rows drawn alike at first, moving evenly to a label drawn uniformly and one of its rows at the end of the training.

    At progress t: (1 − t · end) / n + t · end · mean over labels of Y_ij / n_j. The paper moves once an epoch, this at each draw.
    The end is that of the steps planned: a training stopped early has not come all the way.
    """

    name: ClassVar[str] = "progressive_sampling"
    reference: ClassVar[str] = KANG
    off: ClassVar[Mapping[str, Any]] = {"end": 0.0}

    end: float = tunable(1.0, low=0.0, high=1.0)

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        rows = uniform(Y)
        return np.stack([rows, self.end * by_label(Y, 0.0) + (1.0 - self.end) * rows])


def uniform(Y: np.ndarray) -> np.ndarray:
    """1 / n for each of the n rows of Y."""
    return np.full(len(Y), 1.0 / len(Y))


def by_label(Y: np.ndarray, power: float) -> np.ndarray:
    """(n,) probability of each row of Y (n, L) if a label is drawn ∝ n_j^power, then one of its rows; uniform without labels."""
    counts = Y.sum(0)
    seen = counts > 0
    if not seen.any():
        return uniform(Y)
    n = counts[seen].astype(np.float64)
    return np.asarray((Y[:, seen] * n ** (power - 1.0)).sum(1) / (n**power).sum())
