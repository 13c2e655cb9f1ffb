"""Nearest neighbours in representation space, whose labels are blended with the network's probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Context, Head, Strategy
from equipoise.core.arrays import Floats

#: Rows that are compared with the training rows at once: always as many, so that a row's bits do not depend on their number.
BLOCK = 256
#: Rows this close to the k-th neighbour's similarity count as neighbours, too; so rounding cannot choose between equal rows.
TIED = 1e-6
#: Logits are clipped to ± this value.
LIMIT = 50.0


@dataclass(frozen=True)
class KNNBlend(Strategy):
    """kNN blending: mix the network's probabilities with the labels of the nearest training rows in representation space.

    p = (1 − blend) · σ(z) + blend · Σ_i a_i Y_i, over the k training rows with the highest cosine similarity s_i to the row, and
    all that tie with the k-th; a = softmax(s / temperature). A rare label whose few rows lie close together is found by its
    neighbours although the last layer has learned little about it.

    Variant: Su et al. also train the representation with a contrastive loss that is made for neighbours (see `mulsupcon`,
    which can be combined: `mulsupcon+knn_blend`); this is their inference.
    """

    name: ClassVar[str] = "knn_blend"
    tuned_on: ClassVar[str] = "objective"  # it puts the rows of a label in another order
    reference: ClassVar[str] = (
        "Su, Wang & Dai 2022, Contrastive learning-enhanced nearest neighbor mechanism for multi-label text classification, "
        "ACL, DOI 10.18653/v1/2022.acl-short.75; after Khandelwal, Levy, Jurafsky, Zettlemoyer & Lewis 2020, Generalization "
        "through memorization: nearest neighbor language models, ICLR, arXiv:1911.00172"
    )
    off: ClassVar[Mapping[str, Any]] = {"blend": 0.0}

    blend: float = tunable(0.25, low=0.0, high=1.0, at_least=0, at_most=1)
    k: int = tunable(10, low=1, high=50, log=True, at_least=1)
    temperature: float = tunable(0.1, low=0.01, high=1.0, log=True, above=0)

    def head(
        self, representation: np.ndarray, Y: np.ndarray, weight: np.ndarray, bias: np.ndarray, ctx: Context
    ) -> Head:
        return Neighbours(directions(representation), Y, min(self.k, len(Y)), self.blend, self.temperature)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Training rows with directions (n, H) of length 1 and labels Y (n, L), to be blended with logits."""

    rows: np.ndarray
    Y: np.ndarray
    k: int
    blend: float
    temperature: float

    def __call__(self, representation: np.ndarray, logits: np.ndarray) -> np.ndarray:
        if self.blend == 0:
            return logits
        z, share = logits.astype(np.float64), self.shares(representation)
        # p and 1 − p each as a sum of positive terms, which loses no digits near 0 or 1.
        p = (1 - self.blend) * scipy.special.expit(z) + self.blend * share
        q = (1 - self.blend) * scipy.special.expit(-z) + self.blend * (1 - share)
        with np.errstate(divide="ignore"):
            odds = np.log(p) - np.log(q)
        return np.clip(odds, -LIMIT, LIMIT).astype(logits.dtype)

    def shares(self, representation: np.ndarray) -> Floats:
        """(m, L) weighted share of each label among the neighbours of rows with representation (m, H)."""
        queries = directions(representation)
        padded = np.pad(queries, ((0, -len(queries) % BLOCK), (0, 0)))
        blocks = [self._shares(padded[i : i + BLOCK]) for i in range(0, len(padded), BLOCK)]
        return np.concatenate(blocks)[: len(queries)]

    def _shares(self, queries: np.ndarray) -> Floats:
        similarity = queries @ self.rows.T
        kth = np.partition(similarity, -self.k, axis=1)[:, [-self.k]]
        row, neighbour = np.nonzero(similarity >= kth - TIED)
        distance = similarity.max(1)[row].astype(np.float64) - similarity[row, neighbour]
        weights = np.exp(-distance / self.temperature)
        shape = similarity.shape
        mixture = scipy.sparse.csr_matrix((weights, (row, neighbour)), shape=shape)
        # The nearest neighbour has a weight of 1, so no sum is 0; rounding may lift a share above 1.
        return np.minimum(np.asarray(mixture @ self.Y.astype(np.float64)) / np.asarray(mixture.sum(1)), 1.0)


def directions(representation: np.ndarray) -> np.ndarray:
    """The rows (n, H) at length 1, in single precision; a row of zeros stays one."""
    lengths = np.linalg.norm(representation, axis=1, keepdims=True)
    return np.asarray(representation / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)
