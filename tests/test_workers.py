"""How many worker processes a sweep gets, and how they are started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from equipoise.contracts.dataset import Dataset
from equipoise.core import system
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings
from equipoise.sweep import worker_count as workers

GB = 2**30


def cells(number: int, device: str = "cpu", backbone: str = "linear") -> list[Cell]:
    return [Cell("d", "", backbone, "none", split, 0, Settings(), device, "") for split in range(number)]


def numbers(rows: int = 100, width: int = 10, labels: int = 4) -> dict[str, Dataset]:
    X, Y = np.zeros((rows, width), dtype=np.float32), np.zeros((rows, labels), dtype=np.uint8)
    Y[0] = 1
    return {"d": Dataset("d", X, Y, tuple(f"l{j}" for j in range(labels)))}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight CPUs and 32 GB."""
    monkeypatch.setattr(workers, "cpus", lambda: 8)
    monkeypatch.setattr(workers, "memory", lambda: 32 * GB)


@pytest.mark.parametrize(
    ("todo", "line"),
    [
        (cells(48), "8 workers: 8 CPUs"),
        (cells(3), "3 workers: 3 cells"),
        (cells(1), "1 worker: 1 cell"),
        (cells(48, "cuda"), "1 worker: one CUDA device"),
        ([], "1 worker: 0 cells"),
    ],
)
def test_the_number_and_what_settled_it(machine: None, todo: list[Cell], line: str) -> None:
    assert str(workers.choose_workers(todo, numbers())) == line


def test_memory_bounds_the_number(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    each = workers.footprint(cells(48), numbers())
    for room, expected in ((3.5, 3), (0.2, 1)):
        monkeypatch.setattr(workers, "memory", lambda room=room: int(room * each / workers.SHARE))
        made = workers.choose_workers(cells(48), numbers())
        assert made.count == expected
        assert "GB of memory are free" in str(made)
    monkeypatch.setattr(workers, "memory", lambda: None)
    assert workers.choose_workers(cells(48), numbers()).count == 8, "nobody says how much there is"


def test_what_is_larger_takes_more(machine: None) -> None:
    base = workers.footprint(cells(1), numbers())
    assert workers.BASE < base < workers.BASE + 10 * 2**20
    for larger in (numbers(rows=10**6), numbers(width=5000, labels=400)):
        assert workers.footprint(cells(1), larger) > base + 100 * 2**20
    assert workers.footprint(cells(1, backbone="mlp"), numbers(width=5000)) > base + 100 * 2**20


def test_numbers_are_taken_as_they_are_and_words_are_not() -> None:
    assert (workers.parse_workers("3"), workers.parse_workers(2), workers.parse_workers("auto")) == (
        3,
        2,
        None,
    )
    for wrong in ("many", "0", 0, -1, "1.5"):
        with pytest.raises(EquipoiseError, match="a number from 1, or auto"):
            workers.parse_workers(wrong)


def test_a_container_s_limit_is_found(tmp_path: Path) -> None:
    mine, second, first = tmp_path / "cgroup", tmp_path / "second", tmp_path / "first"
    mine.write_text("4:memory:/inner\n0::/inner\n")
    assert system._free_in_container(second, mine) is None

    def group(folder: Path, names: tuple[str, str], values: tuple[str, str], stat: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in zip(names, values, strict=True):
            (folder / name).write_text(value + "\n")
        (folder / "memory.stat").write_text(stat)

    group(second, ("memory.max", "memory.current"), ("max", "500"), "inactive_file 100\n")
    assert system._free_in_container(second, mine) is None
    group(second / "inner", ("memory.max", "memory.current"), ("1000", "500"), "anon 3\ninactive_file 100\n")
    assert system._free_in_container(second, mine) == 600
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    group(first / "memory", names, ("800", "900"), "inactive_file 7\ntotal_inactive_file 50\n")
    assert system._free_in_container(first, mine) == 0


def test_free_memory_is_what_the_system_calls_available(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  900 kB\nMemFree:  1 kB\nMemAvailable:   500 kB\n")
    assert system._free_here(tmp_path / "meminfo") == 500 * 1024
    assert system._free_here(tmp_path / "nothing") is None


WATCHED = """
import json, os, sys
from pathlib import Path
import equipoise
from equipoise.sweep import pool

if __name__ == "__main__":
    pool.begin()
    from multiprocessing import forkserver
    rows = equipoise.run(dataset="design-emails[rows=60]", backbone="linear", strategy=["none", sys.argv[1]], trials=1,
                         folds=2, epochs=1, splits=2, workers=2, results=sys.argv[2])
    server = forkserver._forkserver._forkserver_pid
    print(json.dumps({"status": sorted(set(rows["status"])), "server": server,
                      "threads": len(list(Path(f"/proc/{server}/task").iterdir()))}))
"""
TELLING = """
import os, sys
from dataclasses import dataclass
from pathlib import Path
from equipoise.contracts.strategy import Strategy, bce

@dataclass(frozen=True)
class Telling(Strategy):
    "Leaves word of the process it is in."
    name = "telling"

    def weights(self, Y, ctx):
        names = ("OMP_NUM_THREADS", "PYTHONSAFEPATH", "HERE")
        words = [str(os.getppid()), *(os.environ.get(n, "-") for n in names)]
        (Path(__file__).parent / f"{os.getpid()}.told").write_text(" ".join(words))
        return super().weights(Y, ctx)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are not forked")
@pytest.mark.slow
def test_workers_are_forked_from_a_process_in_which_nothing_runs(tmp_path: Path) -> None:
    """It has one thread and passes on none of its environment, and modules in the user's folder shadow none."""
    (tmp_path / "telling.py").write_text(TELLING, encoding="utf-8")
    script = tmp_path / "scripts" / "watched.py"
    script.parent.mkdir()
    script.write_text(WATCHED, encoding="utf-8")
    (tmp_path / "optuna.py").write_text("raise SystemExit('the wrong optuna')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "telling.py"), "store"],
        cwd=tmp_path,
        env={**{n: v for n, v in os.environ.items() if n != "OMP_NUM_THREADS"}, "HERE": "yes"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["status"] == ["ok"]
    assert said["threads"] == 1
    told = [file.read_text().split() for file in tmp_path.glob("*.told")]
    assert told
    assert {line[0] for line in told} == {str(said["server"])}
    assert all(line[1:] == ["1", "-", "yes"] for line in told)
