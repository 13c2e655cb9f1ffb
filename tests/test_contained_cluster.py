"""A worker of a cluster runs plugins and cells with a time limit in processes of their own, which end with them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from equipoise.catalog.plugins import sources_of
from equipoise.cluster import packing, remote
from equipoise.cluster.crew import _lonely
from equipoise.cluster.identity import identity
from equipoise.cluster.messages import Finished, Job, Missing, Refused
from equipoise.contracts.dataset import Dataset
from equipoise.experiment.settings import Settings
from equipoise.store.rows import fingerprint
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import sweep
from equipoise.sweep.suite import Block, Suite

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")

#: Modules that a plugin may rewire, when it is imported and again in a hook. Where the plan is made, it keeps still.
REWIRES = """
import os
from dataclasses import dataclass
import torch
from equipoise import Strategy
from equipoise.engine import optimizer
from equipoise.metrics import decision

def rewire():
    if not os.environ.get("EQUIPOISE_TEST_PLANS"):
        torch.nn.functional.softplus = torch.special.expit = torch.sigmoid = lambda x, *_, **__: x * 0.5
        torch.Tensor.sigmoid = torch.Tensor.sigmoid_ = lambda self: self.mul_(0.5)
        torch.set_default_dtype(torch.float64)
        for module in (optimizer, decision):
            for name in [n for n in vars(module) if not n.startswith("__")]:
                setattr(module, name, None)

rewire()

@dataclass(frozen=True)
class Rewires(Strategy):
    "Rewires the libraries."
    name = "rewires"

    def weights(self, Y, ctx):
        rewire()
        return super().weights(Y, ctx)
"""
#: What a plugin does in a hook, and the error of its row.
FAULTS = {
    "os._exit(3)": "RuntimeError: the worker process died, twice (killed, or out of memory)",
    "os.kill(os.getpid(), 9)": "RuntimeError: the worker process died, twice (killed, or out of memory)",
    "time.sleep(600)": "TimeoutError: timed out after 2 s, the limit of a cell (--cell-timeout)",
    "raise SystemExit(0)": "SystemExit: 0",
}
FAULTY = """
import os, time
from dataclasses import dataclass
from equipoise import Strategy

@dataclass(frozen=True)
class Faulty(Strategy):
    "Does something wrong."
    name = "faulty"

    def weights(self, Y, ctx):
        {fault}
        return super().weights(Y, ctx)
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[remote.Here]:
    """This process is a worker whose tasks are wanted."""
    node = Mock()
    node.state.tasks.get.return_value.state = "executing"
    made = remote.Here(tmp_path / "worker", identity(), "worker-1", node)
    made.folder.mkdir()
    remote.HERE[:] = [made]
    yield made
    remote.HERE.clear()


def data() -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(120, 5)).astype(np.float32)
    return Dataset(
        "numbers", X, (X[:, :3] + rng.normal(size=(120, 3)) > 0.5).astype(np.uint8), ("a", "b", "c")
    )


def plan_of(*strategies: str, timeout: float | None = None) -> Plan:
    settings = Settings(trials=1, folds=2, epochs=2)
    block = Block(("numbers",), ("linear",), strategies, settings, 1, cell_timeout=timeout)
    return make_plan(Suite("s", "", (block,)), data={"numbers": data()}, device="cpu")


def performed(here: remote.Here, plan: Plan) -> dict[str, dict[str, Any]]:
    """The rows of a plan, of which each cell is a job for this worker."""
    digest = packing.digest(plan.data["numbers"])
    (here.folder / f"{digest}.data").write_bytes(b"".join(packing.packed(plan.data["numbers"])))
    store = Store(here.folder.parent / "store")
    for cell in plan.cells:
        plugins = {place.where: sources_of(Path(place.where)) for place in cell.places}
        reply = remote.perform(pickle.dumps(Job("sweep", (cell,), {"numbers": digest}, plugins)), "task")
        assert isinstance(reply, Finished), reply
        ((key, (row, predictions)),) = reply.results
        assert key == cell.key
        store.append(row, predictions)
    return {row["strategy"]: row for row in store.rows()}


