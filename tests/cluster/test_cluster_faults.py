"""Whatever ends while a sweep runs on a cluster, no row is lost and none is changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.store.store import Store
from equipoise.sweep.plan import Plan
from equipoise.sweep.run import Watcher, sweep

pytest.importorskip("distributed")
from equipoise.cluster.executor import Cluster

from .conftest import PATIENT, Machines, contents, plan_of, until

pytestmark = pytest.mark.slow
Local = Callable[[Plan], dict[str, Any]]


class Sweep:
    """A sweep in a thread of its own, whose cells wait until `go`."""

    def __init__(self, machines: Machines, plan: Plan) -> None:
        self.said: list[str] = []
        self.store = Store(machines.folder / "store")
        self._wait = machines.told / "wait"
        self._wait.touch()
        watcher = Watcher(on_problem=self.said.append)
        self._thread = threading.Thread(
            target=sweep,
            args=(plan, self.store),
            kwargs={"executor": Cluster(machines.url), "watcher": watcher},
        )
        self._thread.start()

    def go(self) -> None:
        """Let the cells run on, and wait for the end of the sweep."""
        self._wait.unlink()
        self._thread.join(PATIENT)
        assert not self._thread.is_alive(), self.said


@pytest.fixture
def plan(plugins: Path) -> Plan:
    return plan_of("none", str(plugins / "telltale.py"))


def test_a_worker_killed_in_a_cell(machines: Machines, plan: Plan, local: Local) -> None:
    machines.scheduler()
    machines.worker()
    running = Sweep(machines, plan)
    os.kill(machines.in_a_cell(), signal.SIGKILL)
    until(
        lambda: any("is gone; its cells are run again, one by one" in line for line in running.said), "a line"
    )
    running.go()
    assert contents(running.store) == local(plan)
    assert "its process died (signal 9); starting it again" in machines.output


def test_a_worker_asked_to_end_is_not_to_blame(machines: Machines, plan: Plan, local: Local) -> None:
    machines.scheduler()
    asked = machines.worker()
    running = Sweep(machines, plan)
    machines.in_a_cell()
    asked.terminate()
    assert asked.wait(30) == 0
    assert not list(machines.folder.glob("equipoise-worker-*")), "copies of data are left behind"
    machines.worker()
    running.go()
    assert contents(running.store) == local(plan)
    assert not any("is gone" in line for line in running.said), running.said


def test_a_cell_that_kills_its_process_is_one_failed_row(
    machines: Machines, plugins: Path, local: Local
) -> None:
    plan = plan_of("none", str(plugins / "killer.py"), "focal", splits=1)
    machines.scheduler()
    machines.worker("--workers", "2")
    store = Store(machines.folder / "store")
    sweep(plan, store, executor=Cluster(machines.url))
    (failed,) = [row for row in store.rows() if row["status"] != "ok"]
    assert (failed["status"], failed["strategy"]) == ("failed", "killer")
    assert "the worker process died, twice" in failed["error"]
    assert "its process died" not in machines.output, "only the process of the plugin's cells"
    assert contents(store) == local(plan_of("none", "focal", splits=1))


@pytest.mark.global_rng  # dask draws the pauses between attempts to connect from `random`
def test_the_scheduler_killed_and_started_again(machines: Machines, plan: Plan, local: Local) -> None:
    scheduler = machines.scheduler()
    machines.worker()
    running = Sweep(machines, plan)
    machines.in_a_cell()
    scheduler.kill()
    scheduler.wait()
    until(lambda: any("is lost; waiting up to 5 minutes" in line for line in running.said), "a line")
    until(lambda: "has closed the connection" in machines.output, "a line of the worker")
    machines.scheduler()
    running.go()
    assert f"the scheduler at {machines.url} is back" in running.said
    assert not any("is gone" in line for line in running.said), "no worker is to blame"
    assert contents(running.store) == local(plan)


DRIVER = """
import sys
from pathlib import Path
from unittest.mock import Mock
import equipoise.sweep.run
equipoise.sweep.run.MlflowWriter = Mock()
import equipoise
if __name__ == "__main__":
    equipoise.run(dataset="design-emails[rows=80]", backbone="linear", strategy=["none", "focal", sys.argv[1]], splits=2,
                  trials=1, folds=2, epochs=2, results="store", cluster=sys.argv[2])
"""


def test_the_driver_killed_and_the_same_command_again(
    machines: Machines, plugins: Path, local: Local
) -> None:
    file = str(plugins / "telltale.py")
    (machines.folder / "driver.py").write_text(DRIVER, encoding="utf-8")
    command = [sys.executable, "driver.py", file, machines.url]
    machines.scheduler()
    machines.worker()
    (machines.told / "wait").touch()
    killed = subprocess.Popen(command, cwd=machines.folder)
    machines.in_a_cell()
    killed.kill()
    killed.wait()
    (machines.told / "wait").unlink()
    again = subprocess.run(command, cwd=machines.folder, capture_output=True, text=True, timeout=PATIENT)
    assert again.returncode == 0, again.stderr
    store = Store(machines.folder / "store")
    assert contents(store) == local(plan_of("none", "focal", file))
    assert len(store.rows_file.read_text().splitlines()) == 6, "no cell has two rows"


def test_a_worker_that_stands_still_for_a_while(machines: Machines, plan: Plan, local: Local) -> None:
    machines.scheduler()
    machines.worker("--workers", "2")
    running = Sweep(machines, plan)
    stopped = machines.in_a_cell()
    os.kill(stopped, signal.SIGSTOP)
    time.sleep(3)
    os.kill(stopped, signal.SIGCONT)
    running.go()
    assert contents(running.store) == local(plan)
    assert not any("is gone" in line for line in running.said), running.said
