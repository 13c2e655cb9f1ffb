"""MLSOL and MLUL: over- and undersampling where a label's minority value is outnumbered among nearby rows."""

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

# Types of a cell, in the papers' terms. Their order matters: `types` compares with <= BORDERLINE.
SAFE, BORDERLINE, RARE, OUTLIER, MAJORITY = range(5)
#: By type: up to which relative distance from its minority parent a new row takes that parent's value. A RARE parent always
#: passes its value on (all distances are ≤ 1), an OUTLIER never; a MAJORITY cell is never asked.
_REACH = np.array([0.5, 0.75, 1.0 + 1e-5, 0.0 - 1e-5, np.nan])


@dataclass(frozen=True, eq=False)
class Local:
    """Local imbalance: for each cell with its label's rarer value, how many of the row's k neighbours have the other value.

    Attributes:
        minority: (n, L) whether the cell holds the rarer value of its label (1 if both are equally frequent).
        against: (n, L) int8, number of neighbours with the other value; 0 in majority cells. The papers' C is against / k.
        near: (n, k) positions of the neighbours.
    """

    minority: Bools
    against: np.ndarray
    near: Ints

    @classmethod
    def of(cls, Y: np.ndarray, near: Ints) -> Local:
        """The local imbalance of labels Y (n, L) with neighbours `near` (n, k)."""
        rarer = 2 * label_counts(Y) <= len(Y)
        minority, against = Y.astype(np.bool_) == rarer, np.zeros(Y.shape, dtype=np.int8)
        for other in near.T:
            against += Y[other] != Y
        return cls(minority, against * minority, near)

    def shares(self, rows: slice) -> Floats:
        """The papers' S of some rows, (rows, L): C divided by the label's sum of C; 0 in majority cells and outliers (C = 1)."""
        return np.where(self._counted(rows), self.against[rows], 0) * self.scale

    @property
    def scale(self) -> Floats:
        """One over each label's sum of `against` without outliers, (L,); 0 where that sum is 0."""
        # In chunks, so that no (n, L) array of floats is ever held.
        total = np.zeros(self.against.shape[1])
        for rows in row_chunks(*self.against.shape):
            total += np.where(self._counted(rows), self.against[rows], 0).sum(0)
        return np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)

    def _counted(self, rows: slice) -> Bools:
        """Which cells hold the minority value and are not outliers."""
        return np.asarray(self.minority[rows] & (self.against[rows] < self.near.shape[1]))

    def types(self) -> np.ndarray:
        """Type of every cell, (n, L) int8: SAFE (C < .3), BORDERLINE (C < .7), RARE (C < 1), OUTLIER (C = 1) or MAJORITY.

        A RARE cell is then turned into BORDERLINE if a neighbour's cell of the same label is SAFE or BORDERLINE; this is
        repeated until no cell changes.
        """
        k = self.near.shape[1]
        share = np.arange(k + 1) / k
        by_count = np.select([share < 0.3, share < 0.7, share < 1], [SAFE, BORDERLINE, RARE], OUTLIER)
        types = np.where(self.minority, by_count[self.against], MAJORITY).astype(np.int8)
        row, label = np.nonzero(types == RARE)
        while len(row):
            changed = (types[self.near[row], label[:, None]] <= BORDERLINE).any(1)
            types[row[changed], label[changed]] = BORDERLINE
            if not changed.any():
                break
            row, label = row[~changed], label[~changed]
        return types


@dataclass(frozen=True)
class MLSOL(Strategy):
    """MLSOL: add p · rows synthetic rows, grown from rows whose minority labels are outnumbered among their k neighbours.

    For each label the rarer value, 0 or 1, is the minority. C_ij is the share of row i's neighbours that contradict a minority
    cell, and S_ij is C_ij over the label's sum of C, without outliers (C = 1). Seeds are drawn with weights w_i = Σ_j S_ij, each
    with a random neighbour as second parent. Numeric features are interpolated between the two, each by its own random
    fraction; each category comes from either parent with probability ½. A label on which the parents differ takes the
    minority parent's value if the new row is close enough to that parent, how close depending on the cell's type.

    Variant: RARE cells turn BORDERLINE through SAFE and BORDERLINE neighbours, as in the paper (the authors' program looks at
    the cell itself). A new row between identical parents counts as halfway between them. If no minority cell is contradicted,
    no row is added.
    """

    name: ClassVar[str] = "mlsol"
    changes: ClassVar[frozenset[str]] = frozenset({"rows"})
    reference: ClassVar[str] = (
        "Liu & Tsoumakas 2019, Synthetic oversampling of multi-label data based on local label distribution, ECML PKDD, DOI "
        "10.1007/978-3-030-46147-8_11; Liu, Blekas & Tsoumakas 2022, Multi-label sampling based on local label imbalance, "
        "Pattern Recognition, DOI 10.1016/j.patcog.2021.108294"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.3, low=0.0, high=0.9, at_least=0)
    k: int = tunable(5, low=3, high=10, at_least=1)

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
        synthetic = coin(between(left, right, ctx.rng), left, right, Columns.of(rows.nominal), ctx.rng)
        return rows.add(synthetic, inherited(Y, local, seeds, refs, _nearness(synthetic, left, right)))