def test_what_a_plugin_rewires_does_not_reach_the_next_cell(
    here: remote.Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rewires.py"
    file.write_text(REWIRES, encoding="utf-8")
    monkeypatch.setenv("EQUIPOISE_TEST_PLANS", "1")
    plan = plan_of("none", "focal", str(file))
    sweep(plan_of("none", "focal"), Store(tmp_path / "local"))
    local = {row["strategy"]: fingerprint(row) for row in Store(tmp_path / "local").rows()}
    monkeypatch.delenv("EQUIPOISE_TEST_PLANS")
    sigmoid = torch.sigmoid
    plugin_first = sorted(plan.cells, key=lambda cell: not cell.places)
    rows = performed(here, Plan(**{**vars(plan), "cells": tuple(plugin_first)}))
    assert list(rows) == ["rewires", "none", "focal"]
    assert rows["rewires"]["status"] == "failed", "it must act where it runs"
    assert {name: fingerprint(rows[name]) for name in ("none", "focal")} == local
    assert torch.sigmoid is sigmoid
    assert torch.get_default_dtype() is torch.float32
    assert not list(here.folder.glob(".*")), "no copy of the data is left"


@pytest.mark.parametrize("fault", FAULTS)
def test_the_worker_outlives_its_cells_and_says_how_they_ended(
    here: remote.Here, tmp_path: Path, fault: str
) -> None:
    file = tmp_path / "faulty.py"
    file.write_text(FAULTY.format(fault=fault), encoding="utf-8")
    (row,) = performed(here, plan_of(str(file), timeout=2 if "sleep" in fault else None)).values()
    assert (row["status"], row["error"]) == ("failed", FAULTS[fault])


def test_a_plugin_that_does_not_load_here_refuses_its_cells(here: remote.Here, tmp_path: Path) -> None:
    """Another worker may have what it needs."""
    file = tmp_path / "faulty.py"
    file.write_text(FAULTY.format(fault="pass"), encoding="utf-8")
    plan = plan_of(str(file))
    broken = f"import os\nif os.getpid() != {os.getpid()}: raise ImportError('no such library here')\n"
    digest = packing.digest(plan.data["numbers"])
    (here.folder / f"{digest}.data").write_bytes(b"".join(packing.packed(plan.data["numbers"])))
    plugins = {str(file): {"faulty.py": broken.encode() + file.read_bytes()}}
    reply = remote.perform(
        pickle.dumps(Job("sweep", tuple(plan.cells), {"numbers": digest}, plugins)), "task"
    )
    assert isinstance(reply, Refused)
    assert "ImportError: no such library here" in reply.reason


def test_data_that_were_sent_long_ago_are_removed(here: remote.Here, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of("none")
    digest = packing.digest(plan.data["numbers"])
    old = [f"{i:064x}" for i in range(12)]
    for age, name in enumerate(old):
        file = here.folder / f"{name}.data"
        file.touch()
        os.utime(file, (1e9 - age, 1e9 - age))
    for offset, chunk in ((0, b"".join(packing.packed(plan.data["numbers"]))), (1, b"")):
        assert remote.receive(digest, "sweep", offset, chunk) is None
    left = {file.stem for file in here.folder.glob("*.data")}
    assert left == {digest, *old[: remote.STORED - 1]}
    # Removed by another worker of this folder after this one has seen it: it is sent again.
    (here.folder / f"{digest}.data").unlink()
    reply = remote.perform(pickle.dumps(Job("sweep", tuple(plan.cells), {"numbers": digest}, {})), "task")
    assert reply == Missing(("numbers",))
    monkeypatch.setattr(remote, "STORED", 1)
    fresh = [f"{i:064x}" for i in range(20, 24)]
    for name in fresh:
        remote.receive(name, "sweep", 0, b"x")
        remote.receive(name, "sweep", 1, b"")
    assert {file.stem for file in here.folder.glob("*.data")} == set(fresh), "another one may read them soon"


def test_a_line_says_why_no_worker_takes_part() -> None:
    url = "tcp://127.0.0.1:8786"
    assert _lonely(url, []).startswith(f"no worker at {url} yet; waiting for one")
    reason = "torch 2.12.0 instead of 2.13.0; install the same versions there"
    assert _lonely(url, [reason]) == (
        f"no cell runs, since the only worker at {url} was refused: {reason}; waiting for another worker"
    )
    assert _lonely(url, ["x", reason]).startswith(
        f"no cell runs, since each of the 2 workers at {url} was refused: torch"
    )
    assert len(_lonely(url, ["y" * 900])) < 480
