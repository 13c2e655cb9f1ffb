"""A controlled world: labels, what a mail says of them, and the exact posterior. docs/controlled-world.md derives it.

    prevalence    π_l = top · imbalance^(−(l−1)/(L−1)),  l = 1..L; the parent of label l is label ⌊l/2⌋
    dependence d  P(y_l = 1 | y_parent) = (1 − d) π_l + d · y_parent · π_l / π_parent
    noise η       t_l = y_l with probability 1 − η, else a fresh draw with P(t_l = 1) = π_l
    overlap o     m_l ~ Binomial(3, t_l (1 − o) + 0.1 o): how often the mail names a part of area l

y are the marks the data come with, t what the mail is about, m all that its text tells of either. Every label keeps its
prevalence π_l whatever d, η and o are, and y its joint distribution whatever η and o are.
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

CHANCES = 3  # how often a mail may name a part of an area
IN_PASSING = 0.1  # the chance that it does where it pays no heed to what it is about
_ROW, _POPULATION = 1, 2  # random streams
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
    """What lies behind n mails, each (n, L)."""

    marked: Bools  # y: the labels of the data
    about: Bools  # t: what the mail is about
    mentions: Ints  # m: how often it names a part of the area


@dataclass(frozen=True)
class ControlledWorld:
    """The distribution of labels and mentions; the writing is in `_controlled_mails`. L = labels."""

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
        """π, (L,): from the most to the least frequent, geometric between."""
        return np.asarray(self.top * self.imbalance ** (-np.arange(self.labels) / (self.labels - 1)))

    @cached_property
    def tree(self) -> LabelTree:
        """The joint distribution of the marks."""
        rank = np.arange(self.labels)
        parent = np.maximum((rank + 1) // 2 - 1, 0)
        own = (1.0 - self.dependence) * self.prevalences
        beside = own + self.dependence * self.prevalences / self.prevalences[parent]
        chance = np.stack([own, beside], axis=1)
        chance[0] = self.prevalences[0]
        return LabelTree(parent, chance)

    @cached_property
    def phi(self) -> Floats:
        """Correlation of each two labels' marks in the population, (L, L): the product along the path between them."""
        odds = self.prevalences / (1.0 - self.prevalences)
        found = np.eye(self.labels)
        for label in range(1, self.labels):
            parent = self.tree.parent[label]
            found[label, :label] = (
                self.dependence * math.sqrt(odds[label] / odds[parent]) * found[parent, :label]
            )
            found[:label, label] = found[label, :label]
        return found

    def hidden(self, start: int, stop: int) -> Hidden:
        """What lies behind the rows start..stop. A row has its own stream, so no row depends on how many there are."""
        streams = (np.random.PCG64([self.seed, row, _ROW]) for row in range(start, stop))
        raw = np.stack([stream.random_raw(3 * self.labels) for stream in streams])
        return self._hidden(raw)

    def population(self, draws: int) -> Posterior:
        """The posterior of that many fresh mails, the same for any `seed`: for expectations over the world."""
        stream = np.random.PCG64([_POPULATION])
        parts = []
        for rows in row_chunks(draws, 8 * self.labels):
            raw = stream.random_raw((rows.stop - rows.start) * 3 * self.labels)
            parts.append(self.given(self._hidden(raw).mentions))
        return Posterior(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def given(self, mentions: Ints) -> Posterior:
        """P(y | m) of n mails from their mentions (n, L), each 0..3; NaN for mentions that cannot be."""
        about = _binomial(self._rates)  # (2, 4): P(m | t)
        slip = self.noise * np.stack(
            [self.prevalences, 1.0 - self.prevalences], axis=1
        )  # P(t ≠ y | y), (L, 2)
        likelihood = (1.0 - slip)[..., None] * about + slip[..., None] * about[::-1]
        return self.tree.posterior(likelihood[np.arange(self.labels), :, mentions])

    @property
    def _rates(self) -> Floats:
        """P(a chance to name a part is taken | t = 0, 1)."""
        return np.array([0.0, 1.0 - self.overlap]) + IN_PASSING * self.overlap

    def _hidden(self, raw: Any) -> Hidden:
        """From 3 L random numbers a row. Each knob only moves what its numbers are held against."""
        for_y, for_t, for_m = ((raw.reshape(-1, 3, self.labels) >> 11) * 2.0**-53).transpose(1, 0, 2)
        marked = self.tree.draw(for_y)
        about = for_t < np.where(marked, 1.0 - self.noise, 0.0) + self.noise * self.prevalences
        steps = np.cumsum(_binomial(self._rates), axis=1)[:, :-1]
        mentions = (for_m[..., None] >= steps[about.astype(np.intp)]).sum(axis=-1)
        return Hidden(marked, about, mentions)


def check_ranges(name: str, knobs: object, limits: Mapping[str, tuple[float, float]]) -> None:
    """Raise EquipoiseError for the first knob that is not between its limits."""
    for knob, (low, high) in limits.items():
        if not low <= getattr(knobs, knob) <= high:
            given = f"{knob}={getattr(knobs, knob)}"
            raise EquipoiseError(f"{name}: {given} is out of range ({low:g} to {high:g})")


def _binomial(rates: Floats) -> Floats:
    """P(0..3 of 3 chances are taken) at each rate, (len(rates), 4)."""
    k = np.arange(CHANCES + 1)
    ways = np.array([math.comb(CHANCES, int(i)) for i in k])
    return np.asarray(ways * rates[:, None] ** k * (1.0 - rates[:, None]) ** (CHANCES - k))
