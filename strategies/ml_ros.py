"""ML-ROS: multilabel random oversampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equipoise.hyperparameters import tunable
from equipoise.measures import irlbl, mean_ir
from equipoise.strategy import Context, Strategy
from equipoise.training_rows import Rows


@dataclass(frozen=True)
class MLROS(Strategy):
    """Clone rows of labels whose imbalance ratio exceeds the mean, in turn, until p · rows have been added.

    This variant: MeanIR is taken once, on the rows as they are, over labels with a positive; the bags hold original rows
    only; after each clone the label's ratio is taken anew from the counts of the grown set (the largest count too), and a
    bag whose ratio no longer exceeds MeanIR leaves; the budget is exact (a pass is cut short); labels without positives
    have no bag.
    """

    name: ClassVar[str] = "ml_ros"
    reference: ClassVar[str] = "Charte, Rivera, del Jesus & Herrera 2015, DOI 10.1016/j.neucom.2014.08.091"
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.25, low=0.0, high=1.0)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        return rows.repeat(clones(rows.Y, int(len(rows) * self.p), ctx.rng))


def clones(Y: np.ndarray, budget: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of the rows of Y (n, L) to clone, at most `budget`, repeats allowed."""
    counts = Y.sum(0, dtype=np.int64)
    if budget <= 0 or not counts.any():
        return np.empty(0, dtype=np.int64)
    limit = mean_ir(Y)
    ratio = irlbl(Y)
    minority = np.flatnonzero(np.isfinite(ratio) & (ratio > limit))
    bags = [(label, np.flatnonzero(Y[:, label])) for label in minority]
    draws = iter(rng.random(budget))
    wide = Y.astype(np.int64)
    out: list[int] = []
    while bags and len(out) < budget:
        staying = []
        for label, bag in bags:
            u = next(draws, None)
            if u is None:
                break
            row = bag[int(u * len(bag))]
            out.append(row)
            counts += wide[row]
            if counts.max() / counts[label] > limit:
                staying.append((label, bag))
        bags = staying
    return np.array(out, dtype=np.int64)
