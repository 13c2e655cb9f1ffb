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
