"""A plugin that never returns, ends its process or leaves threads behind costs its own cell; time limits, in real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from equipoise.api import choose
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.cell import Cell
from equipoise.store.rows import fingerprint
from equipoise.store.store import Store
from equipoise.sweep import executors
from equipoise.sweep.executors import ThisProcess
from equipoise.sweep.grouping import groups
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import sweep
from equipoise.sweep.suite import parse_suite
from equipoise.sweep.watching import Watcher

from .shared.contained import numbers

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")

HEAD = """
import ctypes, os, subprocess, sys, threading, time
from dataclasses import dataclass
from equipoise.contracts.strategy import Strategy, bce
"""
DOES = """
@dataclass(frozen=True)
class {name}(Strategy):
    "Does something in {hook}."
    name = "{name}"

    def {hook}(self, *arguments):
        {statement}
        return super().{hook}(*arguments)
"""


def plugin(folder: Path, **does: tuple[str, str]) -> str:
    """A file with a strategy for each name, its hook and what that does."""
    text = HEAD + "".join(DOES.format(name=n, hook=h, statement=s) for n, (h, s) in does.items())
    (folder / "plugin.py").write_text(text, encoding="utf-8")
    return str(folder / "plugin.py")


def plan_of(strategies: list[str], timeout: float | None = None) -> Plan:
    given = {"trials": 1, "folds": 2, "epochs": 2}
    chosen = choose(None, ["numbers"], ["linear"], strategies, given, 1, None, timeout)
    return make_plan(chosen, device="cpu", data={"numbers": numbers()})


def swept(folder: Path, plan: Plan, **how: Any) -> dict[str, dict[str, Any]]:
    sweep(plan, Store(folder / "store"), **how)
    return {row["strategy"]: row for row in Store(folder / "store").rows()}


def test_a_hook_that_never_returns_is_timed_out_and_harms_no_other(tmp_path: Path) -> None:
    file = plugin(
        tmp_path,
        loops=("weights", "while True: pass"),
        sleeps=("loss", "time.sleep(3600)"),
        fine=("weights", "pass"),
    )
    when: dict[str, float] = {}
    watch = Watcher(on_row=lambda cell, row: when.setdefault(cell.strategy, time.monotonic()))
    rows = swept(tmp_path, plan_of(["none", file], 10.0), watcher=watch, workers=2)
    assert {n: row["status"] for n, row in rows.items()} == {
        "none": "ok",
        "loops": "failed",
        "sleeps": "failed",
        "fine": "ok",
    }
    for name in ("loops", "sleeps"):
        assert (
            rows[name]["error"] == "TimeoutError: timed out after 10 s, the limit of a cell (--cell-timeout)"
        )
    assert when["none"] < when["loops"], "kept when it ended"


@pytest.mark.slow
def test_cells_side_by_side_are_told_apart(tmp_path: Path) -> None:
    """Only one of two cells of a plugin hangs: after their common limit they run one by one."""
    file = plugin(tmp_path, hangs=("weights", "time.sleep(3600 * (len(arguments[0]) % 2 == 0))"))
    text = Path(file).read_text().replace('    name = "hangs"', '    name = "hangs"\n    slow: bool = False')
    Path(file).write_text(text.replace("(len(arguments[0]) % 2 == 0)", "self.slow"))
    plan = plan_of([f"{file}:hangs", f"{file}:hangs[slow=true]"], 8.0)
    assert len(groups(plan.cells)) == 1
    rows = swept(tmp_path, plan)
    assert sorted(row["status"] for row in rows.values()) == ["failed", "ok"]


@pytest.mark.skipif(os.name != "posix", reason="kills itself")
def test_a_plugin_that_ends_its_process_costs_its_own_cell_with_one_worker(tmp_path: Path) -> None:
    file = plugin(
        tmp_path,
        leaves=("weights", "os._exit(0)"),
        crashes=("adjust", "ctypes.string_at(0)"),
        forks=("weights", "os.fork()"),
        threads=("weights", "threading.Thread(target=time.sleep, args=(3600,)).start()"),
        children=("weights", "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'])"),
    )
    began = time.monotonic()
    rows = swept(tmp_path, plan_of(["none", file, "focal"]))
    assert time.monotonic() - began < 300
    failed = {name for name, row in rows.items() if row["status"] == "failed"}
    assert failed == {"leaves", "crashes"}
    assert all("died, twice" in rows[name]["error"] for name in failed)
    assert len(rows) == 7


def test_rows_do_not_depend_on_the_limit_or_the_process(tmp_path: Path) -> None:
    file = plugin(tmp_path, fine=("weights", "pass"))
    plan, limited = plan_of(["none", file, "scut"]), plan_of(["none", file, "scut"], 3600)
    assert [cell.key for cell in plan.cells] == [cell.key for cell in limited.cells]
    here = {c.strategy: row for c, (row, _) in ThisProcess().run(plan.cells, plan.data, Watcher())}
    there = swept(tmp_path, limited)
    assert {n: fingerprint(row) for n, row in here.items()} == {n: fingerprint(r) for n, r in there.items()}


@pytest.mark.slow
def test_a_cell_that_takes_ten_times_its_estimate_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(executors, "LEAST", 1.0)
    monkeypatch.setattr(executors, "core_seconds", lambda cell, size: 0.1)
    lines: list[str] = []
    file = plugin(tmp_path, slow=("tasks", "time.sleep(4)"))
    swept(tmp_path, plan_of([file]), watcher=Watcher(on_problem=lines.append))
    said = [line for line in lines if "times the estimate" in line]
    assert len(said) == 1
    assert said[0].startswith("slow on numbers, linear, split 0: running for ")
    assert said[0].endswith("10 times the estimate; --cell-timeout SECONDS ends such cells")


def test_a_suite_has_a_limit_and_a_wrong_one_is_refused() -> None:
    text = 'datasets = ["d"]\nbackbones = ["linear"]\nstrategies = ["none"]\ncell_timeout = {}\n'
    assert parse_suite("s", text.format(2.5), "s").blocks[0].cell_timeout == 2.5
    for wrong in ("0", "-1", "nan", "inf", '"1"', "true", "1e300"):
        with pytest.raises(EquipoiseError, match="cell_timeout must be a number of seconds above 0"):
            parse_suite("s", text.format(wrong), "s")


SCRIPT = """
import equipoise
rows = equipoise.run(dataset="design-emails[rows=60]", backbone="linear", strategy=["none", "./plugin.py"], trials=1, folds=2,
                     epochs=1, splits=1, results="out")
print("status", *rows["status"])
"""


@pytest.mark.slow
def test_a_script_without_a_guard_runs_a_plugin_with_one_worker(tmp_path: Path) -> None:
    plugin(tmp_path, fine=("weights", "pass"))
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240
    )
    assert "status ok ok" in done.stdout, done.stderr


def test_groups_never_mix_plugins_with_other_cells(tmp_path: Path) -> None:
    file = plugin(tmp_path, one=("weights", "pass"), two=("weights", "pass"))
    cells: tuple[Cell, ...] = plan_of(["none", file, "focal", "scut"]).cells
    names = [[cell.strategy for cell in group] for group in groups(cells)]
    assert names == [["none", "focal", "scut"], ["one"], ["two"]]
