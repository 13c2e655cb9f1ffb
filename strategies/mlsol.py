"""MLSOL and MLUL: over- and undersampling where a label is outnumbered locally."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.arrays import Bools, Floats, Ints, is_sparse, row_chunks
from equipoise.resampling.interpolation import Columns, between, coin, neighbours
from equipoise.resampling.label_bags import label_counts

SAFE, BORDERLINE, RARE, OUTLIER, MAJORITY = range(5)
#: How near the minority side a new row must lie to take its value, by type.
_REACH = np.array([0.5, 0.75, 1.0 + 1e-5, 0.0 - 1e-5, np.nan])


@dataclass(frozen=True, eq=False)
class Local:
    """Which cells of Y hold their label's rarer value, and by how many of k neighbours those are contradicted.

    Attributes:
        minority: (n, L) the cell holds the rarer value of its label (1 where both are equally frequent).
        against: (n, L) int8, neighbours with the other value; 0 in majority cells. C = against / k.
        near: (n, k) the neighbours.
    """

    minority: Bools
    against: np.ndarray
    near: Ints

    @classmethod
    def of(cls, Y: np.ndarray, near: Ints) -> Local:
        """From labels (n, L) and neighbours (n, k)."""
        rarer = 2 * label_counts(Y) <= len(Y)
        minority, against = Y.astype(np.bool_) == rarer, np.zeros(Y.shape, dtype=np.int8)
        for other in near.T:
            against += Y[other] != Y
        return cls(minority, against * minority, near)

    def shares(self, rows: slice) -> Floats:
        """S of these rows: C over the label's sum of C, both without outliers (C = 1); 0 elsewhere."""
        return np.where(self._counted(rows), self.against[rows], 0) * self.scale

    @property
    def scale(self) -> Floats:
        """(L,) one over each label's sum of `against` without outliers; 0 where that is 0."""
        total = np.zeros(self.against.shape[1])
        for rows in row_chunks(*self.against.shape):
            total += np.where(self._counted(rows), self.against[rows], 0).sum(0)
        return np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)

    def _counted(self, rows: slice) -> Bools:
        """Minority cells that are no outliers."""
        return np.asarray(self.minority[rows] & (self.against[rows] < self.near.shape[1]))

    def types(self) -> np.ndarray:
        """(n, L) int8 SAFE (C < .3), BORDERLINE (< .7), RARE (< 1), OUTLIER or MAJORITY.

        A RARE cell becomes BORDERLINE when a neighbour's cell of the same label is SAFE or BORDERLINE, until none does.
        """
        k = self.near.shape[1]
        share = np.arange(k + 1) / k
        by_count = np.select([share < 0.3, share < 0.7, share < 1], [SAFE, BORDERLINE, RARE], OUTLIER)
        types = np.where(self.minority, by_count[self.against], MAJORITY).astype(np.int8)
        row, label = np.nonzero(types == RARE)
        while len(row):
            freed = (types[self.near[row], label[:, None]] <= BORDERLINE).any(1)
            types[row[freed], label[freed]] = BORDERLINE
            if not freed.any():
                break
            row, label = row[~freed], label[~freed]
        return types


@dataclass(frozen=True)
class MLSOL(Strategy):
    """p · rows synthetic rows, grown from rows whose labels are outnumbered among their k neighbours.

    Per label the rarer value is the minority, be it 0 or 1. Seeds are drawn by w = Σ_j S_ij (S: a cell's contradiction C over
    its label's sum, outliers left out); quantities are interpolated towards a random neighbour, by a share of its own in
    each; categories come from either, by a coin; a label on which the two differ takes the minority side's value when the
    new row lies near enough to it, by that side's type. This variant: the type of a RARE cell is mended by SAFE and
    BORDERLINE neighbours (the paper; the authors' program looks at the cell itself); a row equidistant in its parents'
    sameness counts as halfway. Without any contradiction nothing is grown.
    """

    name: ClassVar[str] = "mlsol"
    reference: ClassVar[str] = (
        "Liu & Tsoumakas 2019, DOI 10.1007/978-3-030-46147-8_11; Liu, Blekas & Tsoumakas 2022, "
        "DOI 10.1016/j.patcog.2021.108294"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.3, low=0.0, high=0.9)
    k: int = tunable(5, low=3, high=10)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        budget = int(len(rows) * self.p)
        if budget == 0 or len(rows) < 2:
            return rows
        X, Y = rows.X, rows.Y
        local = Local.of(Y, neighbours(X, self.k, rows.nominal))
        weight = seed_weights(local)
        if not weight.any():
            return rows
        seeds = ctx.rng.choice(len(rows), size=budget, p=weight / weight.sum())
        refs = local.near[seeds, ctx.rng.integers(local.near.shape[1], size=budget)]
        left, right = X[seeds], X[refs]
        made = coin(between(left, right, ctx.rng), left, right, Columns.of(rows.nominal), ctx.rng)
        return rows.add(made, inherited(Y, local, seeds, refs, _nearness(made, left, right)))


