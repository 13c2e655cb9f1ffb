"""Strategies whose hooks are misspelt or cannot be called. `fault` names the check that must find it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equipoise.contracts.strategy import Strategy, bce


class Planted(Strategy):
    """Common to all of this file."""

    reference = "planted for the tests, 2026"
    fault = "hooks"


@dataclass(frozen=True)
class Misspelt(Planted):
    """Weigh positives up in a loss that nobody calls."""

    name = "misspelt_loss"

    def losses(self, logits, targets, ctx):
        return (1.0 + targets) * bce(logits, targets)


@dataclass(frozen=True)
class Idle(Planted):
    """Do nothing at all."""

    name = "idle"


@dataclass(frozen=True)
class WithoutContext(Planted):
    """Weigh positives up, without the last argument of the hook."""

    name = "loss_without_context"

    def loss(self, logits, targets):
        return (1.0 + targets) * bce(logits, targets)


@dataclass(frozen=True)
class NoMethod(Planted):
    """Hold weights where a method should be."""

    name = "weights_no_method"
    weights = np.ones(3)  # type: ignore[assignment]


@dataclass(frozen=True)
class British(Planted):
    """Declare lanes under a name that nobody reads."""

    name = "british_spelling"
    fault = "attributes"
    vectorised = True

    def loss(self, logits, targets, ctx):
        return (1.0 + targets) * bce(logits, targets)
