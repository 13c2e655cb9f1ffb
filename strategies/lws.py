"""Learnable weight scaling: one factor for the weights of each label in a trained last layer, fitted to balanced draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import scipy

from equipoise.contracts.equality import Equality, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Head, Strategy
from equipoise.core.arrays import Floats
from equipoise.strategies.crt import expected_draws
from equipoise.strategies.sampling import KANG
from equipoise.strategies.tau_norm import KEPT, Scaled

if TYPE_CHECKING:
    from equipoise.contracts.backbone import Backbone

#: Lower bound of a factor: with 0 or less, the ranking of the rows would be lost or reversed.
LEAST = 1e-3
# Newton's method converges in about ten rounds; bisection, its fallback, halves the interval in each.
ROUNDS, PRECISION = 100, 1e-9


@dataclass(frozen=True)
class LearnableWeightScaling(Strategy):
    """LWS: multiply each label's weights in the last layer by one factor, learned on class-balanced draws of the rows.

    z_j ↦ b_j + s_j · (z_j − b_j), where s_j ≥ .001 minimises Σ_i c_i · cross-entropy of row i + ½ · shrinkage · (s_j − 1)², with
    c_i how often `balanced_sampling` draws row i on average (see `crt`). All else stays as it is. The scores of a label are
    mapped by an increasing function; `tau_norm` says what that means for ranking and tuned thresholds.

    `bias=scaled` multiplies the bias, too, as the authors' program does: z_j ↦ s_j · z_j. Then no decision at ½ changes, since
    labels are not exclusive here; so the bias, which the paper's formula does not have, is kept by default.

    Variant: the paper takes steps of SGD; here the expected loss over the draws is minimised, and the factor is drawn to 1,
    because a network separates its own training rows, and no finite factor would be the best.
    """

    name: ClassVar[str] = "lws"
    tuned_on: ClassVar[str] = "macro_f1"  # at ½: tuned thresholds would undo it
    reference: ClassVar[str] = KANG

    shrinkage: float = tunable(1.0, low=0.01, high=1000.0, log=True, above=0)
    mix: float = tunable(1.0, low=0.0, high=1.0, at_least=0, at_most=1)
    bias: str = field(default="kept", metadata={"choices": ("kept", "scaled")})

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        # A factor of the whole logit keeps its sign.
        return same("none", KEPT, ["map", "fixed"] if self.bias == "scaled" else ["map"])

    def head(
        self, representation: np.ndarray, Y: np.ndarray, weight: np.ndarray, bias: np.ndarray, ctx: Context
    ) -> Head:
        offset = bias.astype(np.float64)
        scores = representation.astype(np.float64) @ weight.astype(np.float64)
        if self.bias == "scaled":
            scores, offset = scores + offset, np.zeros_like(offset)
        factors = best_factors(
            scores, offset, Y.astype(np.float64), expected_draws(Y, self.mix), self.shrinkage
        )
        return Scaled(factors, offset)


def best_factors(scores: Floats, offset: Floats, y: Floats, counts: Floats, shrinkage: float) -> Floats:
    """(L,) s ≥ `LEAST` that minimise Σ_i counts_i · cross-entropy(s · scores_ij + offset_j, y_ij) + ½ · shrinkage · (s − 1)².

    The cost is convex: the root of its slope is kept between two bounds, and found by Newton's method, or by bisection where
    that would leave them.
    """
    c, s = counts[:, None], np.ones(scores.shape[1])
    low = high = None
    for _ in range(ROUNDS):
        p = scipy.special.expit(s * scores + offset)
        slope = (c * (p - y) * scores).sum(0) + shrinkage * (s - 1)
        if low is None or high is None:
            # The curvature is at least `shrinkage`, so the root is no further away than this.
            reach = np.abs(slope) / shrinkage
            low, high = np.maximum(1 - reach, LEAST), 1 + reach
        low, high = np.where(slope < 0, s, low), np.where(slope > 0, s, high)
        new = s - slope / ((c * p * (1 - p) * scores**2).sum(0) + shrinkage)
        new = np.where((new > low) & (new < high), new, (low + high) / 2)
        new = np.where(slope == 0, s, new)
        moved, s = np.abs(new - s).max(), new
        if moved < PRECISION:
            break
    return s
