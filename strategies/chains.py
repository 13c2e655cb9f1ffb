"""Classifier chains: each label's network also takes the labels earlier in the chain as inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.options import option
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import Task, majority_vote

#: Order of the chain: as the columns come, or by descending or ascending number of positives.
ORDERS = ("given", "frequent", "rare")


@dataclass(frozen=True)
class ClassifierChain(Strategy):
    """Classifier chain: each label's network also takes the earlier labels of the chain as inputs.

    In training the inputs are the true labels, so all networks are trained side by side; in prediction they are the chain's
    own predictions, one label after the other. Early stopping scores held-out rows with their true labels as inputs (teacher
    forcing); thresholds and the hyperparameter search see only what the chain itself predicts. The fixed decision, a logit above
    0, is the chain's own: it is what the later labels get as inputs.

    `order`: "given" follows the columns (as in the paper), "frequent" starts with the most frequent label, "rare" with the
    rarest.
    """

    name: ClassVar[str] = "classifier_chain"
    reference: ClassVar[str] = (
        "Read, Pfahringer, Holmes & Frank 2011, Classifier chains for multi-label classification, Machine Learning, DOI "
        "10.1007/s10994-011-5256-5"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"labels", "given"})

    order: str = tunable("given", choices=ORDERS)

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        counts = Y.sum(0, dtype=np.int64)
        key = {"given": np.zeros_like(counts), "frequent": -counts, "rare": counts}[self.order]
        # Stable: labels of equal frequency keep the order of their columns.
        return chain(np.argsort(key, kind="stable"))


@dataclass(frozen=True)
class EnsembleChains(Strategy):
    """Ensemble of m classifier chains, each with a random label order and a random subset of the rows, which vote.

    Its own decision counts the 0/1 votes of the chains, as in the paper, and predicts a label if more than half of them do. A
    label's score is the mean of the chains' log-odds, which keeps each chain's confidence. Subsets are drawn without
    replacement and hold 67 % of the rows, as in the paper.

    Variant: the paper moves the threshold of the votes from one half to where the predicted number of labels per row is that of
    the training rows; tuned thresholds serve the same purpose here.
    """

    name: ClassVar[str] = "ensemble_chains"
    reference: ClassVar[str] = (
        "Read, Pfahringer, Holmes & Frank 2009, Classifier chains for multi-label classification, ECML PKDD, DOI "
        "10.1007/978-3-642-04174-7_17"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"labels", "given"})

    m: int = option(10, at_least=1)  # chains, the paper's number; each trains one network per label
    share: float = tunable(0.67, low=0.3, high=1.0, above=0, at_most=1)  # of the rows, for each chain

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        n, labels = Y.shape
        size = max(1, round(self.share * n))
        return [
            task
            for _ in range(self.m)
            for task in chain(ctx.rng.permutation(labels), np.sort(ctx.rng.permutation(n)[:size]))
        ]

    def vote(self, tasks: Sequence[Task], logits: Sequence[np.ndarray], ctx: Context) -> np.ndarray:
        return majority_vote(tasks, logits, len(ctx.n_pos))


def chain(order: np.ndarray, rows: np.ndarray | None = None) -> list[Task]:
    """One task for each label of an order (L,), with the earlier labels as inputs; all use the same rows (None: all rows)."""
    labels = [int(label) for label in order]
    return [Task((label,), rows=rows, label_inputs=tuple(labels[:i])) for i, label in enumerate(labels)]
