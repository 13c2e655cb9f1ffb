"""Calibration: scores that can be read as probabilities, fitted on out-of-fold logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy

#: A slope stays above this, so that no order of rows is ever turned round or lost.
LEAST = 1e-3


@dataclass(frozen=True)
class Temperature(Strategy):
    """Divide all scores by one temperature, the one of least cross-entropy out of fold.

    No order and no decision at one half changes. `per_label=true` fits one for each label, drawn to the common one by
    `shrinkage` (in units of observations), so that a label with few positives keeps nearly the common temperature.
    """

    name: ClassVar[str] = "temperature"
    reference: ClassVar[str] = (
        "Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, ICML, arXiv:1706.04599"
    )

    shrinkage: float = tunable(1.0, low=0.01, high=100.0, log=True)
    per_label: bool = False

    @property
    def fixed(self) -> frozenset[str]:
        return super().fixed | _unused(self.per_label)

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        targets = Y.astype(np.float64)
        return fitted(logits, targets, self.shrinkage, bias=False, per_label=self.per_label)


@dataclass(frozen=True)
class Platt(Strategy):
    """σ(a z + b) for each label, fitted out of fold and drawn to the common a and b, so that rare labels don't blow up.

    Platt's targets, (n₊ + 1) / (n₊ + 2) for positives and 1 / (n₋ + 2) for negatives, and his maximum likelihood; added here:
    ½ · shrinkage · [(a_j − a)² + (b_j − b)²], a and b being those of all labels pooled, and a_j ≥ .001, since calibrating is
    not to reverse an order. `per_label=false` uses the common a and b for all.
    """

    name: ClassVar[str] = "platt"
    reference: ClassVar[str] = (
        "Platt 1999, Probabilistic outputs for support vector machines, Advances in Large Margin Classifiers, MIT Press"
    )

    shrinkage: float = tunable(1.0, low=0.01, high=100.0, log=True)
    per_label: bool = True

    @property
    def fixed(self) -> frozenset[str]:
        return super().fixed | _unused(self.per_label)

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        return fitted(logits, softened(Y), self.shrinkage, bias=True, per_label=self.per_label)


def _unused(per_label: bool) -> frozenset[str]:
    """What does nothing is not searched: one common line is not drawn to itself."""
    return frozenset() if per_label else frozenset({"shrinkage"})


@dataclass(frozen=True, eq=False)
class Line:
    """z ↦ a z + b, a and b scalars or (L,), in the type of z."""

    a: np.ndarray
    b: np.ndarray

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        return (logits * self.a + self.b).astype(logits.dtype)


def softened(Y: np.ndarray) -> np.ndarray:
    """Platt's targets for Y (n, L): a little away from 0 and 1, each label by its own counts."""
    positives = Y.sum(0, dtype=np.float64)
    high, low = (positives + 1) / (positives + 2), 1 / (len(Y) - positives + 2)
    return np.where(Y > 0, high, low)


def fitted(logits: np.ndarray, targets: np.ndarray, shrinkage: float, *, bias: bool, per_label: bool) -> Line:
    """The line of least cross-entropy between σ(a z + b) and targets (n, L), common to all labels or for each of them.

    Args:
        shrinkage: weight of the squared distance to the common line, for lines of their own.
        bias: fit b, too; else it is 0.
    """
    z = logits.astype(np.float64)
    pooled = _line(z.reshape(-1, 1), targets.reshape(-1, 1), np.ones((1, 1)), np.zeros((1, 1)), 1e-6, bias)
    if not per_label:
        return pooled
    a0, b0 = (np.repeat(v, z.shape[1], axis=1) for v in (pooled.a, pooled.b))
    return _line(z, targets, a0, b0, shrinkage, bias)


def _line(
    z: np.ndarray, targets: np.ndarray, a0: np.ndarray, b0: np.ndarray, shrinkage: float, bias: bool
) -> Line:
    """Lines of all labels at once by L-BFGS: the sum over labels of cross-entropy + ½ shrinkage · distance² to a0, b0.

    What is searched is the distance to a0, b0 in units of its standard error there, so that rare and frequent labels
    converge alike.
    """
    labels = z.shape[1]
    p = scipy.special.expit(z * a0 + b0)
    units = [1 / np.sqrt((p * (1 - p) * w).sum(0) + shrinkage) for w in (z * z, np.ones_like(z))]
    units[1] = units[1] * float(bias)

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        da, db = flat[:labels] * units[0], flat[labels:] * units[1]
        s = z * (a0 + da) + (b0 + db)
        error = scipy.special.expit(s) - targets
        value = np.logaddexp(0.0, s).sum() - (targets * s).sum() + 0.5 * shrinkage * (da @ da + db @ db)
        slope = (error * z).sum(0) + shrinkage * da
        shift = error.sum(0) + shrinkage * db
        return value, np.concatenate([slope * units[0], shift * units[1]])

    least = [(float(low), None) for low in (LEAST - a0[0]) / units[0]]
    limits: list[tuple[float | None, None]] = [*least, *([(None, None)] * labels)]
    found = scipy.optimize.minimize(
        cost,
        np.zeros(2 * labels),
        jac=True,
        method="L-BFGS-B",
        bounds=limits,
        options={"maxiter": 500, "ftol": 1e-15, "gtol": 1e-5},
    ).x
    return Line(a0 + found[:labels] * units[0], b0 + found[labels:] * units[1])
