"""Declarations of `same_as` with one fault each, and correct twins. `fault` names the check that must find it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equipoise.contracts.equality import Equality, counterpart, same
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Strategy, bce
from equipoise.strategies import weighting


class Declaring(Strategy):
    """Common to all of this file."""

    reference = "planted for the tests, 2026"
    fault = ""


class Weighted(Declaring):
    """Positives weigh more by how rare they are."""

    def loss(self, logits, targets, ctx):
        n_pos = ctx.n_pos.clamp(min=1.0)
        return (1.0 + (((ctx.n_rows - n_pos) / n_pos) ** self.power - 1.0) * targets) * bce(logits, targets)


@dataclass(frozen=True)
class WeighedByAnotherName(Weighted):
    """Correct: it is `pos_weight`, and at power 0 nothing."""

    name = "weighed_by_another_name"
    power: float = tunable(1.0, low=0.0, high=1.5)

    def same_as(self, backbone, n_labels):
        none = "none" if self.fixed_at(power=0.0) else None
        return [
            *same(counterpart(self, weighting.PosWeight), "it is the same loss"),
            *same(none, "all weights are 1"),
        ]


@dataclass(frozen=True)
class WeightOfNoEffect(Weighted):
    """A loss that changes the order of rows, and says that it does not."""

    name, fault = "weight_of_no_effect", "same_as"
    power: float = tunable(1.0, low=0.0, high=1.5)

    def same_as(self, backbone, n_labels):
        return same("none", "Adam is indifferent to a factor", ["map", "tuned"])


@dataclass(frozen=True)
class HiddenLayerForgotten(Weighted):
    """What it declares is false with a hidden layer only: there a label's weight changes what the layer learns."""

    name, fault = "hidden_layer_forgotten", "same_as"
    power: float = tunable(1.0, low=0.0, high=1.5)

    def same_as(self, backbone, n_labels):
        return same("none" if backbone.name == "mlp" else None, "labels share no parameters", ["map"])


@dataclass(frozen=True)
class ConditionForgotten(Weighted):
    """True at power 0 alone, and declared for every power."""

    name, fault = "condition_forgotten", "same_as"
    power: float = tunable(0.0, low=0.0, high=1.5)

    def same_as(self, backbone, n_labels):
        return same("none", "all weights are 1")


@dataclass(frozen=True)
class Lifting(Declaring):
    """Adds a constant to all scores."""

    name = "lifting"

    def same_as(self, backbone, n_labels):
        return same("none", "a constant keeps the order", ["map", "tuned"])

    def adjust(self, logits, Y, ctx):
        return lambda z: (z + 3.0).astype(z.dtype)


@dataclass(frozen=True)
class LiftingAtHalf(Lifting):
    """Adds a constant, and says that decisions at one half stay."""

    name, fault = "lifting_at_half", "same_as"

    def same_as(self, backbone, n_labels):
        return same("none", "a constant keeps the order", ["map", "fixed", "tuned"])


@dataclass(frozen=True)
class Centred(Declaring):
    """Subtracts the mean of a row's scores, which changes the order of the rows of a label."""

    name, fault = "centred", "same_as"

    def same_as(self, backbone, n_labels):
        return same("none", "a constant in every row", ["map"])

    def adjust(self, logits, Y, ctx):
        return lambda z: (z - z.mean(1, keepdims=True)).astype(z.dtype)


@dataclass(frozen=True)
class Collapsed(Declaring):
    """Makes all scores equal, which keeps no order."""

    name, fault = "collapsed", "same_as"

    def same_as(self, backbone, n_labels):
        return same("none", "no row comes before another", ["map"])

    def adjust(self, logits, Y, ctx):
        return lambda z: np.zeros_like(z)


@dataclass(frozen=True)
class ColumnThatIsNone(Lifting):
    """Names a column that does not exist."""

    name, fault = "column_that_is_none", "raises"

    def same_as(self, backbone, n_labels):
        return [Equality("none", {"mean_average_precision": "map"}, "a constant keeps the order")]


@dataclass(frozen=True)
class UnknownPartner(Lifting):
    """Names a strategy that does not exist."""

    name, fault = "unknown_partner", "raises"

    def same_as(self, backbone, n_labels):
        return same("nonne", "a constant keeps the order", ["map", "tuned"])
