"""Advice on a plugin that conforms: what would make it faster."""

from __future__ import annotations

import dataclasses
from typing import Any

from equipoise.contracts.strategy import Strategy
from equipoise.testing.exam import Exam
from equipoise.testing.guard import one_thread, unchanged
from equipoise.testing.many_lanes import check_many_lanes
from equipoise.testing.worlds import worlds

VECTORIZED = "loss() takes many lanes at once already: set vectorized = True, and it trains faster than through torch.vmap"


def hints(plugin: Any) -> list[str]:
    """Sentences about a strategy whose loss would pass with `vectorized = True`; [] for anything else."""
    if not isinstance(plugin, Strategy):
        return []
    return [f"{part.name}: {VECTORIZED}" for part in plugin.parts if _would_pass(part)]


def _would_pass(strategy: Strategy) -> bool:
    if "loss" not in strategy.stages or strategy.vectorized or strategy.exclusive:
        return False
    cls: Any = type(type(strategy).__name__, (type(strategy),), {"vectorized": True})
    trial = cls(**{f.name: getattr(strategy, f.name) for f in dataclasses.fields(strategy)})
    exam = Exam(trial)
    with one_thread(), unchanged(lambda what: None):
        for name in ("usual", "one label", "absent label"):
            world = worlds()[name]
            exam.attempt("loss", name, lambda world=world: check_many_lanes(exam, world))  # type: ignore[misc]
    return not exam.findings.all()
