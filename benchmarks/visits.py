"""Times a piece of work in several visits spread over the session, and states how well its time is reproduced.

All timings are visited once, then all of them again, and so on. So the visits of one timing lie minutes apart, and what another
program does meanwhile disturbs some of them and hardly ever all. The figure is the minimum over all rounds: noise only adds
time (Chen & Revels 2016, "Robust benchmarking in noisy environments", arXiv 1608.04295).
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import machine
import torch
from contest import clocked

from equipoise.timings.records import visit_spread

#: Seconds of measuring in a visit, the least seconds of a round, in which short work is repeated, and the most rounds.
BUDGET, ROUND, MOST = 0.15, 0.004, 1000


@dataclass
class Timing:
    """One timing: the entry in pytest-benchmark's file, and the smallest seconds of a call in each visit.

    Attributes:
        rows: the number of rows that one call handles; None if a speed in rows would say nothing.
        loads: the load average in each visit, where the system says it.
    """

    name: str
    benchmark: Any
    rows: int | None
    visits: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    def add(self, rounds: list[float]) -> None:
        """Add the seconds of the rounds of one visit, and update the record."""
        self.visits.append(min(rounds))
        for seconds in rounds:
            self.benchmark.stats.update(seconds)
        info = self.benchmark.extra_info
        if (load := machine.load_average()) is not None:
            self.loads.append(load)
            info["load_average"] = statistics.median(self.loads)
        info.update(visits=self.visits, rows=self.rows, rows_per_s=self.rows and self.rows / self.seconds)
        info.update(visit_spread=visit_spread(self.visits))

    @property
    def seconds(self) -> float:
        """The smallest seconds of a call, over all visits."""
        return min(self.visits)


def rounds_of(work: Callable[[], object], device: torch.device, budget: float = BUDGET) -> list[float]:
    """Seconds of a call of `work`, one figure a round: one round, and more as long as the budget lasts.

    The first round warms up, and so hardly ever is the smallest. On CPU the clock is the processor time of this process, on
    CUDA the time between two events.
    """
    if device.type == "cuda":
        return _until(budget, lambda: clocked(work, device)[0])
    first = _processor_seconds(work, 1)
    calls = max(1, int(ROUND / max(first, 1e-7)))
    return [first, *_until(budget - first, lambda: _processor_seconds(work, calls))]


def _until(budget: float, once: Callable[[], float]) -> list[float]:
    """Rounds until the budget of processor time is used up."""
    began, out = time.process_time(), []
    while time.process_time() - began < budget and len(out) < MOST:
        out.append(once())
    return out


def _processor_seconds(work: Callable[[], object], calls: int) -> float:
    # A collection would fall into some rounds and not into others.
    collecting = gc.isenabled()
    gc.disable()
    try:
        began = time.process_time()
        for _ in range(calls):
            work()
        return (time.process_time() - began) / calls
    finally:
        if collecting:
            gc.enable()
