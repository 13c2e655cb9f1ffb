"""Tests whether a difference over splits is significant: paired differences with intervals corrected for overlap.

The training sets of two splits share most of their rows, so the differences are not independent and the plain t
interval is too narrow. Nadeau & Bengio (2003, DOI 10.1023/A:1024068626366) replace s²/k by s²(1/k + n_test/n_train).
Comparing several strategies with one baseline gives several chances of a false positive: Holm (1979) adjusts the p-values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

TEST_TRAIN_RATIO = 0.25  # 5-fold splits: one fifth of the rows is tested, four fifths are trained on
LEVEL = 0.95
Split = TypeVar("Split")


@dataclass(frozen=True)
class Difference:
    """The mean paired difference over `pairs` splits; NaN if there is no split with both values.

    `low` and `high` are the LEVEL confidence interval of this comparison alone. `p` is the two-sided p-value, and `p_holm`
    is adjusted for the family of comparisons. With one pair, or with differences that are all equal but not zero, the
    variance cannot be estimated, and these four stay NaN.
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    pairs: int = 0

    @property
    def significant(self) -> bool:
        """Whether the difference is significant after Holm's adjustment."""
        return self.p_holm < 1 - LEVEL


def difference(
    ours: Mapping[Split, float], theirs: Mapping[Split, float], ratio: float = TEST_TRAIN_RATIO
) -> Difference:
    """Compare two strategies (split → value) on the splits that both have; `ratio` is n_test / n_train.

    Splits with an undefined value (NaN) are left out.
    """
    both = [ours[split] - theirs[split] for split in ours if split in theirs]
    deltas = np.array([delta for delta in both if math.isfinite(delta)])
    if len(deltas) == 0:
        return Difference(math.nan)
    if not deltas.any():  # identical scores, as from identical predictions: there is no variance to estimate
        return Difference(0.0, 0.0, 0.0, 1.0, 1.0, len(deltas))
    return _interval(deltas, ratio)


def on_one_split(ours: Mapping[Split, float], theirs: Mapping[Split, float]) -> Difference:
    """Compare two strategies on one outer split under one or more seeds: the mean difference, and no interval.

    Seeds repeat the training, but not the draw of the rows, so an interval over them would not hold for other rows.
    """
    delta = difference(ours, theirs)
    same = delta.low == delta.high == 0  # identical scores for all seeds: 0 without uncertainty
    return delta if same else Difference(delta.mean, pairs=delta.pairs)


def _interval(deltas: np.ndarray[tuple[int], np.dtype[np.float64]], ratio: float) -> Difference:
    pairs, mean = len(deltas), float(deltas.mean())
    spread = float(deltas.std(ddof=1)) if pairs > 1 else 0.0
    if spread <= 1e-12 * abs(mean) or spread == 0.0:  # equal up to rounding
        return Difference(mean, pairs=pairs)
    # Quantiles and tails of Student's t, to the bit as in `scipy.stats`, whose import takes half a second.
    from scipy import special

    error = spread * math.sqrt(1 / pairs + ratio)
    half = float(special.stdtrit(pairs - 1, 0.5 + LEVEL / 2)) * error
    p = 2 * float(special.stdtr(pairs - 1, -abs(mean) / error))
    return Difference(mean, mean - half, mean + half, p, p, pairs)


def holm(family: Mapping[str, Difference]) -> dict[str, Difference]:
    """Return the differences with `p_holm` set; comparisons without a p-value do not count in the family."""
    ordered = sorted((member.p, name) for name, member in family.items() if math.isfinite(member.p))
    adjusted, floor = dict(family), 0.0
    for rank, (p, name) in enumerate(ordered):
        floor = max(floor, min(1.0, p * (len(ordered) - rank)))
        adjusted[name] = replace(family[name], p_holm=floor)
    return adjusted


def mean(values: Sequence[float]) -> float:
    """Return the mean of the finite values, NaN if there are none."""
    defined = [value for value in values if math.isfinite(value)]
    return sum(defined) / len(defined) if defined else math.nan
