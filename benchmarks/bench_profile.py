"""Profiles whole cells part by part: forward pass, loss, backward pass and optimizer, and everything else.

    pytest benchmarks/bench_profile.py -m slow       # minutes; the table goes to results/benchmarks/profile.md

Times are processor times of one process, without imports. If one part calls another, the time counts for the inner part only.
An exception is the choice of the population size, which trains for a moment: all of its time counts for itself.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from story import markdown

from equipoise.core.errors import EquipoiseError
from equipoise.engine import population, predict, train
from equipoise.experiment import decision
from equipoise.experiment.prepared import Preparations
from equipoise.experiment.settings import Settings
from equipoise.sweep.batches import attempt
from equipoise.sweep.grouping import groups
from equipoise.sweep.plan import make_plan
from equipoise.sweep.suite import Block, Suite

pytestmark = pytest.mark.slow
SIX = ("none", "pos_weight", "focal", "asl", "ml_ros", "balanced_sampling")
CASES = {
    "mlp on yeast": ("yeast", "mlp[hidden=64]", SIX, Settings(trials=16, folds=4, epochs=20, trial_batch=16)),
    "mlp on enron-email": ("enron-email", "mlp[hidden=64]", SIX, Settings(trials=8, folds=3, epochs=20)),
    "lstm on design-emails": ("design-emails", "lstm", SIX[:3], Settings(trials=2, folds=2, epochs=4)),
}
#: Part → its functions, as (owner, name). The first four are what any training needs.
PARTS: dict[str, list[tuple[Any, str]]] = {
    "forward": [(population, "forward"), (predict, "forward")],
    "loss and its gradient": [(population.PopulationLoss, "grad_logits")],
    "backward": [(torch.Tensor, "backward")],
    "optimizer": [(population.Adam, "step")],
    "batches": [(population.ExampleBank, "gather"), (population.Population, "_drawn")],
    "scores of held-out rows": [(population.Population, "_look")],
    "choosing the population size": [(train, "population_size")],
    "filling slots": [(population.Population, "_fill"), (population.Population, "__init__")],
    "thresholds of trials": [(decision, "fit_decision_rule")],
}
INSIDE = 4
ALONE = "choosing the population size"


@dataclass
class Watch:
    """Adds up the processor seconds of each part, without those of the parts that it calls."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _inner: list[float] = field(default_factory=list)
    _alone: bool = False

    def watched(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            if self._alone:
                return function(*args, **kwargs)
            self._alone = part == ALONE
            self._inner.append(0.0)
            began = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.process_time() - began
                self.seconds[part] += took - self._inner.pop()
                if self._inner:
                    self._inner[-1] += took
                self._alone = self._alone and part != ALONE

        return run


@contextmanager
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watch = Watch()
    with monkeypatch.context() as patched:
        for part, functions in PARTS.items():
            for owner, name in functions:
                patched.setattr(owner, name, watch.watched(part, getattr(owner, name)))
        yield watch


def profiled(case: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Part → its share of the processor time of the case's cells."""
    dataset, backbone, strategies, settings = CASES[case]
    try:
        plan = make_plan(
            Suite(case, "", (Block((dataset,), (backbone,), strategies, settings, 1, 0),)), device="cpu"
        )
    except EquipoiseError as error:
        pytest.skip(str(error))
    # The first run imports modules and measures population sizes, which are then known.
    for warm in (True, False):
        chosen = plan.cells[:1] if warm else plan.cells
        preparations = Preparations()
        with watching(monkeypatch) as watch:
            began = time.process_time()
            rows = [
                row for group in groups(chosen) for _, (row, _) in attempt(group, plan.data, preparations)
            ]
            total = time.process_time() - began
        assert all(row["status"] == "ok" for row in rows), [row.get("error") for row in rows]
    shares = {part: watch.seconds[part] / total for part in PARTS}
    return {**shares, "the rest": 1 - sum(shares.values()), "seconds": total}


def test_profile(tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with a column for each case."""
    columns = {case: profiled(case, monkeypatch) for case in CASES}
    parts = [*PARTS, "the rest"]
    lines = [(part, *(f"{columns[c][part]:.1%}" for c in CASES)) for part in parts]
    outside = {c: sum(columns[c][p] for p in parts[INSIDE:]) for c in CASES}
    lines.append(("**outside of the first four**", *(f"**{outside[c]:.1%}**" for c in CASES)))
    lines.append(("processor seconds", *(f"{columns[c]['seconds']:.1f}" for c in CASES)))
    tell("profile", "Share of the processor time of whole cells, cpu", markdown(("part", *CASES), lines))
    assert all(0.0 < share < 0.6 for share in outside.values())
