"""Is a difference over splits real? Paired differences with intervals that admit the splits overlap.

The training sets of two splits share most of their rows, so the differences are not independent and the plain t
interval is too narrow. Nadeau & Bengio (2003, DOI 10.1023/A:1024068626366) replace s²/k by s²(1/k + n_test/n_train).
Several strategies against one baseline are several chances to be fooled: Holm (1979) adjusts the p-values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

TEST_TRAIN_RATIO = 0.25  # 5-fold: one fifth tests, four fifths train
LEVEL = 0.95
Split = TypeVar("Split")


@dataclass(frozen=True)
class Difference:
    """Mean paired difference over `pairs` splits; NaN where it cannot be told.

    `low`, `high`: the LEVEL interval, of this comparison alone. `p`: two-sided; `p_holm`: adjusted for the family
    the difference was compared in. From one pair, or from differences that are equal and not zero, no variance can
    be estimated and these stay NaN.
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    pairs: int = 0

    @property
    def significant(self) -> bool:
        """Whether the difference can be told from none at all, after Holm's adjustment."""
        return self.p_holm < 1 - LEVEL


def difference(
    ours: Mapping[Split, float], theirs: Mapping[Split, float], ratio: float = TEST_TRAIN_RATIO
) -> Difference:
    """Compare two strategies on the splits that both have (split → value); `ratio` is n_test / n_train.

    Splits where either value is undefined (NaN) are left out.
    """
    both = [ours[split] - theirs[split] for split in ours if split in theirs]
    deltas = np.array([delta for delta in both if math.isfinite(delta)])
    if len(deltas) == 0:
        return Difference(math.nan)
    if not deltas.any():  # the very same predictions: nothing to estimate
        return Difference(0.0, 0.0, 0.0, 1.0, 1.0, len(deltas))
    return _interval(deltas, ratio)


def on_one_split(ours: Mapping[Split, float], theirs: Mapping[Split, float]) -> Difference:
    """Compare two strategies on one outer split under one or more seeds: the mean difference, and no interval.

    Seeds repeat the training, not the draw of the rows; an interval over them would promise what other rows need not keep.
    """
    found = difference(ours, theirs)
    same = found.low == found.high == 0  # the very same predictions are so on any rows
    return found if same else Difference(found.mean, pairs=found.pairs)


def _interval(deltas: np.ndarray[tuple[int], np.dtype[np.float64]], ratio: float) -> Difference:
    pairs, mean = len(deltas), float(deltas.mean())
    spread = float(deltas.std(ddof=1)) if pairs > 1 else 0.0
    if spread <= 1e-12 * abs(mean) or spread == 0.0:
        return Difference(mean, pairs=pairs)
    from scipy import stats

    error = spread * math.sqrt(1 / pairs + ratio)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, pairs - 1)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, pairs - 1))
    return Difference(mean, mean - half, mean + half, p, p, pairs)


def holm(family: Mapping[str, Difference]) -> dict[str, Difference]:
    """Return the differences with `p_holm` adjusted for all comparisons of the family that have a p-value."""
    ordered = sorted((found.p, name) for name, found in family.items() if math.isfinite(found.p))
    adjusted, floor = dict(family), 0.0
    for place, (p, name) in enumerate(ordered):
        floor = max(floor, min(1.0, p * (len(ordered) - place)))
        adjusted[name] = replace(family[name], p_holm=floor)
    return adjusted


def mean(values: Sequence[float]) -> float:
    """Return the mean of the defined values, NaN when there is none."""
    defined = [value for value in values if math.isfinite(value)]
    return sum(defined) / len(defined) if defined else math.nan
