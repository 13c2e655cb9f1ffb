"""How a difference from `none` depends on the factors of worlds: a linear model whose errors allow for unequal noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from equipoise.core.arrays import Floats
from equipoise.core.errors import EquipoiseError
from equipoise.report.significance import LEVEL, holm_adjusted
from equipoise.worlds.world import Worlds

#: The name of the column of ones.
MEAN = "mean"


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error, LEVEL interval, and two-sided p-value (`p_holm`: adjusted for a family)."""

    value: float
    error: float
    low: float
    high: float
    p: float
    p_holm: float = math.nan


@dataclass(frozen=True)
class Response:
    """The fitted model: value = Σ coefficient · column.

    Attributes:
        terms: an estimate for each column.
        covariance: of the coefficients, (terms, terms).
        spread: standard deviation of a world around the model.
        df: worlds minus terms.
    """

    terms: Mapping[str, Estimate]
    covariance: Floats
    spread: float
    df: int

    def combine(self, weights: Mapping[str, float]) -> Estimate:
        """The estimate of a weighted sum of coefficients, such as the value expected in one kind of world."""
        # Rounding may leave a speck below zero for a sum without variance, and a square root of it is NaN.
        w = np.array([weights.get(name, 0.0) for name in self.terms])
        value = float(w @ [term.value for term in self.terms.values()])
        return _estimate(value, math.sqrt(max(float(w @ self.covariance @ w), 0.0)), self.df)


def fit(values: Floats, columns: Mapping[str, Floats]) -> Response:
    """Fit by least squares, with errors of MacKinnon and White's HC3 (1985, DOI 10.1016/0304-4076(85)90158-7).

    Worlds with few test rows are noisier than others, which ordinary errors ignore. Worlds must be independent: each with random
    numbers of its own. Then one difference per world is one cluster.

    Args:
        values: (worlds,); worlds with NaN are left out.
        columns: the terms, (worlds,) each.

    Raises:
        EquipoiseError: there are too few worlds, or the columns depend on each other.
    """
    X = np.column_stack(list(columns.values()))
    known = np.isfinite(values) & np.isfinite(X).all(axis=1)
    X, y = X[known], values[known]
    df = len(y) - X.shape[1]
    if df < 2:
        raise EquipoiseError(
            f"{len(y)} worlds are too few for {X.shape[1]} terms: give two more than terms, or more"
        )
    if np.linalg.matrix_rank(X) < X.shape[1]:
        raise EquipoiseError(f"these terms cannot be told apart in these worlds: {', '.join(columns)}")
    inverse = np.linalg.inv(X.T @ X)
    coefficients = inverse @ X.T @ y
    residuals = y - X @ coefficients
    leverage = np.einsum("ij,jk,ik->i", X, inverse, X)
    # A world that alone decides a coefficient has no residual of its own; the floor keeps the division finite.
    scaled = residuals / np.maximum(1 - leverage, 1e-9)
    covariance = inverse @ (X.T * scaled**2) @ X @ inverse
    errors = np.sqrt(np.diag(covariance))
    terms = {
        name: _estimate(float(b), float(e), df)
        for name, b, e in zip(columns, coefficients, errors, strict=True)
    }
    return Response(terms, covariance, float(np.sqrt(residuals @ residuals / df)), df)


def mean(values: Floats, level: float = LEVEL) -> Estimate:
    """The mean of independent worlds with its t interval; without an interval for fewer than three."""
    # A world without the strategy has no difference.
    values = values[np.isfinite(values)]
    if len(values) < 3:
        return Estimate(float(values.mean()) if len(values) else math.nan, *[math.nan] * 4)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return _estimate(float(values.mean()), error, len(values) - 1, level)


def ratio(numerators: Floats, denominators: Floats, level: float = LEVEL) -> Estimate:
    """The sum of numerators over the sum of denominators, with a jackknife t interval (Tukey 1958, DOI 10.1214/aoms/1177706647).

    Each world is left out once, so that the interval allows for the correlation of the two sums. The mean of single ratios is
    not used, because the denominator of one world may be near zero. There is no p-value, since which value of a ratio means
    "no effect" depends on the question; for fewer than three worlds there is no interval.

    Args:
        numerators: (worlds,).
        denominators: (worlds,), of the same worlds in the same order.
    """
    known = np.isfinite(numerators) & np.isfinite(denominators)
    above, below = numerators[known], denominators[known]
    n, whole, rest = len(above), below.sum(), below.sum() - below
    # Without denominators there is no ratio, and an interval needs one without each of the worlds.
    value = float(above.sum() / whole) if n and whole else math.nan
    if n < 3 or not (whole and rest.all()):
        return Estimate(value, *[math.nan] * 4)
    without = (above.sum() - above) / rest
    error = float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    return replace(_estimate(value, error, n - 1, level), p=math.nan)


def centred(worlds: Worlds, factors: Sequence[str], logarithmic: Mapping[str, float]) -> dict[str, Floats]:
    """Columns for `fit`: the mean, and each factor around the middle of its range.

    Factors in `logarithmic` count in powers of the number given there, so that a coefficient is the change when the factor is
    multiplied by it; others go from −½ at their lowest to +½ at their highest value. A factor with one value has no column.
    """
    columns = {MEAN: np.ones(len(worlds.worlds))}
    for factor in factors:
        values = worlds.factor(factor)
        if factor in logarithmic:
            values = np.log(values) / math.log(logarithmic[factor])
        # Worlds that lack the factor are NaN here, and `fit` leaves them out.
        levels = np.unique(values[np.isfinite(values)])
        if len(levels) > 1:
            low, high = levels[0], levels[-1]
            step = 1.0 if factor in logarithmic else high - low
            columns[factor] = (values - (high + low) / 2) / step
    return columns


def holm(estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The estimates with `p_holm` set (Holm 1979); those without a p-value do not count."""
    p_holm = holm_adjusted({name: one.p for name, one in estimates.items()})
    return {
        name: replace(one, p_holm=p_holm[name]) if name in p_holm else one for name, one in estimates.items()
    }


def _estimate(value: float, error: float, df: int, level: float = LEVEL) -> Estimate:
    half = float(scipy.special.stdtrit(df, 0.5 + level / 2)) * error
    # Without an error, as for a strategy that cannot differ, there is nothing to test.
    p = 2 * float(scipy.special.stdtr(df, -abs(value) / error)) if error > 0 else math.nan
    return Estimate(value, error, value - half, value + half, p)
