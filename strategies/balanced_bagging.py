"""Balanced bagging in the manner of EasyEnsemble: undersampling without throwing rows away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import Task


@dataclass(frozen=True)
class BalancedBagging(Strategy):
    """m networks a label, each on all rows of the label's rarer value and `ratio` times as many others; log-odds averaged.

    EasyEnsemble under binary relevance, with the backbone in the place of AdaBoost: each label is balanced by itself, since
    no choice of rows balances all labels at once. A label with one value only learns from all rows.
    """

    name: ClassVar[str] = "balanced_bagging"
    reference: ClassVar[str] = "Liu, Wu & Zhou 2009, DOI 10.1109/TSMCB.2008.2007853"

    m: int = 4
    ratio: float = tunable(1.0, low=1.0, high=8.0)

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        return [
            Task((label,), rows=balanced_rows(Y[:, label], self.ratio, ctx.rng))
            for _ in range(self.m)
            for label in range(Y.shape[1])
        ]


def balanced_rows(y: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Sorted positions of all rows of the rarer value of y (n,), and of `ratio` times as many others, without repeats."""
    positive, negative = np.flatnonzero(y), np.flatnonzero(y == 0)
    rare, common = sorted((positive, negative), key=len)
    if len(rare) == 0:
        return common
    size = min(len(common), round(ratio * len(rare)))
    return np.sort(np.concatenate([rare, rng.permutation(common)[:size]]))
