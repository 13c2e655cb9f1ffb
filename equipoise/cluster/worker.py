"""`equipoise worker`: starts worker processes, connects them to a scheduler, and starts them again when they end."""

from __future__ import annotations

import multiprocessing.connection
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from equipoise.cluster.address import Address, distributed
from equipoise.core.lazy import lazy
from equipoise.core.signals import not_for_children
from equipoise.sweep import pool

if TYPE_CHECKING:
    from equipoise.cluster import serving
else:
    # It imports PyTorch, which this process does not need.
    serving = lazy("equipoise.cluster.serving")

#: Seconds between two attempts to reach a scheduler.
RETRY = 1.0
#: A process that ends sooner (in seconds) is started again after a pause that grows up to the longest one.
SOON, LONGEST_PAUSE = 10.0, 30.0


@dataclass
class Slot:
    """One worker process after another; `pause` is the time in seconds before the next one."""

    number: int
    process: Any = None
    began: float = 0.0
    next_start: float = 0.0
    pause: float = 0.0


class Terminated(Exception):
    """SIGTERM has come."""


@dataclass
class Supervisor:
    """The worker processes of one `equipoise worker`.

    Attributes:
        host, port: see `equipoise.cluster.serving.Place`; of several workers, each listens one port higher.
        say: prints a line.
    """

    address: Address
    count: int
    host: str | None = None
    port: int | None = None
    say: Callable[[str], None] = field(default=lambda line: print(line, file=sys.stderr, flush=True))

    def run(self) -> None:
        """Work until SIGTERM or Ctrl-C comes."""
        distributed()  # first: without it there is nothing to start
        pool.begin()
        # Readable by this user only, as data sets may be private.
        self._folder = Path(tempfile.mkdtemp(prefix="equipoise-worker-"))
        self._reached: bool | None = None
        slots = [Slot(i) for i in range(self.count)]
        try:
            signal.signal(signal.SIGTERM, _terminated)
            while True:
                for slot in slots:
                    self._tend(slot)
                running = [slot.process.sentinel for slot in slots if slot.process is not None]
                # Returns at once when a process ends.
                multiprocessing.connection.wait(running, RETRY) if running else time.sleep(RETRY)
        except Terminated:
            pass
        finally:
            self._end(slots)

    def _tend(self, slot: Slot) -> None:
        """Look after one worker: notice its end, and start the next one."""
        if slot.process is not None and not slot.process.is_alive():
            self._ended(slot, slot.process.exitcode)
            slot.process = None
        if slot.process is None and time.monotonic() >= slot.next_start and self._reachable():
            port = None if self.port is None else self.port + slot.number
            place = serving.Place(self.address, self._name(slot), self._folder, self.host, port)
            slot.process = pool.context().Process(
                target=serving.serve, args=(place, dict(os.environ)), name=place.name
            )
            with not_for_children():
                slot.process.start()
            slot.began = time.monotonic()

    def _ended(self, slot: Slot, code: int) -> None:
        lasted = time.monotonic() - slot.began
        if code == serving.LOST:
            self.say(f"{self._name(slot)}: the scheduler at {self.address.url} has closed the connection")
        elif code == serving.UNREACHABLE:
            self.say(f"{self._name(slot)}: cannot join the cluster at {self.address.url}")
        else:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self.say(f"{self._name(slot)}: its process died ({how}); starting it again")
        # A scheduler that is gone is no reason to wait: `_reachable` asks for it.
        soon = lasted < SOON and code != serving.LOST
        slot.pause = min(LONGEST_PAUSE, max(RETRY, 2 * slot.pause)) if soon else 0.0
        slot.next_start = time.monotonic() + slot.pause

    def _reachable(self) -> bool:
        """Whether something listens at the address; says so when that changes."""
        try:
            socket.create_connection((self.address.host, self.address.port), timeout=5).close()
            reached = True
        except OSError:
            reached = False
        if reached is not self._reached:
            words = "working for" if reached else "waiting for a scheduler at"
            self.say(f"{words} {self.address.url} ({self.count} worker{'s' if self.count > 1 else ''})")
        self._reached = reached
        return reached

    def _name(self, slot: Slot) -> str:
        return f"{socket.gethostname()}-{os.getpid()}-{slot.number + 1}"

    def _end(self, slots: list[Slot]) -> None:
        # The signal may have come between a process's creation and its start.
        running = [s.process for s in slots if s.process is not None and s.process.pid is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + serving.GOODBYE + 1
        for process in running:
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()
            process.join()
        shutil.rmtree(self._folder, ignore_errors=True)


def _terminated(number: int, frame: FrameType | None) -> None:
    # `timeout` and others send it twice; a second one would interrupt the removal of copied data.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated
