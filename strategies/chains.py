"""Classifier chains: each label's network sees the labels before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import Task

ORDERS = ("given", "frequent", "rare")


@dataclass(frozen=True)
class ClassifierChain(Strategy):
    """A network for every label that also sees the labels before it in a chain: true ones in training, predicted ones after.

    So all networks train side by side, and predict in turn. Early stopping watches held-out rows with their true labels as
    inputs (teacher forcing); thresholds and the search see only what the chain itself predicts. `order`: the columns as they
    are given (the paper's), the most frequent label first, or the rarest.
    """

    name: ClassVar[str] = "classifier_chain"
    reference: ClassVar[str] = "Read, Pfahringer, Holmes & Frank 2011, DOI 10.1007/s10994-011-5256-5"
    requires: ClassVar[frozenset[str]] = frozenset({"labels", "given"})

    order: str = tunable("given", choices=ORDERS)

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        counts = Y.sum(0, dtype=np.int64)
        key = {"given": np.zeros_like(counts), "frequent": -counts, "rare": counts}[self.order]
        return chain(np.argsort(key, kind="stable"))


@dataclass(frozen=True)
class EnsembleChains(Strategy):
    """m classifier chains, each in a random order and on a random share of the rows; their log-odds are averaged.

    The paper lets the chains vote with their decisions; averaging their log-odds keeps how sure each one is, which ranking
    and thresholds need. The shares are drawn without replacement (the paper's 67 %).
    """

    name: ClassVar[str] = "ensemble_chains"
    reference: ClassVar[str] = "Read, Pfahringer, Holmes & Frank 2009, DOI 10.1007/978-3-642-04174-7_17"
    requires: ClassVar[frozenset[str]] = frozenset({"labels", "given"})

    m: int = 10
    share: float = tunable(0.67, low=0.3, high=1.0)

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        n, labels = Y.shape
        size = max(1, round(self.share * n))
        return [
            task
            for _ in range(self.m)
            for task in chain(ctx.rng.permutation(labels), np.sort(ctx.rng.permutation(n)[:size]))
        ]


def chain(order: np.ndarray, rows: np.ndarray | None = None) -> list[Task]:
    """One task for each label of an order (L,), given the labels before it, all on the same rows."""
    labels = [int(label) for label in order]
    return [
        Task((label,), rows=rows, label_inputs=tuple(labels[:place])) for place, label in enumerate(labels)
    ]
