"""Measures the cost of a program and of all processes that it starts, from outside (Linux only)."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two measurements. What a process does after the last one is not counted.
EVERY = 0.1


@dataclass(frozen=True)
class Taken:
    """The cost of a program.

    Attributes:
        wall: seconds by the clock. cpu: processor seconds of all processes.
        memory: the most bytes that all processes held at one time.
        out: the standard output.
    """

    wall: float
    cpu: float
    memory: int
    out: str


def run(command: Sequence[str], env: Mapping[str, str], folder: Path) -> Taken:
    """Run a program in a session of its own, by which its processes can be recognised.

    Raises:
        RuntimeError: the program failed; its messages went to this process's standard error.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=env, cwd=folder, start_new_session=True
    )
    with Watch(process.pid) as watch:
        out, _ = process.communicate()
        wall = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:2])} ended with {process.returncode}")
    return Taken(wall, sum(watch.cpu.values()), watch.memory, out)


class Watch:
    """Measures the processes of a session now and then, in a thread.

    Attributes:
        cpu: pid → processor seconds at the last measurement.
        memory: the most bytes that all processes held at one time.
    """

    def __init__(self, session: int) -> None:
        self.cpu: dict[int, float] = {}
        self.memory = 0
        self._session, self._ended = session, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(EVERY):
            processes = list(_processes(self._session))
            self.cpu.update((pid, seconds) for pid, seconds, _ in processes)
            self.memory = max(self.memory, sum(size for _, _, size in processes))


def _processes(session: int) -> Iterator[tuple[int, float, int]]:
    """(pid, processor seconds, bytes) of the processes of a session."""
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # the process has just ended
            continue
        if int(fields[3]) == session:
            yield int(folder.name), (int(fields[11]) + int(fields[12])) / tick, int(fields[21]) * page
