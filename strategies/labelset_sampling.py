"""Sampling by whole label combinations: labelset-balanced batches, and multivariate-Bernoulli sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.arrays import Floats
from equipoise.measures import labelset_ids
from equipoise.strategies.sampling import KANG, uniform

#: Weight of the squared change of the log-odds. Small beside the data, it keeps a target that no weights can reach finite.
RIDGE = 1e-4
# No target is raised above this share: nearly all draws would be rows with that label.
MOST = 0.95


@dataclass(frozen=True)
class LabelsetSampling(Strategy):
    """LP-balanced batches: draw a labelset with probability ∝ n^power, then one of its rows uniformly.

    n is the number of training rows with the labelset. At the default `power=0` all labelsets are equally probable, ½ is
    square-root sampling, and at 1 all rows are.

    Variant: class-balanced sampling of exclusive classes, with labelsets (no label included) as the classes.
    """

    name: ClassVar[str] = "labelset_sampling"
    changes: ClassVar[frozenset[str]] = frozenset({"draws"})
    reference: ClassVar[str] = (
        "labelsets as classes: Boutell, Luo, Shen & Brown 2004, Learning multi-label scene classification, Pattern "
        f"Recognition, DOI 10.1016/j.patcog.2004.03.009; sampling: {KANG}"
    )
    off: ClassVar[Mapping[str, Any]] = {"power": 1.0}

    power: float = tunable(0.0, low=0.0, high=1.0, at_least=0, at_most=1)

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        _, ids, sizes = labelset_ids(Y)
        # P(row) = P(labelset) / n. A power of 0 is exactly 1, so that `off` gives exactly equal weights.
        return np.asarray(sizes.astype(np.float64) ** (self.power - 1.0))[ids]


@dataclass(frozen=True)
class BernoulliSampling(Strategy):
    """Multivariate-Bernoulli sampling: weights per label combination that give every label its target frequency.

    The target of a label is ∝ (its frequency)^power, scaled so that a drawn row has on average as many labels as a row of the
    data: 1 leaves all as it is, at 0 all labels are equally frequent, and in between their order is kept. Labels are taken as one
    multivariate Bernoulli variable. Its main effects are changed and its interactions kept, so that labels depend on each
    other as before: a row with labels y is drawn with a weight ∝ exp(θ · y), and θ is fitted so that the targets are met.

    Variant: the paper subsamples a corpus; here the weights draw training rows. θ has a small ridge penalty, since a target
    may be out of reach (a rare label that only occurs beside a frequent one). No label's target is raised above 0.95.
    """

    name: ClassVar[str] = "bernoulli_sampling"
    changes: ClassVar[frozenset[str]] = frozenset({"draws"})
    reference: ClassVar[str] = (
        "Chung, Vorland, Maney & Brown 2025, A multivariate Bernoulli-based sampling method for multi-label data with "
        "application to meta-research, arXiv:2512.08371"
    )
    off: ClassVar[Mapping[str, Any]] = {"power": 1.0}

    power: float = tunable(0.5, low=0.0, high=1.0, at_least=0, at_most=1)

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        share = Y.mean(0)
        present = share > 0
        if not present.any() or self.power == 1.0:
            return uniform(Y)
        flattened = share[present] ** self.power
        target = flattened * (share[present].sum() / flattened.sum())
        # A label that almost every row has already is not made rarer by the limit.
        return tilted(Y[:, present], np.minimum(target, np.maximum(MOST, share[present])))


def tilted(Y: np.ndarray, target: Floats) -> Floats:
    """Probabilities (n,) ∝ exp(θ · y) of the rows of Y (n, L) under which label j has the frequency `target[j]`, (L,).

    Of all probabilities of the rows with these frequencies, they are those with the highest entropy.
    """
    # In an order that depends on the columns' content alone: a sum rounds differently in another order.
    packed = np.packbits(Y, axis=0).T
    order = sorted(range(len(target)), key=lambda j: packed[j].tobytes())
    Y, target = Y[:, order], target[order]
    first, ids, sizes = labelset_ids(Y)
    sets = Y[first].astype(np.float64)
    counts = sizes.astype(np.float64)

    def cost(theta: np.ndarray) -> tuple[float, np.ndarray]:
        scores = sets @ theta
        top = scores.max()
        mass = counts * np.exp(scores - top)
        value = np.log(mass.sum()) + top - theta @ target + 0.5 * RIDGE * (theta @ theta)
        return value, (mass / mass.sum()) @ sets - target + RIDGE * theta

    theta = scipy.optimize.minimize(
        cost,
        np.zeros(len(target)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-7},
    ).x
    scores = sets @ theta
    weight = np.exp(scores - scores.max())
    return np.asarray((weight / (weight @ counts))[ids])
