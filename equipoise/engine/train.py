"""Train any lanes: those alike go side by side, whoever asked for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from equipoise.engine.capacity import population_size
from equipoise.engine.estimators import fit
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.population import Population
from equipoise.ops.inputs import Inputs

#: Lane steps between two reports of how far a training is.
_REPORT = 256


@dataclass
class TrainingCost:
    """What training took, added up: seconds, rows × lanes seen, lane steps, lanes; and the most lanes side by side.

    A population's seconds are shared among those who asked for its lanes by the steps their lanes ran; `waited` are the seconds
    from asking to being answered. `reused`: lanes whose training another request paid for, `seconds_reused` what they took.
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
        """Seconds since `began` (of `time.perf_counter`), with training counted by its share and not by the wait for it."""
        return time.perf_counter() - began - self.waited + self.seconds


@dataclass(frozen=True, eq=False)
class Request:
    """Lanes to train on inputs that are on the device.

    Attributes:
        batch_size: rows per step and lane.
        work: what it took is added here.
        on_step: called now and then with the number of lane steps since the last call.
    """

    lanes: Sequence[Lane]
    inputs: Inputs
    batch_size: int
    device: torch.device
    work: TrainingCost = field(default_factory=TrainingCost)
    on_step: Callable[[int], None] | None = None


def train(
    lanes: Sequence[Lane],
    inputs: Inputs,
    *,
    batch_size: int,
    device: torch.device,
    work: TrainingCost,
    on_step: Callable[[int], None] | None = None,
) -> list[Trained]:
    """Train the lanes of one request; the results come in the order of the lanes."""
    return train_requests([Request(lanes, inputs, batch_size, device, work, on_step)])[0]


def train_requests(requests: Sequence[Request]) -> list[list[Trained]]:
    """Train the lanes of several requests together: for each request its results, in the order of its lanes."""
    out: list[list[Trained | None]] = [[None] * len(r.lanes) for r in requests]
    groups: dict[object, list[tuple[int, int]]] = {}
    for r, request in enumerate(requests):
        kind = (id(request.inputs), request.batch_size, request.device)
        for i, lane in enumerate(request.lanes):
            groups.setdefault((kind, lane.signature), []).append((r, i))
    for members in groups.values():
        gradient = requests[members[0][0]].lanes[members[0][1]].backbone.gradient
        answers = (_together if gradient else _one_by_one)(requests, members)
        for (r, i), trained in zip(members, answers, strict=True):
            out[r][i] = trained
    return [[t for t in own if t is not None] for own in out]


def _together(requests: Sequence[Request], members: Sequence[tuple[int, int]]) -> list[Trained]:
    """One population."""
    first = requests[members[0][0]]
    lanes = [requests[r].lanes[i] for r, i in members]
    owners = np.array([r for r, _ in members])
    began = time.perf_counter()
    slots = population_size(lanes, first.inputs, first.batch_size, first.device)
    population = Population(lanes, first.inputs, first.batch_size, first.device, slots)
    progress = _Progress(requests, owners)
    trained = population.train(progress.on_step)
    progress.tell()
    _share(requests, owners, lanes, trained, time.perf_counter() - began, min(slots, len(lanes)))
    return trained


def _one_by_one(requests: Sequence[Request], members: Sequence[tuple[int, int]]) -> list[Trained]:
    """Estimators, each fitted by itself."""
    out = []
    for r, i in members:
        request, began = requests[r], time.perf_counter()
        lane = request.lanes[i]
        out.append(fit(lane, request.inputs))
        request.work.seconds += time.perf_counter() - began
        request.work.lanes += 1
        request.work.widest = max(request.work.widest, 1)
        if request.on_step is not None:
            request.on_step(lane.steps)
    return out


def _share(
    requests: Sequence[Request],
    owners: np.ndarray,
    lanes: Sequence[Lane],
    trained: Sequence[Trained],
    seconds: float,
    slots: int,
) -> None:
    before = [0 if lane.resume is None else lane.resume.optimizer[0] for lane in lanes]
    steps = np.array([t.steps_run for t in trained]) - before
    for r in np.unique(owners).tolist():
        own, work = int(steps[owners == r].sum()), requests[r].work
        work.steps += own
        work.rows += own * requests[r].batch_size
        work.seconds += seconds * own / max(int(steps.sum()), 1)
        work.lanes += sum(lane.resume is None for lane, o in zip(lanes, owners, strict=True) if o == r)
        work.widest = max(work.widest, slots)


class _Progress:
    """Adds up whose lanes took steps, and tells them: at the first step, now and then, and in the end."""

    def __init__(self, requests: Sequence[Request], owners: np.ndarray) -> None:
        self._requests, self._owners = requests, owners
        self._counts = np.zeros(len(requests), dtype=np.int64)
        self._begun = False

    def on_step(self, lanes: np.ndarray) -> None:
        np.add.at(self._counts, self._owners[lanes], 1)
        if not self._begun or self._counts.sum() >= _REPORT:
            self._begun = True
            self.tell()

    def tell(self) -> None:
        for r in np.flatnonzero(self._counts).tolist():
            if (hear := self._requests[r].on_step) is not None:
                hear(int(self._counts[r]))
        self._counts[:] = 0
