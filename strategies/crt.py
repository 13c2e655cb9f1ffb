"""Classifier re-training: a new last layer for a network that was trained as usual, fitted to class-balanced draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Head, Strategy
from equipoise.core.arrays import Floats
from equipoise.strategies.sampling import KANG, by_label, uniform


@dataclass(frozen=True)
class ClassifierRetraining(Strategy):
    """cRT: keep the trained representation, and fit the last layer anew, from scratch, to class-balanced draws of the rows.

    The layer minimises C · Σ_i c_i · cross-entropy of row i + ½ ‖w‖² for each label. c_i is how often row i is drawn on average
    by `balanced_sampling`, n · [mix · mean_j(Y_ij / n_j) + (1 − mix) / n], the mean running over labels with a positive. With
    mix = 1 rows without labels do not count. Representations are brought to a mean square length of 1, so that C means the same
    for every backbone. A label without positives, or without negatives, among the counted rows gets a constant score.

    Variant: the paper draws classes, which are exclusive, and takes steps of SGD with a restarted learning rate; here the
    expected loss over the draws is minimised exactly, with a penalty in the place of few steps.
    """

    name: ClassVar[str] = "crt"
    tuned_on: ClassVar[str] = "objective"  # it puts the rows of a label in another order
    reference: ClassVar[str] = KANG

    C: float = tunable(10.0, low=0.1, high=1000.0, log=True, above=0)
    mix: float = tunable(1.0, low=0.0, high=1.0, at_least=0, at_most=1)

    def head(
        self, representation: np.ndarray, Y: np.ndarray, weight: np.ndarray, bias: np.ndarray, ctx: Context
    ) -> Head:
        h, draws = representation.astype(np.float64), expected_draws(Y, self.mix)
        # A representation of zeros only, as a dead hidden layer gives, has no length to be divided by.
        length = float(np.sqrt(np.mean(np.sum(h * h, axis=1)))) or 1.0
        drawn = draws > 0
        W, b = weighted_logistic(h[drawn] / length, Y[drawn].astype(np.float64), draws[drawn], self.C)
        return Linear(W / length, b)


@dataclass(frozen=True, eq=False)
class Linear:
    """A last layer with weight (H, L) and bias (L,); the network's own logits only give the dtype."""

    weight: Floats
    bias: Floats

    def __call__(self, representation: np.ndarray, logits: np.ndarray) -> np.ndarray:
        return (representation @ self.weight + self.bias).astype(logits.dtype)


def expected_draws(Y: np.ndarray, mix: float) -> Floats:
    """(n,) how often class-balanced sampling draws each row of Y (n, L), in n draws on average."""
    return np.asarray(len(Y) * (mix * by_label(Y, 0.0) + (1.0 - mix) * uniform(Y)))


def weighted_logistic(h: Floats, targets: Floats, counts: Floats, C: float) -> tuple[Floats, Floats]:
    """Weight (H, L) and bias (L,) that minimise C Σ_i counts_i · cross-entropy_ij + ½ ‖w_j‖² for each label j, by L-BFGS.

    Args:
        h: (n, H) inputs of mean square length 1. targets: (n, L) 0/1. counts: (n,) positive weights of the rows.
    """
    total = counts.sum()
    share = counts @ targets / total
    # Half a row away from 0 and 1: labels that all rows have, or none has, stay at these log-odds.
    start = scipy.special.logit(np.clip(share, 0.5 / total, 1 - 0.5 / total))
    # Counted in rows: rounding may keep the share of a label that all rows have from being exactly 1.
    positives = targets.sum(0)
    varies = (positives > 0) & (positives < len(targets))
    H, L = h.shape[1], int(varies.sum())
    W, b = np.zeros((H, len(share))), start.copy()
    if not L:
        return W, b
    # On the principal axes of the inputs, and in units of its standard error, each step has about the same curvature. Without
    # that, rare labels and directions with little variance would take thousands of steps.
    centre = counts @ h / total
    variance, axes = np.linalg.eigh((h - centre).T @ (counts[:, None] * (h - centre)) / total)
    inputs, y, prior = (h - centre) @ axes, targets[:, varies], share[varies] * (1 - share[varies])
    curvature = C * total * prior * np.append(np.maximum(variance, 0.0), 1.0)[:, None]
    curvature[:H] += 1.0
    units = 1 / np.sqrt(curvature)

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        steps = flat.reshape(H + 1, L) * units
        w, z = steps[:H], inputs @ steps[:H] + (start[varies] + steps[H])
        # log(1 + e^z) − y z cannot overflow.
        value = C * float(counts @ (np.logaddexp(0.0, z) - y * z).sum(1)) + 0.5 * float(np.sum(w * w))
        error = C * counts[:, None] * (scipy.special.expit(z) - y)
        slope = np.vstack([inputs.T @ error + w, error.sum(0)])
        return value, (slope * units).ravel()

    best = scipy.optimize.minimize(
        cost,
        np.zeros(units.size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 1e-10, "gtol": 1e-3},
    )
    steps = best.x.reshape(H + 1, L) * units
    W[:, varies] = axes @ steps[:H]
    b[varies] = start[varies] + steps[H] - centre @ W[:, varies]
    return W, b
