"""Contestants that do the same work, measured in turns, so that whatever else runs on the machine hits all alike.

Wall time says what a user waits; on CPU the processor time of this process (and of workers it is told about) says the same
without the other programs of a shared machine. On CUDA both are the time between two events.
"""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

#: What a contestant does; it may return processor seconds that were spent in other processes.
TrainingCost = Callable[[], "float | None"]


@dataclass
class Contestant:
    """One way to train.

    Attributes:
        trainings: how many one call of `work` does; 0 where it cannot run, with the reason in `why`.
        elsewhere: whether it trains in other processes, whose memory is not seen from here.
        wall, cpu: seconds of each round; added: bytes of memory that one call needed at most beyond what was there before.
    """

    name: str
    trainings: int
    work: TrainingCost
    why: str = ""
    elsewhere: bool = False
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    added: int | None = None

    def run(self, device: torch.device) -> None:
        """One round."""
        wall, cpu = clocked(self.work, device)
        self.wall.append(wall)
        self.cpu.append(cpu)

    def warm_up(self, device: torch.device) -> None:
        """One round that is watched for memory, not for time."""
        added = memory_added(self.work, device)
        self.added = None if self.elsewhere else added

    def seconds(self, clock: str) -> float:
        """One training, the median over the rounds; `clock` is "wall" or "cpu"."""
        return statistics.median(getattr(self, clock)) / self.trainings

    def times(self, base: Contestant, clock: str) -> float:
        """How many times as fast as `base`: the median over the rounds of the ratio in one round."""
        pairs = zip(getattr(base, clock), getattr(self, clock), strict=True)
        return statistics.median(b / base.trainings * self.trainings / own for b, own in pairs)


def clocked(work: TrainingCost, device: torch.device) -> tuple[float, float]:
    """Seconds of one call: (wall, processor)."""
    if device.type == "cuda":
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        seconds = begin.elapsed_time(end) / 1000
        return seconds, seconds
    wall, cpu = time.perf_counter(), time.process_time()
    elsewhere = work() or 0.0
    return time.perf_counter() - wall, time.process_time() - cpu + elsewhere


def memory_added(work: TrainingCost, device: torch.device) -> int | None:
    """Bytes that a call needs at most beyond what is there; None where the system does not tell (it does on Linux)."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    try:
        ctypes.CDLL(None).malloc_trim(0)  # else it would use again what another left behind
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
        before = _status("VmRSS")
        work()
        return _status("VmHWM") - before
    except (OSError, AttributeError, KeyError):
        work()
        return None


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(":", 1) for line in lines)[name].split()[0]) * 1024


def peak(device: torch.device) -> float:
    """Floating-point operations a second of float32 matrix products, one thread: the best of some tries."""
    size, tries = (1024, 12) if device.type == "cpu" else (8192, 12)
    a, b = (torch.randn(size, size, device=device) for _ in range(2))

    def product() -> None:
        torch.mm(a, b)

    product()
    return max(2 * size**3 / clocked(product, device)[1] for _ in range(tries))
