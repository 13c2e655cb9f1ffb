"""Rows and predictions of a cluster are those of this process, with any number of workers."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import Watcher, sweep
from equipoise.sweep.suite import Block, Suite

pytest.importorskip("distributed")
from equipoise.cluster.executor import Cluster
from equipoise.experiment.settings import Settings

from .conftest import Machines, contents, plan_of

Local = Callable[[Plan], dict[str, Any]]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_rows_are_equal_also_of_a_plugin_by_path(
    machines: Machines, plugins: Path, local: Local, workers: int
) -> None:
    """The plugin and the module beside it go to the workers, which cannot see the driver's files."""
    plan = plan_of("none", "focal", "ml_ros+scut", str(plugins / "telltale.py"))
    machines.scheduler()
    machines.worker("--workers", str(workers))
    shares: list[float] = []
    store = Store(machines.folder / "store")
    watcher = Watcher(on_share=lambda cell, share: shares.append(share))
    sweep(plan, store, executor=Cluster(machines.url), watcher=watcher)
    assert contents(store) == local(plan)
    assert len(store.rows()) == 8
    assert shares
    assert 0 < max(shares) <= 1
    assert list(machines.told.glob("*.ran")), "it ran in a worker"


@pytest.mark.slow
def test_data_of_the_caller_go_to_the_workers(machines: Machines, local: Local) -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(90, 7)).astype(np.float32), rng.random((90, 3)) < 0.4
    data = {
        "mine": Dataset("mine", X, Y, ("a", "b", "c"), official=np.repeat([0, 2], [60, 30])),
        "texts": Dataset(
            "texts", np.array([f"word{i % 7} and more" for i in range(90)], object), Y, ("a", "b", "c")
        ),
    }
    blocks = [
        Block((name,), ("mlp",), ("none",), Settings(trials=1, folds=2, epochs=1), splits)
        for name, splits in (("mine", "official"), ("texts", 2))
    ]
    plan = make_plan(Suite("own", "", tuple(blocks)), data=data)
    machines.scheduler()
    machines.worker("--workers", "2")
    store = Store(machines.folder / "store")
    sweep(plan, store, executor=Cluster(machines.url))
    assert contents(store) == local(plan)
    assert len(store.rows()) == 3


@pytest.mark.slow
def test_without_a_worker_a_line_says_so_and_the_sweep_waits(machines: Machines, local: Local) -> None:
    plan = plan_of("none", splits=1)
    machines.scheduler()
    said: list[str] = []
    alone = threading.Event()

    def hear(line: str) -> None:
        said.append(line)
        alone.set()

    store = Store(machines.folder / "store")
    running = threading.Thread(
        target=sweep,
        args=(plan, store),
        kwargs={"executor": Cluster(machines.url), "watcher": Watcher(on_problem=hear)},
    )
    running.start()
    assert alone.wait(10), "no line within ten seconds"
    assert said == [
        f"no worker at {machines.url} yet; waiting for one (to start it: equipoise worker {machines.url})"
    ]
    machines.worker()
    running.join(180)
    assert contents(store) == local(plan)


def test_without_a_scheduler_there_is_one_line(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.cluster.driver.START", 1.0)
    said: list[str] = []
    store, watcher = Store(machines.folder / "store"), Watcher(on_problem=said.append)
    with pytest.raises(EquipoiseError, match=rf"no scheduler answers at {machines.url}; start one with"):
        sweep(plan_of("none", splits=1), store, executor=Cluster(machines.url), watcher=watcher)
    assert said == [f"no scheduler answers at {machines.url} yet; trying for 1 seconds"]


def test_nothing_to_do_needs_no_scheduler(machines: Machines) -> None:
    plan = plan_of("none", splits=1)
    store = Store(machines.folder / "store")
    sweep(plan, store)
    sweep(plan, store, executor=Cluster(machines.url))
    assert len(store.rows()) == 1


@pytest.mark.slow
def test_encrypted_with_certificates(
    machines: Machines, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equipoise.cluster.driver.START", 1.0)
    for name in ("ours", "other"):
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
        command = ["openssl", *words, "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        made = subprocess.run(command, cwd=machines.folder, capture_output=True, check=False)
        assert made.returncode == 0, made.stderr
    ours, key, other = (machines.folder / name for name in ("ours.pem", "ours.key", "other.pem"))
    machines.url = f"tls://127.0.0.1:{machines.port}"
    machines.scheduler(
        *("--protocol", "tls", "--host", "127.0.0.1", "--port", str(machines.port), "--no-dashboard"),
        *("--tls-ca-file", str(ours), "--tls-cert", str(ours), "--tls-key", str(key)),
    )
    machines.worker("--tls-ca", str(ours), "--tls-cert", str(ours), "--tls-key", str(key))
    plan = plan_of("none", splits=1)
    store = Store(machines.folder / "store")
    with pytest.raises(EquipoiseError, match=r"no scheduler answers at tls://.* with these TLS files"):
        sweep(plan, store, executor=Cluster(machines.url, other, other, machines.folder / "other.key"))
    sweep(plan, store, executor=Cluster(machines.url, ours, ours, key))
    assert contents(store) == local(plan)


@pytest.mark.slow
def test_backbones_and_parts_of_compositions_go_to_the_workers_as_files(
    machines: Machines, plugins: Path, local: Local
) -> None:
    (plugins / "wide.py").write_text(
        "from dataclasses import dataclass\nfrom equipoise.backbones.linear import Linear\n"
        "@dataclass(frozen=True)\nclass Wide(Linear):\n    name = 'wide'\n",
        encoding="utf-8",
    )
    (plugins / "joined.py").write_text(
        "from equipoise import compose\nCOMBINATION = compose('ml_ros[p=0.5]', 'focal')\n", encoding="utf-8"
    )
    strategies = ("none", f"{plugins / 'telltale.py'}+scut", str(plugins / "joined.py"))
    block = Block(
        ("design-emails[rows=80]",),
        (str(plugins / "wide.py"),),
        strategies,
        Settings(trials=1, folds=2, epochs=2),
        1,
    )
    plan = make_plan(Suite("tiny", "", (block,)))
    machines.scheduler()
    machines.worker("--workers", "1")
    store = Store(machines.folder / "store")
    sweep(plan, store, executor=Cluster(machines.url))
    assert contents(store) == local(plan)
    assert {row["strategy"] for row in store.rows()} == {"none", "telltale+scut", "joined"}
    assert list(machines.told.glob("*.ran")), "it ran in a worker"
