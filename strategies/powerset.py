"""Label powerset and RAkEL: labelsets learned as exclusive classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import Task

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LabelPowerset(Strategy):
    """Every labelset of the training rows is a class of one softmax; a label's odds are those of the classes that hold it.

    A labelset that training never showed cannot be predicted as such, but at thresholds per label its labels can.
    It owns the loss, too (softmax cross-entropy): no other loss can be composed with it.
    """

    name: ClassVar[str] = "label_powerset"
    reference: ClassVar[str] = "Boutell, Luo, Shen & Brown 2004, DOI 10.1016/j.patcog.2004.03.009"

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        return [labelset_task(Y, np.arange(Y.shape[1]))]

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return -(targets * logits.log_softmax(-1)).sum(-1)


@dataclass(frozen=True)
class RAkELd(LabelPowerset):
    """Labels dealt at random into disjoint k-labelsets, each learned as a label powerset by a network of its own."""

    name: ClassVar[str] = "rakel_d"
    reference: ClassVar[str] = "Tsoumakas, Katakis & Vlahavas 2011, DOI 10.1109/TKDE.2010.164"
    requires: ClassVar[frozenset[str]] = frozenset({"labels"})

    k: int = tunable(3, low=2, high=6)

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        return [labelset_task(Y, part) for part in dealt(Y.shape[1], self.k, ctx.rng)]


@dataclass(frozen=True)
class RAkELo(LabelPowerset):
    """m = multiple · L different random k-labelsets that overlap, each a label powerset; a label's log-odds are averaged.

    This variant: the first ⌈L / k⌉ labelsets deal out all labels, so that none is left without a vote (the paper's draw may
    leave some); the paper averages 0/1 votes, this averages log-odds, which ranking and thresholds need.
    """

    name: ClassVar[str] = "rakel_o"
    reference: ClassVar[str] = (
        "Tsoumakas & Vlahavas 2007, DOI 10.1007/978-3-540-74958-5_38; Tsoumakas, Katakis & Vlahavas 2011, "
        "DOI 10.1109/TKDE.2010.164"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"labels"})

    k: int = tunable(3, low=2, high=6)
    multiple: float = tunable(2.0, low=1.0, high=4.0)

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        labels, k = Y.shape[1], min(self.k, Y.shape[1])
        chosen = {tuple(sorted(part.tolist())): None for part in dealt(labels, k, ctx.rng)}
        wanted = max(len(chosen), min(round(self.multiple * labels), comb(labels, k)))
        while len(chosen) < wanted:
            chosen[tuple(sorted(ctx.rng.permutation(labels)[:k].tolist()))] = None
        return [labelset_task(Y, np.array(part)) for part in chosen]


def dealt(labels: int, k: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Labels 0..labels−1 in random disjoint parts of k; the last may be smaller."""
    order = rng.permutation(labels)
    return [order[start : start + k] for start in range(0, labels, k)]


def labelset_task(Y: np.ndarray, columns: np.ndarray) -> Task:
    """The task of telling the labelsets apart that the rows of Y (n, L) have in these columns."""
    return Task(tuple(int(c) for c in columns), classes=np.unique(Y[:, columns], axis=0))
