"""Compares the speed of training, one table a backbone: plain PyTorch, DataLoader, skorch, and our lanes side by side.

    pytest benchmarks/bench_training.py               # short trainings
    pytest benchmarks/bench_training.py -m slow       # longer ones, more rounds, all numbers of lanes (training-long.md)

The contestants take turns and do the same steps on the same data with Adam. All networks in the registry take part that declare
a twin in plain PyTorch (`Backbone.plain`); the summary names the others. The benchmark's figure is the time of 64 lanes as the
engine trains them, or of 8 where lanes run one after the other, as an LSTM's do on CPU; the others are in its extra_info and in
results/benchmarks/training.md. "noise" is by how much "× loop, CPU" differs between the odd and the even rounds. "of peak" is the
useful arithmetic in a processor second (`Backbone.flops`), relative to that of a matrix product.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import machine
import numpy as np
import plain_training as plain
import pytest
import small_cells as small
import torch
from contest import Contestant, peak
from plain_training import BATCH
from scenarios import (
    ALL_LANES,
    Scenario,
    as_the_engine_does,
    in_a_worker,
    lanes,
    numbers,
    scenarios_of,
    side_by_side,
)
from story import Story

from equipoise import metrics
from equipoise.catalog.backbones import get_backbone
from equipoise.core.errors import EquipoiseError
from equipoise.engine.population import Population
from equipoise.engine.predict import predict
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Dense
from equipoise.timings.records import visit_spread

#: All networks in the registry, plugins included. One without a twin is skipped, with this reason.
NETWORKS = [name for name in small.names("backbone") if get_backbone(name).gradient]
SHORT = tuple(scenario for name in NETWORKS for scenario in scenarios_of(name))
LONG = tuple(replace(s, epochs=min(8, 4 * s.epochs), lanes=ALL_LANES, rows=max(s.rows, 640)) for s in SHORT)
CASES = [
    *(pytest.param(s, 5, id=s.title.replace(" ", "-")) for s in SHORT),
    *(pytest.param(s, 5, id=s.title.replace(" ", "-") + "-long", marks=pytest.mark.slow) for s in LONG),
]


@pytest.mark.parametrize(("scenario", "rounds"), CASES)
def test_story(
    benchmark: Any,
    facts: dict[str, Any],
    tell: Callable[..., None],
    device: Any,
    scenario: Scenario,
    rounds: int,
) -> None:
    """All contestants in turn for some rounds, after one round that warms up and measures memory."""
    compared(scenario)
    with pool(scenario, device) as workers:
        everybody = contestants(scenario, device, workers)
        running = [c for c in everybody if not c.why]
        others, ours = running[:-1], running[-1]
        # The first of each side loads what is loaded only once.
        for c in (running[0], everybody[4]):
            c.work()
        for c in running:
            c.warm_up(device)
        benchmark.group = f"training: {scenario.title}"
        benchmark.pedantic(lambda: ours.run(device), setup=lambda: _take_turns(others, device), rounds=rounds)
    note = f"{scenario.content.note} {scenario.steps} steps of {BATCH} rows a training."
    title = scenario.titled(device.type)
    story = Story(title, note, everybody, scenario.steps * BATCH, scenario.flops, peak(device))
    # Each round is a visit: all contestants took their turns in between.
    facts.update(story.record() | machine.facts(device))
    facts.update(visits=ours.cpu, rows=ours.trainings * story.rows)
    facts.update(rows_per_s=facts["rows"] / min(ours.cpu), visit_spread=visit_spread(ours.cpu))
    tell("training" if scenario in SHORT else "training-long", title, story.text())


def compared(scenario: Scenario) -> None:
    """Skip a scenario without a twin, or whose features need what is not here, with the reason."""
    if why := plain.missing_twin(scenario.backbone):
        pytest.skip(why)
    try:
        scenario.content  # noqa: B018
    except EquipoiseError as error:
        pytest.skip(f"{scenario.backbone}: {error}")


def _take_turns(others: list[Contestant], device: torch.device) -> None:
    for c in others:
        c.run(device)


def contestants(scenario: Scenario, device: torch.device, workers: Any) -> list[Contestant]:
    """All contestants: the plain loop first, the engine last."""
    content, steps = scenario.content, scenario.steps
    inputs = content.inputs.to(device)
    ours = lanes(scenario.backbone, content.Y, max(ALL_LANES), steps)
    by_count = {k: partial(side_by_side, ours[:k], inputs, device) for k in scenario.lanes}
    side = [Contestant(f"{k} lane{'s'[: k > 1]}", k, _silent(work)) for k, work in by_count.items()]
    if workers is not None:
        side.append(
            Contestant("8 lanes in 2 processes", 8, lambda: in_two(scenario, workers), elsewhere=True)
        )
    chosen = 64 if get_backbone(scenario.backbone).stacks(device) else 8
    engine = partial(as_the_engine_does, ours[:chosen], inputs, device)
    last = Contestant(f"{chosen} lanes, width as measured", chosen, _silent(engine))
    return [*plain_contestants(scenario, device), *side, last]


def plain_contestants(scenario: Scenario, device: torch.device) -> list[Contestant]:
    """The contestants without equipoise. The loop reads a CSR matrix if the features are sparse; the others a dense tensor."""
    content, k = scenario.content, scenario.models
    make = plain.maker(scenario.backbone, content.inputs.width, content.Y.shape[1])
    y = torch.from_numpy(content.Y.astype(np.float32)).to(device)
    held, dense = content.plain, content.dense.to(device)
    first = dense if isinstance(held, torch.Tensor) else held
    ways: dict[str, Callable[[], Any]] = {
        "plain loop": partial(plain.loop, make, first, y, scenario.epochs, k),
        "plain loop, dense, fused Adam": partial(plain.loop, make, dense, y, scenario.epochs, k, True),
        "DataLoader": partial(plain.loader, make, dense.cpu(), y, scenario.epochs, k),
        "skorch": partial(plain.with_skorch, make, dense.cpu(), y, scenario.epochs, k),
    }
    why = {"skorch": _missing_skorch()}
    return [Contestant(name, k, _silent(work), why.get(name, "")) for name, work in ways.items()]


def _silent(work: Callable[[], Any]) -> Callable[[], None]:
    """A contestant without processor seconds in other processes, which it would return."""

    def run() -> None:
        work()

    return run


def _missing_skorch() -> str:
    try:
        import skorch  # noqa: F401
    except ImportError:
        return "skorch is not installed: pip install 'equipoise[bench]'"
    return ""


@contextmanager
def pool(scenario: Scenario, device: torch.device) -> Iterator[ProcessPoolExecutor | None]:
    """Two worker processes with one thread each if lanes run one after the other on the CPU; else None."""
    if get_backbone(scenario.backbone).stacks(device) or device.type != "cpu":
        yield None
        return
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as workers:
        yield workers


def in_two(scenario: Scenario, workers: ProcessPoolExecutor) -> float:
    """Train eight lanes, four in each process; returns the processor seconds of both."""
    what = (scenario.backbone, scenario.data, scenario.rows, scenario.steps)
    return sum(workers.map(partial(in_a_worker, *what), (0, 4), (4, 4)))


@pytest.mark.parametrize("count", [1, 32])
@pytest.mark.parametrize("scenario", SHORT, ids=lambda s: s.title.replace(" ", "-"))
def test_step(
    timed: Callable[..., dict[str, Any]], device: torch.device, scenario: Scenario, count: int
) -> None:
    """A few gradient steps of a population, to compare before and after a change."""
    compared(scenario)
    steps = 4 if get_backbone(scenario.backbone).stacks(device) else 1
    inputs = scenario.content.inputs.to(device)
    with repeatable(device):
        timed_lanes = lanes(scenario.backbone, scenario.content.Y, count, 100_000)
        population = Population(timed_lanes, inputs, BATCH, device)
        timed(
            lambda: population.advance(steps),
            group=f"steps: {scenario.title}",
            rows=count * steps * BATCH,
            device=device,
            data=scenario.content.name,
            unit=f"{steps} steps of {count} lanes of {scenario.backbone}",
        )


# --- is it the same training?

ON_NUMBERS = [s.backbone for s in SHORT if s.data == "numbers" and not plain.missing_twin(s.backbone)]


@pytest.fixture(scope="module")
def learned() -> dict[str, dict[str, float]]:
    """The mean scores of four networks of each contestant and backbone on new rows."""
    (X, Y), (X_new, Y_new) = numbers(1280), numbers(2000, seed=2)
    x, y, new = torch.from_numpy(X), torch.from_numpy(Y.astype(np.float32)), torch.from_numpy(X_new)
    ways = {"loop": plain.loop} if _missing_skorch() else {"loop": plain.loop, "skorch": plain.with_skorch}
    out = {}
    with repeatable(torch.device("cpu")), torch.random.fork_rng():
        for backbone in ON_NUMBERS:
            make = plain.maker(backbone, X.shape[1], Y.shape[1])
            for name, way in ways.items():
                theirs = [plain.logits(m, new) for m in way(make, x, y, 8, 4)]
                out[f"{name} {backbone}"] = _scores(theirs, Y_new)
            four_lanes = lanes(backbone, Y, 4, 8 * len(Y) // BATCH)
            trained = as_the_engine_does(four_lanes, Dense.of(X), x.device)
            ours = predict(trained, Dense.of(X_new), [np.arange(len(new))] * 4, new.device)
            out[f"lanes {backbone}"] = _scores(ours, Y_new)
    return out


def _scores(logits: list[np.ndarray], Y: np.ndarray) -> dict[str, float]:
    y = torch.from_numpy(Y.astype(np.float32))
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    return {
        "map": float(np.mean([metrics.mean_average_precision(Y, z) for z in logits])),
        "loss": float(np.mean([loss(torch.from_numpy(z), y).item() for z in logits])),
    }


@pytest.mark.parametrize("other", ["loop", "skorch"])
@pytest.mark.parametrize("backbone", ON_NUMBERS)
def test_both_sides_of_the_comparison_learn_the_same(
    learned: dict[str, dict[str, float]], backbone: str, other: str
) -> None:
    """All contestants reach the same scores, up to the noise of batches and initial weights."""
    if f"{other} {backbone}" not in learned:
        pytest.skip(_missing_skorch())
    ours, theirs = learned[f"lanes {backbone}"], learned[f"{other} {backbone}"]
    # Guessing gives the share of positives, 0.19.
    assert ours["map"] > 0.3
    assert ours["map"] == pytest.approx(theirs["map"], abs=0.015)
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.03)
