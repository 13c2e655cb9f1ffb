"""Schedulers and workers as real processes, and a small sweep to run on them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from equipoise.experiment.settings import Settings
from equipoise.store.rows import fingerprint
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import sweep
from equipoise.sweep.suite import Block, Suite

#: How long anything may take on a busy machine, in seconds.
PATIENT = 180.0

#: A strategy that reports from inside a cell: it writes the id of the worker, its parent, and waits as long as the folder says.
TELLTALE = """
import multiprocessing, os, time
from dataclasses import dataclass
from pathlib import Path
from equipoise import Strategy
import helper

@dataclass(frozen=True)
class Telltale(Strategy):
    "Leaves word that it runs."
    name = "telltale"

    def weights(self, Y, ctx):
        folder = Path(os.environ["EQUIPOISE_TEST_FOLDER"])
        (folder / f"{multiprocessing.parent_process().pid}.ran").touch()
        while (folder / "wait").exists():
            time.sleep(0.05)
        return helper.scaled(super().weights(Y, ctx))
"""
HELPER = "def scaled(weights):\n    return weights * 2.0\n"
#: A strategy that ends whatever process it is in.
KILLER = """
import os
from dataclasses import dataclass
from equipoise import Strategy

@dataclass(frozen=True)
class Killer(Strategy):
    "Ends its process."
    name = "killer"

    def weights(self, Y, ctx):
        os._exit(7)
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until the condition is true; returns its value."""
    deadline = time.monotonic() + PATIENT
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in {PATIENT:.0f} seconds: {what}"
        time.sleep(0.05)
    return value


class Machines:
    """A scheduler and workers on this machine, and the folder in which `telltale` leaves word."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told = folder / "told"
        self.told.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"tcp://127.0.0.1:{self.port}"
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a Python module as a process; what it prints goes to `output`."""
        # As on a machine that shares no data with the driver.
        env = {k: v for k, v in os.environ.items() if k != "EQUIPOISE_DATA"}
        env |= {"EQUIPOISE_TEST_FOLDER": str(self.told), "TMPDIR": str(self.folder), **environment}
        with (self.folder / "output").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=self.folder, env=env, stdout=output, stderr=output
            )
        self._started.append(process)
        return process

    @property
    def output(self) -> str:
        """What all processes have printed."""
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    def scheduler(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a scheduler at `url`, and wait until it listens."""
        place = ("--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")
        process = self.start("dask", "scheduler", *(options or place))

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until(listens, "a scheduler that listens")
        return process

    def worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start `equipoise worker`."""
        return self.start("equipoise", "worker", self.url, *options, **environment)

    def in_a_cell(self) -> int:
        """Wait until a worker is inside a cell of `telltale`; returns the process id of the worker."""
        return int(until(lambda: next(self.told.glob("*.ran"), None), "a running cell").stem)

    def stop(self) -> None:
        """End everything that was started."""
        for process in reversed(self._started):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self._started:
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    """Nothing is started yet; everything is stopped at the end."""
    made = Machines(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """The folder of the plugin files."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    for name, text in (("telltale.py", TELLTALE), ("helper.py", HELPER), ("killer.py", KILLER)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})


def plan_of(*strategies: str, splits: int = 2) -> Plan:
    """A sweep of a few seconds."""
    settings = Settings(trials=1, folds=2, epochs=2)
    block = Block(("design-emails[rows=80]",), ("linear",), strategies, settings, splits)
    return make_plan(Suite("tiny", "", (block,)))


def contents(store: Store) -> dict[str, tuple[str, dict[str, bytes]]]:
    """The fingerprint and the predictions of each row that succeeded."""
    rows = [row for row in store.rows() if row["status"] == "ok"]
    return {
        row["key"]: (
            fingerprint(row),
            {n: np.asarray(a).tobytes() for n, a in store.predictions(row["key"]).items()},
        )
        for row in rows
    }


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Plan], dict[str, Any]]:
    """Runs a plan in this process; returns what its store holds."""
    monkeypatch.setenv("EQUIPOISE_TEST_FOLDER", str(tmp_path))

    def run(plan: Plan) -> dict[str, Any]:
        store = Store(tmp_path / "local")
        sweep(plan, store)
        return contents(store)

    return run
