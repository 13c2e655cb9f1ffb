"""What a program and all processes that it starts take, watched from outside (Linux)."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two looks: what a process does after the last one is not seen.
EVERY = 0.1


@dataclass(frozen=True)
class Taken:
    """Seconds by the clock, processor seconds of all its processes, the most bytes that they held at one time; its output."""

    wall: float
    cpu: float
    memory: int
    out: str


def run(command: Sequence[str], env: Mapping[str, str], folder: Path) -> Taken:
    """Run a program in a session of its own, by which its processes are known.

    Raises:
        RuntimeError: it failed; what it had to say went to this process's standard error.
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
    """Looks at the processes of a session now and then.

    Attributes:
        cpu: pid → processor seconds when it was last seen; memory: the most bytes that all held at one time.
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
            seen = list(_processes(self._session))
            self.cpu.update((pid, seconds) for pid, seconds, _ in seen)
            self.memory = max(self.memory, sum(size for _, _, size in seen))


def _processes(session: int) -> Iterator[tuple[int, float, int]]:
    """(pid, processor seconds, bytes) of the processes of a session."""
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[3]) == session:
            yield int(folder.name), (int(fields[11]) + int(fields[12])) / tick, int(fields[21]) * page