@dataclass(frozen=True)
class MLUL(Strategy):
    """MLUL: keep (1 − p) · rows, preferring rows that are outnumbered locally and that do not outnumber their neighbours.

    The undersampling counterpart of MLSOL. Rows are drawn without replacement with weights v_i = w_i − u_i, shifted to be at
    least 0. w_i = Σ_j S_ij as in MLSOL. u_i is the mean, over the rows r that have i among their neighbours, of Σ_j ±S_rj: plus
    where row i contradicts r's minority cell (or is an outlier), minus where it is of the same minority.

    Variant: u is a mean, as in the authors' program; the paper has a sum.
    """

    name: ClassVar[str] = "mlul"
    changes: ClassVar[frozenset[str]] = frozenset({"rows"})
    reference: ClassVar[str] = (
        "Liu, Blekas & Tsoumakas 2022, Multi-label sampling based on local label imbalance, Pattern Recognition, DOI "
        "10.1016/j.patcog.2021.108294"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})
    off: ClassVar[Mapping[str, Any]] = {"p": 0.0}

    p: float = tunable(0.3, low=0.0, high=0.5, at_least=0, below=1)
    k: int = tunable(5, low=3, high=10, at_least=1)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        budget = int(len(rows) * self.p)
        if budget == 0 or len(rows) < 2:
            return rows
        weight = keep_weights(Local.of(rows.Y, neighbours(rows.X, self.k, rows.nominal)))
        # Drawing by weight without replacement, one row after the other, is the same as taking the rows with the smallest
        # exponential waiting times at rate `weight`. Rows of weight 0 come last, in random order.
        wait, tie_break = ctx.rng.exponential(size=len(rows)), ctx.rng.random(len(rows))
        wait = np.divide(wait, weight, out=np.full(len(rows), np.inf), where=weight > 0)
        return rows.take(np.sort(np.lexsort((tie_break, wait))[: len(rows) - budget]))


def seed_weights(local: Local) -> Floats:
    """MLSOL's weights w (n,): the sum of S over labels."""
    return np.concatenate([local.shares(part).sum(1) for part in row_chunks(*local.against.shape)])


def keep_weights(local: Local) -> Floats:
    """MLUL's weights v (n,), all at least 0; see the class for the formula."""
    n, k = local.near.shape
    burden = np.zeros(n)
    for part in row_chunks(n, local.against.shape[1] * k):
        shares = local.shares(part)
        # Each row adds its shares to the burden of its neighbours: the sum over reverse neighbours without inverting `near`.
        for other in local.near[part].T:
            same = local.minority[other] & (local.against[other] < k)
            burden += np.bincount(other, np.where(same, -shares, shares).sum(1), minlength=n)
    reverse_neighbours = np.bincount(local.near.ravel(), minlength=n)
    weight = seed_weights(local) - burden / np.maximum(reverse_neighbours, 1)
    return np.asarray(weight - min(weight.min(), 0.0))


def inherited(Y: np.ndarray, local: Local, seeds: Ints, refs: Ints, nearness: Floats) -> np.ndarray:
    """Labels of synthetic rows with parents `seeds` and `refs`, (s, L).

    Args:
        nearness: (s,) d_seed / (d_seed + d_ref), the relative distance of each new row from its seed.
    """
    out, types = Y[seeds].copy(), local.types()
    new, label = np.nonzero(Y[seeds] != Y[refs])
    # Parents that differ hold one minority and one majority value; `holder` is the parent with the minority value.
    seed_is_minority = local.minority[seeds[new], label]
    holder = np.where(seed_is_minority, seeds[new], refs[new])
    distance = np.where(seed_is_minority, nearness[new], 1.0 - nearness[new])
    in_reach = distance <= _REACH[types[holder, label]]
    value = Y[holder, label]
    out[new, label] = np.where(in_reach, value, 1 - value)
    return out


def _nearness(synthetic: Any, left: Any, right: Any) -> Floats:
    """Distance to `left` over the sum of the distances to both parents, (s,); ½ where both parents are equal."""
    to_left, to_right = _lengths(synthetic - left), _lengths(synthetic - right)
    total = to_left + to_right
    return np.divide(to_left, total, out=np.full(len(to_left), 0.5), where=total > 0)


def _lengths(gap: Any) -> Floats:
    """Euclidean length of each row of a dense or sparse (s, d) array, (s,)."""
    squares = gap.multiply(gap) if is_sparse(gap) else gap.astype(np.float64) ** 2
    return np.sqrt(np.asarray(squares.sum(1), dtype=np.float64).ravel())
