"""What a plugin changes in its process is undone, and touches no other cell: rows beside it are equal bit for bit."""

from __future__ import annotations

import gc
import os
import random
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from equipoise.api import choose
from equipoise.core.global_state import state_kept
from equipoise.experiment.prepared import Preparations
from equipoise.store.rows import fingerprint
from equipoise.store.store import Store
from equipoise.sweep.batches import attempt
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import sweep

from .shared.contained import numbers

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")

HEAD = """
import gc, os, random, sys, warnings
from dataclasses import dataclass
import numpy as np
import torch
import equipoise.metrics
from equipoise.contracts.strategy import Strategy, bce

def mess():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    np.seterr(all="raise")
    os.chdir("/")
    os.environ["OMP_NUM_THREADS"] = "7"
    os.environ["MESS"] = "1"
    os.environ.pop("HOME", None)
    warnings.simplefilter("error")
    sys.setrecursionlimit(5000)
    sys.stdout = None
    gc.disable()

def rewire():
    Strategy.weights = lambda self, Y, ctx: np.arange(len(Y)) + 1.0
    Strategy.loss = lambda self, logits, targets, ctx: 7 * bce(logits, targets)
    np.random.Generator = None
    torch.isfinite = torch.isnan
"""
CALLS = """
@dataclass(frozen=True)
class {name}(Strategy):
    "Calls {what} in {hook}."
    name = "{name}"

    def {hook}(self, *arguments):
        {what}()
        return Strategy.{hook}(self, *arguments)
"""


def plan_of(strategies: list[str], backbone: str = "mlp[hidden=4]") -> Plan:
    given = {"trials": 1, "folds": 2, "epochs": 2}
    chosen = choose(None, ["numbers"], [backbone], strategies, given, 1, None)
    return make_plan(chosen, device="cpu", data={"numbers": numbers()})


def plugin(folder: Path, what: str, hooks: list[str]) -> str:
    text = HEAD + "".join(CALLS.format(name=f"in_{hook}", hook=hook, what=what) for hook in hooks)
    (folder / "changes.py").write_text(text, encoding="utf-8")
    return str(folder / "changes.py")


def rows_of(plan: Plan) -> dict[str, dict[str, Any]]:
    return {cell.strategy: row for cell, (row, _) in attempt(plan.cells, plan.data, Preparations())}


def settings() -> list[Any]:
    return [
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        random.getstate(),
        np.geterr(),
        os.getcwd(),
        dict(os.environ),
        list(warnings.filters),
        sys.getrecursionlimit(),
        sys.stdout,
        gc.isenabled(),
    ]


def test_rows_beside_a_plugin_that_changes_everything_are_equal_bit_for_bit(tmp_path: Path) -> None:
    names = ["none", "focal", "ml_ros", "scut"]
    alone = rows_of(plan_of(names))
    file = plugin(tmp_path, "mess", ["loss", "weights", "resample", "tasks", "adjust", "decide"])
    before = settings()
    beside = rows_of(plan_of([file, *names]))
    assert settings() == before
    assert {n: fingerprint(beside[n]) for n in names} == {n: fingerprint(alone[n]) for n in names}


def test_the_state_is_restored_after_an_exception() -> None:
    before = settings()

    def fails() -> None:
        with state_kept():
            torch.set_default_dtype(torch.float64)
            os.environ["MESS"] = "1"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert settings() == before


def test_a_plugin_that_rewires_modules_touches_no_other_cell(tmp_path: Path) -> None:
    """No state to restore: only a process of its own keeps that apart, also with one worker."""
    names = ["none", "focal"]
    alone = rows_of(plan_of(names, "linear"))
    file = plugin(tmp_path, "rewire", ["weights", "decide"])
    sweep(plan_of([file, *names], "linear"), Store(tmp_path / "store"))
    rows = {row["strategy"]: row for row in Store(tmp_path / "store").rows()}
    assert len(rows) == 4
    assert {n: fingerprint(rows[n]) for n in names} == {n: fingerprint(alone[n]) for n in names}
