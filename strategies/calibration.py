"""Calibration: maps fitted on out-of-fold logits, after which scores can be read as probabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import scipy

from equipoise.contracts.equality import Equality, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy

if TYPE_CHECKING:
    from equipoise.contracts.backbone import Backbone

#: Lower bound of a fitted slope: with a slope of 0 or below, calibration would tie or reverse the ranking of the rows.
MIN_SLOPE = 1e-3
#: What is used where there is none: just enough to keep separable data from an infinite slope.
NO_SHRINKAGE = 1e-6


@dataclass(frozen=True)
class Temperature(Strategy):
    """Temperature scaling: divide all logits by one temperature, chosen to minimise cross-entropy out of fold.

    p = σ(z / T). Neither the ranking nor any decision at ½ changes. `per_label=true` fits one temperature per label, shrunk
    towards the common one with strength `shrinkage` (a ridge penalty, in units of observations), so that a label with few
    positives stays close to the common temperature.
    """

    name: ClassVar[str] = "temperature"
    reference: ClassVar[str] = (
        "Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, ICML, arXiv:1706.04599"
    )

    shrinkage: float = tunable(1.0, low=0.01, high=100.0, log=True, at_least=0)
    per_label: bool = False

    @property
    def fixed(self) -> frozenset[str]:
        return super().fixed | _unused(self.per_label)

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        return same(
            "none", "dividing the logits of a label by a positive number keeps their order and their signs"
        )

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        targets = Y.astype(np.float64)
        return fitted(logits, targets, self.shrinkage, bias=False, per_label=self.per_label)


@dataclass(frozen=True)
class Platt(Strategy):
    """Platt scaling: fit p = σ(a z + b) for each label on out-of-fold logits, shrunk towards the fit of all labels pooled.

    The fit maximises the likelihood of Platt's targets, (n₊ + 1) / (n₊ + 2) for positives and 1 / (n₋ + 2) for negatives.

    Variant: the penalty ½ · shrinkage · [(a_j − a)² + (b_j − b)²] is added, with a and b of the pooled fit, because a label
    with few positives would otherwise get extreme coefficients; and a_j ≥ .001, so that no ranking is reversed.
    `per_label=false` uses the pooled a and b for every label.
    """

    name: ClassVar[str] = "platt"
    reference: ClassVar[str] = (
        "Platt 1999, Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods, "
        "Advances in Large Margin Classifiers, MIT Press"
    )

    shrinkage: float = tunable(1.0, low=0.001, high=100.0, log=True, at_least=0)  # 0: Platt's own, unshrunk
    per_label: bool = True

    @property
    def fixed(self) -> frozenset[str]:
        return super().fixed | _unused(self.per_label)

    @property
    def clashes(self) -> Mapping[str, str]:
        why = "fits the scores of each label to its frequency again, which takes back the shift of {other}"
        return {"shift": why} if self.per_label else {}

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        return same("none", "a rising line for each label keeps the order of its rows", ["map", "tuned"])

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Line:
        return fitted(logits, softened(Y), self.shrinkage, bias=True, per_label=self.per_label)


def _unused(per_label: bool) -> frozenset[str]:
    """What does nothing is not searched: one common line is not drawn to itself."""
    return frozenset() if per_label else frozenset({"shrinkage"})


@dataclass(frozen=True, eq=False)
class Line:
    """The map z ↦ a z + b with a and b (1, 1) or (1, L); the result has the dtype of z."""

    a: np.ndarray
    b: np.ndarray

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        return (logits * self.a + self.b).astype(logits.dtype)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """The logits (L,) that the line maps to `values` (L,)."""
        return np.asarray((values - self.b[0]) / self.a[0])


def softened(Y: np.ndarray) -> np.ndarray:
    """Platt's targets for Y (n, L): 0 and 1 moved slightly inwards, by an amount that depends on the label's counts."""
    positives = Y.sum(0, dtype=np.float64)
    high, low = (positives + 1) / (positives + 2), 1 / (len(Y) - positives + 2)
    return np.where(Y > 0, high, low)


def fitted(logits: np.ndarray, targets: np.ndarray, shrinkage: float, *, bias: bool, per_label: bool) -> Line:
    """Coefficients a and b that minimise the cross-entropy between σ(a z + b) and targets (n, L).

    Args:
        shrinkage: weight of the squared distance between a label's coefficients and the pooled ones.
        bias: whether b is fitted; otherwise b = 0.
        per_label: whether each label gets its own coefficients; otherwise one pair serves all labels.
    """
    z = logits.astype(np.float64)
    # All labels as one column.
    pooled = _line(
        z.reshape(-1, 1), targets.reshape(-1, 1), np.ones((1, 1)), np.zeros((1, 1)), NO_SHRINKAGE, bias
    )
    if not per_label:
        return pooled
    a0, b0 = (np.repeat(v, z.shape[1], axis=1) for v in (pooled.a, pooled.b))
    return _line(z, targets, a0, b0, max(shrinkage, NO_SHRINKAGE), bias)


def _line(
    z: np.ndarray, targets: np.ndarray, a0: np.ndarray, b0: np.ndarray, shrinkage: float, bias: bool
) -> Line:
    """Fit all labels at once by L-BFGS: Σ_labels cross-entropy + ½ · shrinkage · squared distance to a0 and b0, (1, L).

    The problem separates into one per label, but a single call to the optimiser is much faster than L calls.
    """
    labels = z.shape[1]
    # The optimiser works on the distance to a0 and b0 in units of its standard error (from the curvature at a0, b0). Without
    # this scaling rare labels, whose cost is nearly flat, would stop long before frequent ones converge.
    p = scipy.special.expit(z * a0 + b0)
    units = [1 / np.sqrt((p * (1 - p) * w).sum(0) + shrinkage) for w in (z * z, np.ones_like(z))]
    units[1] = units[1] * float(bias)  # a unit of 0 freezes b at b0

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        da, db = flat[:labels] * units[0], flat[labels:] * units[1]
        s = z * (a0 + da) + (b0 + db)
        error = scipy.special.expit(s) - targets
        # −[t log σ(s) + (1 − t) log(1 − σ(s))] = log(1 + e^s) − t s, which cannot overflow.
        value = np.logaddexp(0.0, s).sum() - (targets * s).sum() + 0.5 * shrinkage * (da @ da + db @ db)
        grad_a = (error * z).sum(0) + shrinkage * da
        grad_b = error.sum(0) + shrinkage * db
        return value, np.concatenate([grad_a * units[0], grad_b * units[1]])

    slope_bounds = [(float(low), None) for low in (MIN_SLOPE - a0[0]) / units[0]]
    bounds: list[tuple[float | None, None]] = [*slope_bounds, *([(None, None)] * labels)]
    solution = scipy.optimize.minimize(
        cost,
        np.zeros(2 * labels),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 500, "ftol": 1e-15, "gtol": 1e-5},
    ).x
    return Line(a0 + solution[:labels] * units[0], b0 + solution[labels:] * units[1])
