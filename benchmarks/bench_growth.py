"""Measures how the time of training and searching grows with rows, labels, lanes and trials.

    pytest benchmarks/bench_growth.py -m slow      # minutes; the tables go to results/benchmarks/growth.md

Times are processor times, the median of several tries. The exponent is the slope of log time over log size, over all sizes and
between the last two: 0 means constant, 1 linear.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from contest import clocked
from plain_training import BATCH
from scenarios import FEATURES, lanes, numbers
from story import markdown

from equipoise import get_strategy
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import space
from equipoise.engine.population import Population
from equipoise.experiment.search.proposals import new_study
from equipoise.experiment.search.trials import shared_space
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Dense

CPU = torch.device("cpu")
# Three chunks of steps, and one to warm up: batches are drawn for a chunk of 64 steps at once.
STEPS, WARM = 192, 64
pytestmark = pytest.mark.slow

Tell = Callable[[str, str, str], None]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with repeatable(CPU):
        yield


def data_of(rows: int, labels: int) -> tuple[Dense, np.ndarray]:
    """Numbers of yeast's shape, repeated to fill the rows; labels with 50 % to .5 % positives."""
    X, _ = numbers(min(rows, 10_000))
    rng = np.random.default_rng(0)
    Y = (rng.random((rows, labels)) < np.geomspace(0.5, 0.005, labels)).astype(np.uint8)
    return Dense.of(np.resize(X, (rows, FEATURES))), Y


def advancing(rows: int, labels: int, count: int, steps: int = STEPS, tries: int = 3) -> float:
    """CPU seconds in which `count` lanes of an mlp take some steps, after a warm-up."""
    inputs, Y = data_of(rows, labels)
    population = Population(lanes("mlp[hidden=64]", Y, count, 10**9), inputs, BATCH, CPU)
    population.advance(WARM)
    return statistics.median(clocked(lambda: population.advance(steps), CPU)[1] for _ in range(tries))


def exponents(sizes: Sequence[int], seconds: Sequence[float]) -> str:
    """The exponents of growth in words: over all sizes, and between the last two."""
    x, y = np.log(sizes), np.log(seconds)
    return (
        f"exponent {np.polyfit(x, y, 1)[0]:.2f}, between the last two {(y[-1] - y[-2]) / (x[-1] - x[-2]):.2f}"
    )


def grown(
    benchmark: Any, facts: dict[str, Any], what: str, sizes: Sequence[int], measure: Callable[[int], float]
) -> list[float]:
    """Measure each size once; all sizes together are one benchmark."""
    benchmark.group = f"growth with {what}"
    seconds: list[float] = []
    benchmark.pedantic(lambda: seconds.extend(measure(n) for n in sizes), rounds=1)
    facts["growth"] = dict(zip(map(str, sizes), seconds, strict=True))
    return seconds


def test_rows(benchmark: Any, facts: dict[str, Any], tell: Tell) -> None:
    """The time of a step does not depend on the number of rows; that of an epoch is proportional to it."""
    sizes = (1_000, 10_000, 100_000, 1_000_000)
    steps = grown(benchmark, facts, "rows", sizes, lambda n: advancing(n, 14, 16))
    epochs = [advancing(n, 14, 2, steps=n // BATCH, tries=1) for n in sizes]
    lines = [
        (f"{n:,}", f"{s / STEPS / 16 * 1e6:.0f}", f"{e:.3g}")
        for n, s, e in zip(sizes, steps, epochs, strict=True)
    ]
    table = markdown(("rows", "µs a lane and step, 16 lanes", "seconds an epoch of 2 lanes"), lines)
    text = f"{STEPS} steps: {exponents(sizes, steps)}. A whole epoch: {exponents(sizes, epochs)}."
    tell("growth", "Rows (mlp, 14 labels)", f"{table}\n\n{text}")
    # Ten times the rows: nothing may be quadratic.
    assert epochs[-1] / epochs[-2] < 30


def test_labels(benchmark: Any, facts: dict[str, Any], tell: Tell) -> None:
    """The last layer, the loss and the optimizer grow linearly with the labels."""
    sizes = (5, 20, 100, 300, 1000)
    seconds = grown(benchmark, facts, "labels", sizes, lambda n: advancing(2000, n, 16))
    lines = [(f"{n:,}", f"{s / STEPS / 16 * 1e6:.0f}") for n, s in zip(sizes, seconds, strict=True)]
    table = markdown(("labels", "µs a lane and step, 16 lanes"), lines)
    tell("growth", "Labels (mlp, 2000 rows)", f"{table}\n\n{STEPS} steps: {exponents(sizes, seconds)}.")
    assert seconds[-1] / seconds[0] < 2 * sizes[-1] / sizes[0]


def test_lanes(benchmark: Any, facts: dict[str, Any], tell: Tell) -> None:
    """The fixed cost of a step is shared by more lanes."""
    sizes = (1, 4, 16, 64, 256)
    seconds = grown(benchmark, facts, "lanes", sizes, lambda n: advancing(2000, 14, n))
    lines = [
        (f"{n:,}", f"{s / STEPS * 1e3:.2f}", f"{s / STEPS / n * 1e6:.0f}")
        for n, s in zip(sizes, seconds, strict=True)
    ]
    table = markdown(("lanes", "ms a step", "µs a lane and step"), lines)
    tell(
        "growth",
        "Lanes (mlp, 2000 rows, 14 labels)",
        f"{table}\n\n{STEPS} steps: {exponents(sizes, seconds)}.",
    )
    assert seconds[-1] / seconds[0] < 2 * sizes[-1] / sizes[0]


def proposing(trials: int) -> float:
    """CPU seconds of proposing trials over the search space of mlp and focal, in batches of 4 as in a search."""
    validator: Any = SimpleNamespace(backbone=get_backbone("mlp[hidden=64]"), strategy=get_strategy("focal"))
    study, propose = new_study(shared_space(validator), space(validator.strategy), ("growth",), trials)
    values = np.random.default_rng(0).random(trials).tolist()

    def work() -> None:
        for start in range(0, trials, 4):
            batch = [propose() for _ in values[start : start + 4]]
            for trial, value in zip(batch, values[start : start + 4], strict=True):
                study.tell(trial, value)

    return clocked(work, CPU)[1]


def test_trials(benchmark: Any, facts: dict[str, Any], tell: Tell) -> None:
    """Proposing trials and reporting their scores, without any training."""
    sizes = (10, 30, 100, 300, 1000)
    # Imports Optuna.
    proposing(10)
    seconds = grown(benchmark, facts, "trials", sizes, proposing)
    lines = [(f"{n:,}", f"{s:.2f}", f"{s / n * 1e3:.1f}") for n, s in zip(sizes, seconds, strict=True)]
    table = markdown(("trials", "seconds", "ms a trial"), lines)
    tell(
        "growth", "Trials (Optuna's TPE alone, 5 hyperparameters)", f"{table}\n\n{exponents(sizes, seconds)}."
    )
    assert seconds[-1] / seconds[-2] < (sizes[-1] / sizes[-2]) ** 2.5
