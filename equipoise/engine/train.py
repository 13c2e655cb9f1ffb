"""Trains the lanes of many requests: lanes with one signature are trained side by side, whichever request they are from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from equipoise.engine.capacity import population_size
from equipoise.engine.estimators import fit
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.population import Population
from equipoise.ops.inputs import Inputs

#: Lane steps between two reports of progress.
_REPORT = 256


@dataclass
class TrainingCost:
    """The cost of trainings, added up.

    Attributes:
        seconds: of training. Those of a population are divided among its requests by the steps of their lanes.
        rows: seen by all lanes together. steps: of all lanes together. lanes: how many were trained.
        widest: the most lanes side by side.
        waited: seconds from requests to their answers, in which other requests were answered, too.
        reused: lanes that were trained for another request. seconds_reused: what their training took there.
    """

    seconds: float = 0.0
    rows: int = 0
    steps: int = 0
    lanes: int = 0
    widest: int = 0
    waited: float = 0.0
    reused: int = 0
    seconds_reused: float = 0.0

    def spent(self, began: float) -> float:
        """Seconds since `began` (by `time.perf_counter`) for this cell alone: its share of the training instead of the wait."""
        return time.perf_counter() - began - self.waited + self.seconds


@dataclass(frozen=True, eq=False)
class Request:
    """Lanes to be trained, on inputs that are on the device.

    Attributes:
        batch_size: rows per step and lane.
        cost: the cost of the training is added to this object.
        on_step: called now and then with the number of lane steps since its last call.
    """

    lanes: Sequence[Lane]
    inputs: Inputs
    batch_size: int
    device: torch.device
    cost: TrainingCost = field(default_factory=TrainingCost)
    on_step: Callable[[int], None] | None = None


def train(
    lanes: Sequence[Lane],
    inputs: Inputs,
    *,
    batch_size: int,
    device: torch.device,
    cost: TrainingCost,
    on_step: Callable[[int], None] | None = None,
) -> list[Trained]:
    """Train the lanes of one request; the results come in the order of the lanes."""
    return train_requests([Request(lanes, inputs, batch_size, device, cost, on_step)])[0]


def train_requests(requests: Sequence[Request]) -> list[list[Trained]]:
    """Train the lanes of several requests together; the results come by request, in the order of its lanes."""
    out: list[list[Trained | None]] = [[None] * len(r.lanes) for r in requests]
    groups: dict[object, list[tuple[int, int]]] = {}
    for r, request in enumerate(requests):
        kind = (id(request.inputs), request.batch_size, request.device)
        for i, lane in enumerate(request.lanes):
            groups.setdefault((kind, lane.signature), []).append((r, i))
    for members in groups.values():
        gradient = requests[members[0][0]].lanes[members[0][1]].backbone.gradient
        results = (_train_population if gradient else _fit_estimators)(requests, members)
        for (r, i), trained in zip(members, results, strict=True):
            out[r][i] = trained
    return [[t for t in of_request if t is not None] for of_request in out]


def _train_population(requests: Sequence[Request], members: Sequence[tuple[int, int]]) -> list[Trained]:
    """Train lanes of one signature as one population; `members` are (request, lane) numbers."""
    first = requests[members[0][0]]
    lanes = [requests[r].lanes[i] for r, i in members]
    owners = np.array([r for r, _ in members])
    began = time.perf_counter()
    slots = population_size(lanes, first.inputs, first.batch_size, first.device)
    population = Population(lanes, first.inputs, first.batch_size, first.device, slots)
    progress = _Progress(requests, owners)
    trained = population.train(progress.on_step)
    progress.report()
    _share_cost(requests, owners, lanes, trained, time.perf_counter() - began, min(slots, len(lanes)))
    return trained


def _fit_estimators(requests: Sequence[Request], members: Sequence[tuple[int, int]]) -> list[Trained]:
    """Fit estimators one by one; `members` are (request, lane) numbers."""
    out = []
    for r, i in members:
        request, began = requests[r], time.perf_counter()
        lane = request.lanes[i]
        fitted = fit(lane, request.inputs)
        out.append(replace(fitted, seconds=time.perf_counter() - began))
        request.cost.seconds += out[-1].seconds
        request.cost.lanes += 1
        request.cost.widest = max(request.cost.widest, 1)
        # An estimator takes no steps; for progress it counts like a training.
        if request.on_step is not None:
            request.on_step(lane.steps)
    return out


def _share_cost(
    requests: Sequence[Request],
    owners: np.ndarray,
    lanes: Sequence[Lane],
    trained: Sequence[Trained],
    seconds: float,
    slots: int,
) -> None:
    """Add the cost of a population to its requests, the seconds in proportion to their steps."""
    # Steps before a pause were counted then, and a resumed lane is no new lane.
    before = [0 if lane.resume is None else lane.resume.optimizer[0] for lane in lanes]
    steps = np.array([t.steps_run for t in trained]) - before
    for r in np.unique(owners).tolist():
        of_request, cost = int(steps[owners == r].sum()), requests[r].cost
        cost.steps += of_request
        cost.rows += of_request * requests[r].batch_size
        cost.seconds += seconds * of_request / max(int(steps.sum()), 1)
        cost.lanes += sum(lane.resume is None for lane, o in zip(lanes, owners, strict=True) if o == r)
        cost.widest = max(cost.widest, slots)


class _Progress:
    """Counts the lane steps of each request, and reports them: after the first step, then every `_REPORT` lane steps."""

    def __init__(self, requests: Sequence[Request], owners: np.ndarray) -> None:
        self._requests, self._owners = requests, owners
        self._counts = np.zeros(len(requests), dtype=np.int64)
        self._reported = False

    def on_step(self, lanes: np.ndarray) -> None:
        np.add.at(self._counts, self._owners[lanes], 1)
        if not self._reported or self._counts.sum() >= _REPORT:
            self._reported = True
            self.report()

    def report(self) -> None:
        for r in np.flatnonzero(self._counts).tolist():
            if (on_step := self._requests[r].on_step) is not None:
                on_step(int(self._counts[r]))
        self._counts[:] = 0
