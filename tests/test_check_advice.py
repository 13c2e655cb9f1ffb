"""Findings of the kit say what to do about this fault, and say it once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from equipoise import Strategy, bce, tunable
from equipoise.testing import CHECKS, check


@dataclass(frozen=True)
class Distances(Strategy):
    """Looks at the features of all rows."""

    name = "distances"
    reference = "made up, 2026"

    def resample(self, rows: Any, ctx: Any) -> Any:
        return rows.take(np.argsort(np.asarray(rows.X[:, :1].sum(1)).ravel(), kind="stable"))


@dataclass(frozen=True)
class LeftDimensions(Strategy):
    """Counts dimensions from the left."""

    name = "left_dimensions"
    reference = "made up, 2026"
    vectorized = True

    def loss(self, logits: Any, targets: Any, ctx: Any) -> Any:
        return bce(logits, targets) / logits.exp().sum(2, keepdim=True)


@dataclass(frozen=True)
class Thresholds(Strategy):
    """Returns thresholds where a function is asked for."""

    name = "thresholds_only"
    reference = "made up, 2026"

    def decide(self, logits: Any, Y: Any, ctx: Any) -> Any:
        return np.quantile(logits, 0.9, axis=0)


@dataclass(frozen=True)
class Misspelt(Strategy):
    """Focal loss whose `off` names no field."""

    name = "misspelt_off"
    reference = "made up, 2026"
    off = {"gama": 0.0}  # noqa: RUF012 - as users write it

    gamma: float = tunable(1.0, low=0.0, high=2.0)

    def loss(self, logits: Any, targets: Any, ctx: Any) -> Any:
        return bce(logits, targets) * (1 + self.gamma)


@dataclass(frozen=True)
class TwoArguments(Strategy):
    """A loss without ctx."""

    name = "two_arguments"
    reference = "made up, 2026"

    def loss(self, logits: Any, targets: Any) -> Any:  # type: ignore[override]
        return bce(logits, targets)


@dataclass(frozen=True)
class Inverse(Strategy):
    """Weights by the inverse frequency, which may be infinite."""

    name = "inverse_frequency"
    reference = "made up, 2026"

    def loss(self, logits: Any, targets: Any, ctx: Any) -> Any:
        return bce(logits, targets) * (targets * 0 + ctx.n_pos) / ctx.n_pos


def test_a_resampler_that_needs_numbers_is_told_to_declare_it() -> None:
    (found,) = check(Distances)
    assert (found.check, found.world) == ("raises", "text")
    assert str(found).endswith('declares requires = frozenset({"numeric"})')


def test_the_shape_error_of_a_vectorised_loss_has_the_advice_on_lanes() -> None:
    found = check(LeftDimensions)
    assert found[0].check == "raises"
    assert found[0].remedy == CHECKS["lanes"]


@pytest.mark.parametrize(
    ("plugin", "rule"), [(Thresholds, "shapes"), (Misspelt, "off"), (TwoArguments, "hooks")]
)
def test_one_fault_is_one_finding(plugin: Any, rule: str) -> None:
    found = check(plugin)
    assert [f.check for f in found] == [rule], "\n".join(map(str, found))


def test_a_loss_of_nan_is_not_called_random() -> None:
    found = check(Inverse)
    assert {f.check for f in found} <= {"finite"}, "\n".join(map(str, found))
    assert "a label may have no positive row (n_pos = 0): clamp(min=1)" in found[0].problem
