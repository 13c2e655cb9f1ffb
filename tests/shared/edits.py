"""A plugin by path or installed, and the plans and keys it gives."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from equipoise.api import choose
from equipoise.catalog import registry as registry_module
from equipoise.contracts.dataset import Dataset
from equipoise.sweep.plan import Plan, make_plan

PLUGIN = """
from dataclasses import dataclass
from equipoise.contracts.strategy import Strategy, bce
{imports}

@dataclass(frozen=True)
class Mine(Strategy):
    "Scaled cross-entropy."
    name = "mine"

    def loss(self, logits, targets, ctx):
        {inside}
        return FACTOR * targets * bce(logits, targets) + bce(logits, targets)
"""


def data() -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(120, 6)).astype(np.float32)
    Y = (X[:, :3] + rng.normal(size=(120, 3)) > 0.8).astype(np.uint8)
    return Dataset("numbers", X, Y, ("a", "b", "c"))


def plan_of(*strategies: str, splits: int = 1) -> Plan:
    tiny = {"trials": 1, "folds": 2, "epochs": 1}
    chosen = choose(None, ["numbers"], ["linear"], strategies, tiny, splits, None)
    return make_plan(chosen, device="cpu", data={"numbers": data()})


def keys(*strategies: str) -> dict[str, str]:
    return {cell.strategy: cell.key for cell in plan_of(*strategies).cells}


def write(folder: Path, **texts: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return str(folder / "mine.py")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Offers a package of these modules as an installed plugin; calling it again edits and reloads it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        sys, "dont_write_bytecode", True
    )  # edits within a second look alike to Python's cache

    def make(kind: str = "strategy", reload: bool = True, **modules: str) -> None:
        write(tmp_path / "eq_pkg", __init__="", **modules)
        info = tmp_path / "eq_pkg-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: eq-pkg\nVersion: 1.2\n", encoding="utf-8"
        )
        (info / "entry_points.txt").write_text(f"[equipoise.{kind}]\nany = eq_pkg.mod\n", encoding="utf-8")
        importlib.invalidate_caches()
        if reload:
            for name in [n for n in sys.modules if n.partition(".")[0] == "eq_pkg"]:
                del sys.modules[name]
            registry_module._REGISTRIES.clear()

    yield make
    for name in [n for n in sys.modules if n.partition(".")[0] == "eq_pkg"]:
        del sys.modules[name]
