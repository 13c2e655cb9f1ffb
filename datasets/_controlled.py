"""A controlled world: labels, what a mail says of them, and the exact posterior. docs/controlled-world.md derives it.

    prevalence    π_l = top · imbalance^(−(l−1)/(L−1)),  l = 1..L; the parent of label l is label ⌊l/2⌋
    dependence d  P(y_l = 1 | y_parent) = (1 − d) π_l + d · y_parent · π_l / π_parent
    noise η       t_l = y_l with probability 1 − η, else a fresh draw with P(t_l = 1) = π_l
    overlap o     m_l ~ Binomial(3, t_l (1 − o) + 0.1 o): how often the mail names a part of area l

y are the labels in the data, t is what the mail is about, and m is all that its text reveals about either. The prevalence
π_l of a label does not depend on d, η and o, and the joint distribution of y does not depend on η and o.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from equipoise.bayes import Posterior
from equipoise.core.arrays import Bools, Floats, Ints, row_chunks
from equipoise.core.errors import EquipoiseError
from equipoise.datasets._label_tree import LabelTree

CHANCES = 3  # the largest number of times that a mail names a part of one area
IN_PASSING = 0.1  # the probability of naming a part at overlap 1, where mentions do not depend on the subject
_ROW, _POPULATION = 1, 2  # numbers of the random streams: one for each row, one for `population`
LIMITS = {
    "labels": (2, 1000),
    "top": (0.001, 0.95),
    "imbalance": (1, 1e3),
    "dependence": (0, 1),
    "noise": (0, 1),
    "overlap": (0, 1),
    "seed": (0, 2**63),
}


class Hidden(NamedTuple):
    """The hidden variables of n mails, each (n, L)."""

    marked: Bools  # y: the labels in the data
    about: Bools  # t: what the mail is about
    mentions: Ints  # m: how often it names a part of the area


@dataclass(frozen=True)
class ControlledWorld:
    """The distribution of labels and mentions; `_controlled_mails` turns mentions into text. L = labels."""

    name: str
    labels: int
    top: float
    imbalance: float
    dependence: float
    noise: float
    overlap: float
    seed: int

    def __post_init__(self) -> None:
        check_ranges(self.name, self, LIMITS)

    @cached_property
    def prevalences(self) -> Floats:
        """π, (L,): a geometric sequence from the most to the least frequent label."""
        return np.asarray(self.top * self.imbalance ** (-np.arange(self.labels) / (self.labels - 1)))

    @cached_property
    def tree(self) -> LabelTree:
        """The joint distribution of the labels y."""
        rank = np.arange(self.labels)
        parent = np.maximum((rank + 1) // 2 - 1, 0)  # a binary heap: the parent of l is ⌊l/2⌋, counted from 1
        without_parent = (1.0 - self.dependence) * self.prevalences
        with_parent = without_parent + self.dependence * self.prevalences / self.prevalences[parent]
        chance = np.stack([without_parent, with_parent], axis=1)
        chance[0] = self.prevalences[0]  # the root has no parent
        return LabelTree(parent, chance)

    @cached_property
    def phi(self) -> Floats:
        """The correlation of every two labels y in the population, (L, L).

        In a tree it is the product of the correlations along the path between the two labels.
        """
        odds = self.prevalences / (1.0 - self.prevalences)
        phi = np.eye(self.labels)
        for label in range(1, self.labels):
            parent = self.tree.parent[label]
            phi[label, :label] = self.dependence * math.sqrt(odds[label] / odds[parent]) * phi[parent, :label]
            phi[:label, label] = phi[label, :label]
        return phi

    def hidden(self, start: int, stop: int) -> Hidden:
        """The hidden variables of the rows start..stop - 1.

        Each row has a random stream of its own, so a row does not depend on how many rows are generated.
        """
        streams = (np.random.PCG64([self.seed, row, _ROW]) for row in range(start, stop))
        raw = np.stack([stream.random_raw(3 * self.labels) for stream in streams])
        return self._hidden(raw)

    def population(self, draws: int) -> Posterior:
        """The posterior of `draws` new mails, for expectations over the population; it does not depend on `seed`."""
        stream = np.random.PCG64([_POPULATION])
        parts = []
        for rows in row_chunks(draws, 8 * self.labels):
            raw = stream.random_raw((rows.stop - rows.start) * 3 * self.labels)
            parts.append(self.given(self._hidden(raw).mentions))
        return Posterior(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def given(self, mentions: Ints) -> Posterior:
        """P(y | m) of n mails from their mentions (n, L), each 0..3; NaN for mentions of probability zero."""
        mentions_given_t = _binomial(self._rates)  # (2, 4): P(m | t)
        # P(t ≠ y | y), (L, 2): with noise, t is a fresh draw, which differs from y = 0 with probability π.
        slip = self.noise * np.stack([self.prevalences, 1.0 - self.prevalences], axis=1)
        # P(m | y), (L, 2, 4): the sum over t, where mentions_given_t[::-1] is the mention distribution for t ≠ y.
        likelihood = (1.0 - slip)[..., None] * mentions_given_t + slip[..., None] * mentions_given_t[::-1]
        return self.tree.posterior(likelihood[np.arange(self.labels), :, mentions])

    @property
    def _rates(self) -> Floats:
        """The probability of one mention given t = 0 and given t = 1, (2,)."""
        return np.array([0.0, 1.0 - self.overlap]) + IN_PASSING * self.overlap

    def _hidden(self, raw: Any) -> Hidden:
        """The hidden variables from 3 L random numbers a row.

        The random numbers do not depend on the options; an option only moves the thresholds that they are compared with.
        So two worlds with the same seed differ in no more than their options require.
        """
        # The upper 53 bits of each integer become a float64 in [0, 1).
        for_y, for_t, for_m = ((raw.reshape(-1, 3, self.labels) >> 11) * 2.0**-53).transpose(1, 0, 2)
        marked = self.tree.draw(for_y)
        about = for_t < np.where(marked, 1.0 - self.noise, 0.0) + self.noise * self.prevalences
        steps = np.cumsum(_binomial(self._rates), axis=1)[:, :-1]
        mentions = (for_m[..., None] >= steps[about.astype(np.intp)]).sum(axis=-1)
        return Hidden(marked, about, mentions)


def check_ranges(name: str, knobs: object, limits: Mapping[str, tuple[float, float]]) -> None:
    """Raise EquipoiseError for the first option of `knobs` that is outside its limits (low and high, inclusive)."""
    for knob, (low, high) in limits.items():
        if not low <= getattr(knobs, knob) <= high:
            setting = f"{knob}={getattr(knobs, knob)}"
            raise EquipoiseError(f"{name}: {setting} is out of range ({low:g} to {high:g})")


def _binomial(rates: Floats) -> Floats:
    """The binomial distribution of 0..3 mentions in 3 trials for each rate, (len(rates), 4)."""
    k = np.arange(CHANCES + 1)
    ways = np.array([math.comb(CHANCES, int(i)) for i in k])
    return np.asarray(ways * rates[:, None] ** k * (1.0 - rates[:, None]) ** (CHANCES - k))
