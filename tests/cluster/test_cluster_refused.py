"""A worker that would compute something else is refused with a line, and the others go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.store.store import Store
from equipoise.sweep.plan import Plan
from equipoise.sweep.run import Watcher, sweep

pytest.importorskip("distributed")
from equipoise.cluster.executor import Cluster

from .conftest import Machines, contents, plan_of, until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
Local = Callable[[Plan], dict[str, Any]]


def other_code(folder: Path) -> Path:
    """A copy of the package in which one line of the engine differs."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "equipoise", folder / "equipoise", ignore=ignored)
    for name in ("strategies", "datasets", "backbones"):
        shutil.copytree(ROOT / name, folder / "equipoise" / name, ignore=ignored)
    shutil.copytree(ROOT / "benchmarks" / "suites", folder / "equipoise" / "suites", ignore=ignored)
    with (folder / "equipoise" / "engine" / "loss.py").open("a", encoding="utf-8") as file:
        file.write("\nANOTHER = 1\n")
    return folder


def test_workers_of_other_code_cpu_and_origin_are_refused(
    machines: Machines, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of("none", splits=1)
    machines.scheduler()
    machines.worker(PYTHONPATH=str(other_code(machines.folder / "other")))
    machines.worker(ATEN_CPU_CAPABILITY="default")
    machines.start("dask", "worker", machines.url, "--no-nanny", "--nthreads", "1", "--no-dashboard")
    said: list[str] = []
    store = Store(machines.folder / "store")
    good = []

    def hear(line: str) -> None:
        said.append(line)
        if len([s for s in said if "is refused" in s]) == 3 and not good:
            good.append(machines.worker())

    sweep(plan, store, executor=Cluster(machines.url), watcher=Watcher(on_problem=hear))
    assert contents(store) == local(plan)
    refused = "\n".join(line for line in said if "is refused" in line)
    assert refused.count("\n") == 2
    assert "other code of equipoise: engine " in refused
    assert "CPU capability DEFAULT instead of" in refused
    assert "--allow-mixed takes it" in refused
    assert f"it was not started by `equipoise worker {machines.url}`" in refused
    until(lambda: machines.output.count("is refused: ") >= 2, "the workers say so, too")


def test_with_allow_mixed_the_row_says_what_it_ran_on(machines: Machines) -> None:
    plan = plan_of("none", splits=1)
    machines.scheduler()
    machines.worker(ATEN_CPU_CAPABILITY="default")
    store = Store(machines.folder / "store")
    sweep(plan, store, executor=Cluster(machines.url, allow_mixed=True))
    (row,) = store.rows()
    assert (row["status"], row["cpu"], row["key"]) == ("ok", "DEFAULT", plan.cells[0].key)


ONLY_THERE = """
import os
from dataclasses import dataclass
from equipoise import Strategy

if "EQUIPOISE_LIBRARY" not in os.environ:
    raise ImportError("no such library here")

@dataclass(frozen=True)
class OnlyThere(Strategy):
    "Needs what not every machine has."
    name = "only_there"

    def weights(self, Y, ctx):
        return super().weights(Y, ctx) * 2
"""


def test_a_worker_on_which_a_plugin_does_not_load_is_refused_and_its_cells_go_to_another(
    machines: Machines, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUIPOISE_LIBRARY", "1")
    file = machines.folder / "only_there.py"
    file.write_text(ONLY_THERE, encoding="utf-8")
    plan = plan_of(str(file), "none", splits=1)
    machines.scheduler()
    # The driver has loaded the plugin by now.
    monkeypatch.delenv("EQUIPOISE_LIBRARY")
    machines.worker()
    said: list[str] = []

    def hear(line: str) -> None:
        said.append(line)
        if "is refused" in line:
            machines.worker(EQUIPOISE_LIBRARY="1")

    store = Store(machines.folder / "store")
    sweep(plan, store, executor=Cluster(machines.url), watcher=Watcher(on_problem=hear))
    (refused,) = [line for line in said if "is refused" in line]
    assert "could not be loaded: ImportError: no such library here" in refused
    monkeypatch.setenv("EQUIPOISE_LIBRARY", "1")
    assert contents(store) == local(plan)
    assert len(store.rows()) == 2
