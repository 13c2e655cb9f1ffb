"""MLSMOTE: synthetic rows between neighbours that share a rare label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.arrays import Ints, is_sparse
from equipoise.resampling.interpolation import Columns, between, mode, neighbours, with_columns
from equipoise.resampling.label_bags import bags_of, label_counts, minority, rarest_first


@dataclass(frozen=True)
class MLSMOTE(Strategy):
    """A synthetic row for every row of every label whose imbalance ratio exceeds the mean, towards one of k neighbours.

    This variant: labels and bags are those of the rows as they are; the k nearest neighbours (Euclidean, two codes of a
    category 1 apart) come from the label's own bag, fewer where the bag is small, none where it has one row, which then has
    no offspring; quantities are interpolated towards one random neighbour, by a share of its own in each; categories take
    the mode of the neighbours; labels by ranking: on in more than half of the seed and its neighbours.
    """

    name: ClassVar[str] = "mlsmote"
    reference: ClassVar[str] = "Charte, Rivera, del Jesus & Herrera 2015, DOI 10.1016/j.knosys.2015.07.019"
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})

    k: int = tunable(5, low=3, high=10)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        found = np.flatnonzero(minority(label_counts(rows.Y)))
        bags = bags_of(rows.Y, found)
        X, columns = rows.X, Columns.of(rows.nominal)
        made = [
            self._offspring(X, rows, bags[b], columns, ctx.rng)
            for b in rarest_first(bags)
            if len(bags[b]) > 1
        ]
        if not made:
            return rows
        stack = scipy.sparse.vstack if is_sparse(X) else np.vstack
        return rows.add(stack([m for m, _ in made]), np.vstack([y for _, y in made]))

    def _offspring(
        self, X: Any, rows: Rows, bag: Ints, columns: Columns, rng: np.random.Generator
    ) -> tuple[Any, np.ndarray]:
        """Features and labels of one synthetic row for each row of a bag."""
        own, Y = X[bag], rows.Y[bag]
        near = neighbours(own, self.k, rows.nominal)
        chosen = near[np.arange(len(bag)), rng.integers(near.shape[1], size=len(bag))]
        made = between(own, own[chosen], rng)
        if len(columns.coded):
            made = with_columns(made, mode(own, near, columns), columns.coded)
        return made, ranked(Y, near)


def ranked(Y: np.ndarray, near: Ints) -> np.ndarray:
    """(n, L) labels that are on in more than half of each row and its neighbours `near` (n, k)."""
    votes = Y.astype(np.int16)
    for other in near.T:
        votes += Y[other]
    return np.asarray(2 * votes > near.shape[1] + 1, dtype=np.uint8)
