"""Small plans, and a command of a few cells, for the tests of the pipeline."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.api import choose
from equipoise.contracts.dataset import Dataset
from equipoise.store.rows import fingerprint
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import sweep

EMAILS = "design-emails[rows=120]"

TINY = {"trials": 2, "folds": 2, "epochs": 2}


def numbers(n_labels: int = 3, rows: int = 120) -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(rows, 6)).astype(np.float32)
    Y = (X[:, :n_labels] + rng.normal(size=(rows, n_labels)) > 0.8).astype(np.uint8)
    return Dataset("numbers", X, Y, tuple(f"l{j}" for j in range(n_labels)))


def plan_of(
    strategies: Sequence[str],
    data: str | Dataset = EMAILS,
    backbone: str = "linear",
    split_count: int = 1,
    **settings: Any,
) -> Plan:
    name = data if isinstance(data, str) else data.name
    chosen = choose(None, [name], [backbone], strategies, {**TINY, **settings}, split_count, None)
    return make_plan(chosen, device="cpu", data={} if isinstance(data, str) else {name: data})


def by_strategy(plan: Plan, folder: Path) -> dict[str, dict[str, Any]]:
    sweep(plan, Store(folder))
    return {row["strategy"]: row for row in Store(folder).rows()}


def prints(store: Store) -> dict[str, str]:
    return {row["key"]: fingerprint(row) for row in store.rows()}


FAILING = """
from dataclasses import dataclass
from pathlib import Path
from equipoise.contracts.strategy import Strategy, bce

@dataclass(frozen=True)
class Fragile(Strategy):
    "Fails while a file lies beside it."
    name = "fragile"

    def loss(self, logits, targets, ctx):
        if (Path(__file__).parent / "broken").exists():
            raise RuntimeError("two\\nlines")
        return bce(logits, targets)
"""


def fragile(folder: Path) -> str:
    (folder / "fragile.py").write_text(FAILING, encoding="utf-8")
    (folder / "broken").touch()
    return str(folder / "fragile.py")


COMMAND = [
    "run",
    "--dataset",
    EMAILS,
    "--backbone",
    "linear",
    "--trials",
    "2",
    "--folds",
    "2",
    "--epochs",
    "2",
]

STRATEGIES = ["none", "focal"]


def command(folder: Path, split_count: int, workers: int) -> subprocess.Popen[str]:
    names = [word for name in STRATEGIES for word in ("--strategy", name)]
    more = ["--splits", str(split_count), "--workers", str(workers), "--results", str(folder)]
    line = [
        sys.executable,
        "-c",
        "from equipoise.cli import main; main()",
        *COMMAND,
        *names,
        *more,
        "--device",
        "cpu",
    ]
    folder.parent.mkdir(exist_ok=True)
    env = {**os.environ, "TMPDIR": str(folder.parent)}
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def wait_for(what: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "that took too long"
        time.sleep(0.02)


def lines_of(folder: Path) -> int:
    file = folder / "rows.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0