@dataclass(frozen=True)
class MLUL(Strategy):
    """Keep (1 − p) · rows, drawn by how much they are outnumbered themselves and how little they outnumber others.

    The undersampling twin of MLSOL. A row is kept with weight v = w − u, shifted to be at least 0: w = Σ_j S_ij as there, and
    u the mean over its reverse neighbours r of Σ_j S_rj, counted positive where the row itself holds the majority value (or
    is an outlier) and negative where it is of the same minority. This variant: the authors' program's u (a mean, not a
    sum); drawn without replacement, one after the other.
    """

    name: ClassVar[str] = "mlul"
    reference: ClassVar[str] = "Liu, Blekas & Tsoumakas 2022, DOI 10.1016/j.patcog.2021.108294"
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.3, low=0.0, high=0.5)
    k: int = tunable(5, low=3, high=10)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        budget = int(len(rows) * self.p)
        if budget == 0 or len(rows) < 2:
            return rows
        weight = keep_weights(Local.of(rows.Y, neighbours(rows.X, self.k, rows.nominal)))
        # Drawing by weight without replacement = the smallest of exponential waiting times; weight 0 waits longest.
        wait, lot = ctx.rng.exponential(size=len(rows)), ctx.rng.random(len(rows))
        wait = np.divide(wait, weight, out=np.full(len(rows), np.inf), where=weight > 0)
        return rows.take(np.sort(np.lexsort((lot, wait))[: len(rows) - budget]))


def seed_weights(local: Local) -> Floats:
    """w (n,): the sum over labels of S."""
    return np.concatenate([local.shares(part).sum(1) for part in row_chunks(*local.against.shape)])


def keep_weights(local: Local) -> Floats:
    """v (n,), at least 0, see MLUL."""
    n, k = local.near.shape
    burden = np.zeros(n)
    for part in row_chunks(n, local.against.shape[1] * k):
        shares = local.shares(part)
        for other in local.near[part].T:
            same = local.minority[other] & (local.against[other] < k)
            burden += np.bincount(other, np.where(same, -shares, shares).sum(1), minlength=n)
    followers = np.bincount(local.near.ravel(), minlength=n)
    weight = seed_weights(local) - burden / np.maximum(followers, 1)
    return np.asarray(weight - min(weight.min(), 0.0))


def inherited(Y: np.ndarray, local: Local, seeds: Ints, refs: Ints, nearness: Floats) -> np.ndarray:
    """(s, L) labels of rows made from seeds and references, at `nearness` d_seed / (d_seed + d_ref)."""
    out, types = Y[seeds].copy(), local.types()
    new, label = np.nonzero(Y[seeds] != Y[refs])
    rarer_is_seed = local.minority[seeds[new], label]
    holder = np.where(rarer_is_seed, seeds[new], refs[new])
    away = np.where(rarer_is_seed, nearness[new], 1.0 - nearness[new])
    taken = away <= _REACH[types[holder, label]]
    value = Y[holder, label]
    out[new, label] = np.where(taken, value, 1 - value)
    return out


def _nearness(made: Any, left: Any, right: Any) -> Floats:
    """(s,) distance to `left` over the sum of both; ½ where all three are the same."""
    one, two = _lengths(made - left), _lengths(made - right)
    return np.divide(one, one + two, out=np.full(len(one), 0.5), where=one + two > 0)


def _lengths(gap: Any) -> Floats:
    squares = gap.multiply(gap) if is_sparse(gap) else gap.astype(np.float64) ** 2
    return np.sqrt(np.asarray(squares.sum(1), dtype=np.float64).ravel())
