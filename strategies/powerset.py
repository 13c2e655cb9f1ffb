"""Label powerset and RAkEL: labelsets learned as the exclusive classes of a softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from equipoise.contracts.equality import Equality, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import Task, majority_vote

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.contracts.backbone import Backbone


@dataclass(frozen=True)
class LabelPowerset(Strategy):
    """Label powerset: every labelset that occurs in training is one class of a softmax.

    Its own decision is the most probable labelset, as in the paper: one that occurs in training. A label's score is the log-odds
    of the total probability of the classes that contain it. Thresholds, and any score map or decision composed with this
    strategy, decide label by label from these scores, so that a combination never seen in training can be predicted. The loss
    is softmax cross-entropy, so no other loss can be composed with this strategy.
    """

    name: ClassVar[str] = "label_powerset"
    reference: ClassVar[str] = (
        "Boutell, Luo, Shen & Brown 2004, Learning multi-label scene classification, Pattern Recognition, DOI "
        "10.1016/j.patcog.2004.03.009"
    )
    exclusive: ClassVar[bool] = True

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        return [labelset_task(Y, np.arange(Y.shape[1]))]

    def vote(self, tasks: Sequence[Task], logits: Sequence[np.ndarray], ctx: Context) -> np.ndarray:
        return majority_vote(tasks, logits, len(ctx.n_pos))

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return -(targets * logits.log_softmax(-1)).sum(-1)


@dataclass(frozen=True)
class RAkELd(LabelPowerset):
    """RAkEL with disjoint labelsets: split the labels at random into groups of k, with a label powerset for each group.

    Its own decision is the most probable labelset of each group.
    """

    name: ClassVar[str] = "rakel_d"
    reference: ClassVar[str] = (
        "Tsoumakas, Katakis & Vlahavas 2011, Random k-labelsets for multilabel classification, IEEE TKDE, DOI "
        "10.1109/TKDE.2010.164"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"labels"})

    k: int = tunable(3, low=2, high=6, at_least=1)  # labels per group

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        return one_group(self, n_labels, "k")

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        return [labelset_task(Y, part) for part in dealt(Y.shape[1], self.k, ctx.rng)]


@dataclass(frozen=True)
class RAkELo(LabelPowerset):
    """RAkEL with overlapping labelsets: m = multiple · L random groups of k labels, each a label powerset, which vote.

    Its own decision is the paper's: each group votes with its most probable labelset, and a label is predicted if more than half
    of the groups that hold it vote for it. A label's score is the mean of the groups' log-odds, which ranking metrics and
    thresholds need (the paper has the mean of the votes, with many ties).

    Variant: the first ⌈L / k⌉ groups partition the labels, so that each label is in at least one group (the paper's draw may
    miss some).
    """

    name: ClassVar[str] = "rakel_o"
    reference: ClassVar[str] = (
        "Tsoumakas & Vlahavas 2007, Random k-labelsets: an ensemble method for multilabel classification, ECML, DOI "
        "10.1007/978-3-540-74958-5_38; Tsoumakas, Katakis & Vlahavas 2011, Random k-labelsets for multilabel classification, "
        "IEEE TKDE, DOI 10.1109/TKDE.2010.164"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"labels"})

    k: int = tunable(3, low=2, high=6, at_least=1)
    multiple: float = tunable(2.0, low=1.0, high=4.0, above=0)  # groups per label; the cost grows with it

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        return one_group(self, n_labels, "k", "multiple")

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        labels, k = Y.shape[1], min(self.k, Y.shape[1])
        # A dictionary serves as an ordered set: a set of tuples would be iterated in an order that depends on hashing.
        groups = {tuple(sorted(part.tolist())): None for part in dealt(labels, k, ctx.rng)}
        # There are only C(L, k) different groups; asking for more would never end.
        m = max(len(groups), min(round(self.multiple * labels), comb(labels, k)))
        while len(groups) < m:
            groups[tuple(sorted(ctx.rng.permutation(labels)[:k].tolist()))] = None
        return [labelset_task(Y, np.array(part)) for part in groups]


def one_group(strategy: RAkELd | RAkELo, n_labels: int, *settings: str) -> list[Equality]:
    """RAkEL with a single group of all labels is a label powerset; these settings must be fixed."""
    single = strategy.k >= n_labels and strategy.fixed.issuperset(settings)
    return same("label_powerset" if single else None, "its only group holds all labels")


def dealt(labels: int, k: int, rng: np.random.Generator) -> list[np.ndarray]:
    """A random partition of the labels 0 .. labels − 1 into groups of k; the last group may be smaller."""
    order = rng.permutation(labels)
    # Sorted, since the order inside a group would only change the order of its classes, and with it their initial weights.
    return [np.sort(order[start : start + k]) for start in range(0, labels, k)]


def labelset_task(Y: np.ndarray, columns: np.ndarray) -> Task:
    """The task of predicting which labelset a row has in these columns; its classes are those that occur in Y (n, L)."""
    return Task(tuple(int(c) for c in columns), classes=np.unique(Y[:, columns], axis=0))
