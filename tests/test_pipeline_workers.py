"""Worker processes that die, cannot start, or lose the process that started them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from equipoise.core.errors import EquipoiseError
from equipoise.store.store import SPOOL, Store
from equipoise.sweep.run import sweep

from .shared.pipeline import STRATEGIES, command, lines_of, plan_of, wait_for

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")


def descendants(pid: int) -> list[int]:
    """The descendants of a process; workers are forked by a child process that does nothing else."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found + [deeper for child in found for deeper in descendants(child)]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_workers_do_not_outlive_a_killed_sweep(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    running = command(folder, 20, 2)
    wait_for(lambda: lines_of(folder) >= 1 or running.poll() is not None)
    workers = descendants(running.pid)
    assert list(folder.glob(f"{SPOOL}*/*.pickle")), "the data that workers read"
    running.kill()
    running.wait()
    assert len(workers) >= 4, "two workers, what they are forked from, and Python's tracker of semaphores"
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 60)
    assert list(folder.glob(f"{SPOOL}*")) == []
    done = lines_of(folder)
    sweep(plan_of(STRATEGIES, split_count=1), Store(folder))  # the lock is free again
    assert done >= 1


KILLER = """
import os, signal
from dataclasses import dataclass
from equipoise.contracts.strategy import Strategy

@dataclass(frozen=True)
class Killer(Strategy):
    "Kills its process."
    name = "killer"

    def weights(self, Y, ctx):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_cell_whose_worker_dies_twice_becomes_a_failed_row_and_harms_no_other(tmp_path: Path) -> None:
    (tmp_path / "killer.py").write_text(KILLER, encoding="utf-8")
    plan = plan_of(["none", str(tmp_path / "killer.py"), "focal", "ml_ros"], epochs=20)
    sweep(plan, Store(tmp_path / "store"), workers=2)
    rows = Store(tmp_path / "store").rows()
    assert len(rows) == 4
    assert {r["strategy"] for r in rows if r["status"] == "failed"} == {"killer"}
    assert all("died, twice" in r["error"] for r in rows if r["status"] == "failed")
    assert sum(r["status"] == "ok" for r in rows) == 3


UNGUARDED = """
import equipoise

equipoise.run(
    dataset="design-emails[rows=120]", backbone="linear", strategy=["none", "focal"], splits=1, trials=2, workers=2, results="out"
)
"""


def test_workers_that_cannot_start_end_the_sweep_with_one_message(tmp_path: Path) -> None:
    """A script without a guard runs again in each worker, which dies of it: the sweep must not start workers for ever."""
    (tmp_path / "unguarded.py").write_text(UNGUARDED, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "unguarded.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].endswith("or run with workers=1")
    assert "worker processes cannot start" in done.stderr
    assert 'below `if __name__ == "__main__":`' in done.stderr
    assert done.stderr.count("Traceback") == 1, "that of the script itself, and none of a worker"


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_processes_that_the_system_refuses_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too little memory, the system starts no more processes."""

    def refuse(*_: Any) -> None:
        raise OSError("no memory")

    monkeypatch.setattr("equipoise.sweep.processes.Pool._start", refuse)
    with pytest.raises(EquipoiseError, match=r"cannot start .OSError: no memory.; run with"):
        sweep(plan_of(STRATEGIES), Store(tmp_path / "store"), workers=2)
    assert not Store(tmp_path / "store").rows()
