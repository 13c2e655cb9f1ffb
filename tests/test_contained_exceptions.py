"""Whatever the code of a plugin raises is a failed row of its own cell; only the user's Ctrl-C ends a sweep."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from equipoise.api import choose
from equipoise.experiment.prepared import Preparations
from equipoise.store.rows import fingerprint
from equipoise.sweep.batches import attempt
from equipoise.sweep.plan import Plan, make_plan

from .shared.contained import numbers

pytestmark = pytest.mark.usefixtures("own_catalogue")

HEAD = """
import os, signal, sys
from dataclasses import dataclass
from equipoise.contracts.strategy import Strategy, bce

class Odd(BaseException):
    pass

class Silent(Exception):
    def __str__(self):
        sys.exit(5)
"""
RAISES = """
@dataclass(frozen=True)
class {name}(Strategy):
    "Fails when {hook} is called."
    name = "{name}"

    def {hook}(self, *arguments):
        {statement}
"""
#: Name → the hook, what it does, and the beginning of the error in its row.
FAULTS = {
    "exits": ("weights", "sys.exit(0)", "SystemExit: 0"),
    "exits_late": ("decide", "sys.exit('enough')", "SystemExit: enough"),
    "exits_in_training": ("loss", "sys.exit(3)", "SystemExit: 3"),
    "interrupts": ("resample", "raise KeyboardInterrupt", "KeyboardInterrupt"),
    "interrupts_in_training": ("loss", "raise KeyboardInterrupt", "KeyboardInterrupt"),
    "closes": ("tasks", "raise GeneratorExit", "GeneratorExit"),
    "stops": ("adjust", "raise StopIteration", "RuntimeError: coroutine raised StopIteration"),
    "odd": ("adjust", "raise Odd('odd')", "Odd: odd"),
    "silent": ("weights", "raise Silent", "Silent: no message"),
    "recurses": ("weights", "self.weights(*arguments)", "RecursionError"),
    "memory": ("resample", "raise MemoryError", "MemoryError"),
}


def plan_of(strategies: list[str]) -> Plan:
    given = {"trials": 1, "folds": 2, "epochs": 2}
    chosen = choose(None, ["numbers"], ["linear"], strategies, given, 1, None)
    return make_plan(chosen, device="cpu", data={"numbers": numbers()})


def rows_of(plan: Plan) -> dict[str, dict[str, Any]]:
    return {cell.strategy: row for cell, (row, _) in attempt(plan.cells, plan.data, Preparations())}


def test_whatever_a_hook_raises_is_a_failed_row_of_its_cell(tmp_path: Path) -> None:
    file = tmp_path / "faults.py"
    classes = [RAISES.format(name=n, hook=h, statement=s) for n, (h, s, _) in FAULTS.items()]
    file.write_text(HEAD + "".join(classes), encoding="utf-8")
    rows = rows_of(plan_of(["none", str(file), "focal"]))
    assert {n for n, row in rows.items() if row["status"] == "ok"} == {"none", "focal"}
    for name, (_, _, error) in FAULTS.items():
        assert rows[name]["status"] == "failed"
        assert rows[name]["error"].startswith(error), rows[name]["error"]
        assert "faults.py" in rows[name]["traceback"]
    alone = rows_of(plan_of(["none", "focal"]))
    assert {n: fingerprint(rows[n]) for n in alone} == {n: fingerprint(row) for n, row in alone.items()}


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
@pytest.mark.parametrize("hook", ["weights", "loss"])
@pytest.mark.parametrize("swallowed", [False, True])
def test_ctrl_c_ends_a_sweep_even_if_a_hook_swallows_it(tmp_path: Path, hook: str, swallowed: bool) -> None:
    send = "os.kill(os.getpid(), signal.SIGINT)"
    statement = f"try: {send}\n        except BaseException: raise ValueError" if swallowed else send
    file = tmp_path / "slow.py"
    file.write_text(HEAD + RAISES.format(name="slow", hook=hook, statement=statement), encoding="utf-8")
    plan = plan_of([str(file), "none"])
    with pytest.raises(KeyboardInterrupt):
        rows_of(plan)


def test_a_file_that_raises_an_interrupt_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "interrupts.py"
    file.write_text("raise KeyboardInterrupt", encoding="utf-8")
    with pytest.raises(ValueError, match="could not be loaded: KeyboardInterrupt"):
        plan_of([str(file)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
