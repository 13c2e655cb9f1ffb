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
    """MLSMOTE: for every positive of every rare label, add a synthetic row between it and one of its k nearest neighbours.

    A label is rare if its imbalance ratio IRLbl exceeds the mean. Numeric features are interpolated between the seed row and
    one random neighbour, each feature by its own random fraction; categories take the neighbours' most frequent value. The
    new row gets the labels that more than half of the seed and its neighbours have (the paper's ranking).

    Variant: rare labels and their positives are those of the original rows and do not change as rows are added. Neighbours
    (Euclidean distance; different categories are 1 apart) come from the positives of the same label, fewer than k if it has
    few; a label with a single positive gets no synthetic row.
    """

    name: ClassVar[str] = "mlsmote"
    changes: ClassVar[frozenset[str]] = frozenset({"rows"})
    reference: ClassVar[str] = (
        "Charte, Rivera, del Jesus & Herrera 2015, MLSMOTE: approaching imbalanced multilabel learning through synthetic "
        "instance generation, Knowledge-Based Systems, DOI 10.1016/j.knosys.2015.07.019"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"numeric"})

    k: int = tunable(5, low=3, high=10, at_least=1)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        rare = np.flatnonzero(minority(label_counts(rows.Y)))
        bags = bags_of(rows.Y, rare)
        X, columns = rows.X, Columns.of(rows.nominal)
        # Rarest first fixes the order in which labels use the random stream.
        synthetic = [
            self._offspring(X, rows, bags[b], columns, ctx.rng)
            for b in rarest_first(bags)
            if len(bags[b]) > 1
        ]
        if not synthetic:
            return rows
        stack = scipy.sparse.vstack if is_sparse(X) else np.vstack
        return rows.add(stack([x for x, _ in synthetic]), np.vstack([y for _, y in synthetic]))

    def _offspring(
        self, X: Any, rows: Rows, bag: Ints, columns: Columns, rng: np.random.Generator
    ) -> tuple[Any, np.ndarray]:
        """Features and labels of one synthetic row for each row of a label's bag (the positions of its positives)."""
        seeds, Y = X[bag], rows.Y[bag]
        near = neighbours(seeds, self.k, rows.nominal)
        chosen = near[np.arange(len(bag)), rng.integers(near.shape[1], size=len(bag))]
        synthetic = between(seeds, seeds[chosen], rng)
        if len(columns.coded):
            # A category cannot be interpolated: its codes have no order.
            synthetic = with_columns(synthetic, mode(seeds, near, columns), columns.coded)
        return synthetic, ranked(Y, near)


def ranked(Y: np.ndarray, near: Ints) -> np.ndarray:
    """Labels that more than half of a row and its k neighbours `near` (n, k) have, (n, L) of 0/1."""
    votes = Y.astype(np.int16)
    for other in near.T:
        votes += Y[other]
    return np.asarray(2 * votes > near.shape[1] + 1, dtype=np.uint8)
