"""Balanced bagging, after EasyEnsemble: many undersampled networks, which together see all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.options import option
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import Task


@dataclass(frozen=True)
class BalancedBagging(Strategy):
    """Train m networks per label, each on a balanced sample of rows, and average their log-odds.

    A network's sample has all rows with the label's rarer value (0 or 1) and `ratio` times as many rows with the other value,
    drawn at random without replacement. This is EasyEnsemble applied to each label separately (binary relevance), with the
    backbone in place of AdaBoost. Labels are separate because no one set of rows balances all of them. A label that takes
    only one value is trained on all rows. The networks do not vote: EasyEnsemble, too, adds up the scores of all its members and
    thresholds the sum.
    """

    name: ClassVar[str] = "balanced_bagging"
    changes: ClassVar[frozenset[str]] = frozenset({"draws"})
    reference: ClassVar[str] = (
        "Liu, Wu & Zhou 2009, Exploratory undersampling for class-imbalance learning, IEEE TSMC B, DOI "
        "10.1109/TSMCB.2008.2007853"
    )

    m: int = option(4, at_least=1)  # networks per label: time against variance, so it is not searched
    ratio: float = tunable(
        1.0, low=1.0, high=8.0, above=0
    )  # rows of the common value per row of the rare one

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        return [
            Task((label,), rows=balanced_rows(Y[:, label], self.ratio, ctx.rng))
            for _ in range(self.m)
            for label in range(Y.shape[1])
        ]


def balanced_rows(y: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Sorted positions of all rows with the rarer value of y (n,) and of `ratio` times as many others, without repeats."""
    positive, negative = np.flatnonzero(y), np.flatnonzero(y == 0)
    rare, common = sorted((positive, negative), key=len)
    if len(rare) == 0:
        return common  # there is nothing to balance
    size = min(len(common), round(ratio * len(rare)))
    return np.sort(np.concatenate([rare, rng.permutation(common)[:size]]))
