"""Train any lanes: those alike go side by side, in populations of a bounded width."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from equipoise.engine.device import WIDTH
from equipoise.engine.inputs import Inputs
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.population import Population


@dataclass
class Work:
    """What training took, added up: seconds, rows × lanes seen, lane steps, lanes."""

    seconds: float = 0.0
    rows: int = 0
    steps: int = 0
    lanes: int = 0


def train(
    lanes: Sequence[Lane],
    inputs: Inputs,
    *,
    batch_size: int,
    every: int,
    patience: int,
    device: torch.device,
    work: Work,
    on_step: Callable[[int], None] | None = None,
) -> list[Trained]:
    """Train lanes on inputs that are on the device; the results come in the order of the lanes.

    Args:
        batch_size: rows per step and lane.
        every, patience: see `Population.train`.
        work: what it took is added here.
        on_step: called with the number of lanes after each step.
    """
    out: list[Trained | None] = [None] * len(lanes)
    groups: dict[object, list[int]] = {}
    for i, lane in enumerate(lanes):
        groups.setdefault(lane.signature, []).append(i)
    for members in groups.values():
        for start in range(0, len(members), WIDTH):
            chosen = members[start : start + WIDTH]
            began = time.perf_counter()
            fill = WIDTH if device.type == "cuda" else 0
            population = Population([lanes[i] for i in chosen], inputs, batch_size, device, fill)
            for i, trained in zip(chosen, population.train(every, patience, on_step), strict=True):
                out[i] = trained
                work.steps += trained.steps_run
                work.rows += trained.steps_run * batch_size
            work.seconds += time.perf_counter() - began
            work.lanes += len(chosen)
    return [t for t in out if t is not None]
