"""Contestants that do the same work, measured in turns, so that other programs on the machine disturb all of them equally.

Wall time is what a user waits for. On CPU, the processor time of this process (and of workers that a contestant reports) is the
same without the influence of other programs. On CUDA, both are the time between two events.
"""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

#: The work of a contestant. It may return processor seconds that were spent in other processes.
Work = Callable[[], "float | None"]


@dataclass
class Contestant:
    """One way to train.

    Attributes:
        trainings: the number of trainings of one call of `work`. why: the reason if it cannot run; else "".
        elsewhere: whether it trains in other processes, whose memory cannot be measured from here.
        wall, cpu: seconds of each round.
        added: the most memory, in bytes, that one call needed in addition to what was in use before.
    """

    name: str
    trainings: int
    work: Work
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
        """One round that measures memory, not time."""
        added = memory_added(self.work, device)
        self.added = None if self.elsewhere else added

    def seconds(self, clock: str) -> float:
        """Seconds of one training, the median over the rounds; `clock` is "wall" or "cpu"."""
        return statistics.median(getattr(self, clock)) / self.trainings

    def times(self, base: Contestant, clock: str) -> float:
        """The speed relative to `base`: the median over the rounds of the ratio within a round."""
        return statistics.median(self._ratios(base, clock))

    def noise(self, base: Contestant, clock: str) -> float | None:
        """By how much `times` differs between the odd and the even rounds (A/A), as a share; None for a single round."""
        ratios = self._ratios(base, clock)
        if len(ratios) < 2:
            return None
        odd, even = statistics.median(ratios[::2]), statistics.median(ratios[1::2])
        return abs(odd - even) / min(odd, even)

    def _ratios(self, base: Contestant, clock: str) -> list[float]:
        pairs = zip(getattr(base, clock), getattr(self, clock), strict=True)
        return [b / base.trainings * self.trainings / seconds for b, seconds in pairs]


def clocked(work: Work, device: torch.device) -> tuple[float, float]:
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


def memory_added(work: Work, device: torch.device) -> int | None:
    """The most memory, in bytes, that a call needs in addition to what is in use; None if the system does not say (not Linux)."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    try:
        # Free memory of other contestants would be used again without being counted.
        ctypes.CDLL(None).malloc_trim(0)
        # Resets the peak.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
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
    """Floating-point operations a second of float32 matrix products with one thread, the best of several tries."""
    size, tries = (1024, 12) if device.type == "cpu" else (8192, 12)
    a, b = (torch.randn(size, size, device=device) for _ in range(2))

    def product() -> None:
        torch.mm(a, b)

    product()
    return max(2 * size**3 / clocked(product, device)[1] for _ in range(tries))
