"""The mean difference of a strategy from `none` over data sets, and how probable a practical difference is."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np
import scipy

from equipoise.core.arrays import Floats
from equipoise.core.errors import EquipoiseError
from equipoise.rankings.model import FEWEST_BLOCKS, Effect
from equipoise.rankings.ranks import DIGITS
from equipoise.report.significance import EQUAL, LEVEL, holm_adjusted

#: Draws from the posterior; a probability has a standard error of at most .011, and of .005 at .95.
DRAWS = 2000
#: The least variance of a mean difference: where splits do not differ, it cannot be estimated.
_FLOOR = 1e-10


def effect(differences: Floats, variances: Floats) -> Effect:
    """Estimate the mean over data sets of differences (blocks,), each a mean over splits with its variance (NaN: unknown).

    A random-effects model: the variance between data sets by Paule and Mandel (1982, DOI 10.6028/jres.087.022), the interval by
    Hartung and Knapp (2001, DOI 10.1002/sim.791) with Student's t, never narrower than without their factor (Röver, Knapp &
    Friede 2015, DOI 10.1186/s12874-015-0091-1). Below FEWEST_BLOCKS there is the plain mean alone.
    """
    # Equal up to the order of a sum is equal: else two strategies with the same predictions would differ.
    differences = np.round(differences, DIGITS)
    if len(differences) < FEWEST_BLOCKS:
        return Effect(float(differences.mean()))
    if not differences.any():
        # Nothing to estimate a variance from, and no doubt either.
        return Effect(0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0)
    mean, error, tau2 = random_effects(differences, variances)
    # Each data set is one observation, however many splits it has.
    half = float(scipy.special.stdtrit(len(differences) - 1, 0.5 + LEVEL / 2)) * error
    p = _p(mean, error, len(differences))
    worse, equal, better = signed_rank(differences)
    return Effect(mean, mean - half, mean + half, p, p, tau2, better, equal, worse)


def _p(mean: float, error: float, count: int) -> float:
    """Two-sided p-value of a mean over `count` data sets by Student's t."""
    return 2 * float(scipy.special.stdtr(count - 1, -abs(mean) / error))


def random_effects(differences: Floats, variances: Floats) -> tuple[float, float, float]:
    """The mean of a random-effects model, its standard error, and the variance between data sets.

    An unknown variance, that of a single split, counts as the mean of the known ones: a small one would give its data set all the
    weight.
    """
    finite = variances[np.isfinite(variances)]
    known = np.maximum(np.nan_to_num(variances, nan=finite.mean() if finite.size else _FLOOR), _FLOOR)
    # Where the differences are all equal, statistics that are not used here divide by zero.
    with np.errstate(divide="ignore", invalid="ignore"):
        combined = _module("statsmodels.stats.meta_analysis").combine_effects(differences, known, use_t=True)
    # By chance data sets scatter less than their splits allow; that must not make the interval narrower.
    error = max(combined.sd_eff_w_re, math.sqrt(combined.var_hksj_re))
    return float(combined.mean_effect_re), float(error), float(combined.tau2)


def signed_rank(differences: Floats, rope: float = EQUAL) -> tuple[float, float, float]:
    """Posterior probabilities that a strategy is practically worse, equal and better (Benavoli et al. 2014, ICML).

    Differences of at most `rope` count as equal. A draw gives Dirichlet weights to the differences and to one pseudo-difference
    of 0, which weighs half of one; it speaks for the region that holds most of the Walsh averages (zᵢ + zⱼ) / 2 by the products
    of their weights. An average on an edge of the region counts half on either side.
    """
    # Sorted, so that the draws depend on no order of data sets.
    values = np.append(0.0, np.sort(differences))
    # Twice the Walsh averages, so that the edge is doubled below. Rounded, as .012 + .008 is on an edge and not beside it.
    sums = np.round(values[:, None] + values[None, :], DIGITS)
    weights = _weights(len(differences))
    above, below = (_beyond(weights, sign * sums, 2 * rope) for sign in (1, -1))
    regions = np.stack([below, 1 - below - above, above])
    # The share of draws that each region wins, and not its mean weight (Benavoli et al. 2014).
    worse, equal, better = np.bincount(regions.argmax(axis=0), minlength=3) / DRAWS
    return float(worse), float(equal), float(better)


@functools.cache
def _weights(count: int) -> Floats:
    """The same draws (DRAWS, 1 + count) for every strategy; the first column belongs to the pseudo-difference."""
    # A generator whose stream NumPy has frozen: published probabilities come out the same in later versions.
    return np.random.RandomState(0).dirichlet([0.5] + [1.0] * count, DRAWS)


def _beyond(weights: Floats, sums: Floats, edge: float) -> Floats:
    """For each draw (DRAWS,) the weight of the pairs whose sum is beyond the edge."""
    # An average on the edge belongs to both regions.
    share = (sums > edge) + 0.5 * (sums == edge)
    return np.asarray(((weights @ share) * weights).sum(axis=1), dtype=np.float64)


def holm(effects: Mapping[str, Effect]) -> dict[str, Effect]:
    """The effects with `p_holm` set (Holm 1979); those without a p-value do not count."""
    p_holm = holm_adjusted({name: one.p for name, one in effects.items()})
    return {
        name: replace(one, p_holm=p_holm[name]) if name in p_holm else one for name, one in effects.items()
    }


def with_leaning(
    found: Mapping[str, Effect],
    differences: Mapping[str, Floats],
    variances: Mapping[str, Floats],
    datasets: Sequence[str],
) -> dict[str, Effect]:
    """The effects with `leans_on` set: each data set is left out in turn, and all strategies are tested again without it.

    Args:
        found: adjusted effects. differences, variances: by strategy, one value per data set, in the order of `datasets`.
    """
    leans: dict[str, list[str]] = {name: [] for name, one in found.items() if one.significant}
    # With nothing significant there is nothing to test again, and of two data sets one is left.
    for b in range(len(datasets)) if leans and len(datasets) > 2 else ():
        kept = np.arange(len(datasets)) != b
        again = holm_adjusted(
            {name: _p_value(differences[name][kept], variances[name][kept]) for name in found}
        )
        for name, on in leans.items():
            if not again[name] < 1 - LEVEL:
                on.append(datasets[b])
    return {name: replace(one, leans_on=tuple(leans.get(name, ()))) for name, one in found.items()}


def _p_value(differences: Floats, variances: Floats) -> float:
    differences = np.round(differences, DIGITS)
    if not differences.any():
        return 1.0
    mean, error, _ = random_effects(differences, variances)
    return _p(mean, error, len(differences))


def _module(name: str) -> ModuleType:
    """A module of the extra `statistics`.

    Raises:
        EquipoiseError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise EquipoiseError(
            f"comparing data sets needs {error.name}: pip install 'equipoise[statistics]'"
        ) from None
