"""Real little packages, files and scripts of plugins, and the command line on them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest

from equipoise.catalog import registry as registry_module

from ..shared import commands

say = commands.say

#: What the modules of these tests import.
HEAD = """
from dataclasses import dataclass
import numpy as np
from equipoise import Dataset, Strategy, bce, compose, tunable
from equipoise.backbones.linear import Linear
from equipoise.contracts.dataset import DatasetSource
"""
#: A strategy, a backbone and a data set that conform.
MINE = """
@dataclass(frozen=True)
class Mine(Strategy):
    "Cross-entropy that weighs positives up."
    name = "mine"
    gamma: float = tunable(2.0, low=0.0, high=5.0)

    def loss(self, logits, targets, ctx):
        return (1 + self.gamma * targets) * bce(logits, targets)
"""
WIDE = """
@dataclass(frozen=True)
class Wide(Linear):
    "A linear model under another name."
    name = "wide"
"""
TOY = """
@dataclass(frozen=True)
class Toy(DatasetSource):
    "Three labels of six numbers."
    name = "toy"
    rows: int = 120

    def load(self, data_dir):
        rng = np.random.default_rng(5)
        X = rng.normal(size=(self.rows, 6)).astype(np.float32)
        Y = (X[:, :3] + rng.normal(size=(self.rows, 3)) > 0.8).astype(np.uint8)
        return Dataset("toy", X, Y, ("a", "b", "c"))
"""
#: The smallest sweep.
TINY = ("--splits", "1", "--trials", "1", "--folds", "2", "--epochs", "1", "--workers", "1")


class World(NamedTuple):
    """The parts of which these tests make plugins, and the options of a small sweep."""

    head: str = HEAD
    mine: str = MINE
    wide: str = WIDE
    toy: str = TOY
    tiny: tuple[str, ...] = TINY


@pytest.fixture(scope="session")
def world() -> World:
    """Sources of plugins."""
    return World()


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, no plugin left over, and no MLflow, which has tests of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "220")
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    # Edits within a second look alike to Python's cache.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Write a plugin file that begins with the imports above; returns its path."""

    def write(name: str, text: str, folder: str = "") -> str:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a distribution of these files with these entry points; calling it again edits and reloads it."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def make(points: str, files: dict[str, str], *, record: bool = False, reload: bool = True) -> None:
        for name, text in files.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(text, encoding="utf-8")
        info = site / "eq_pkg-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: eq-pkg\nVersion: 1.2\n", encoding="utf-8"
        )
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
        if record:
            listed = [p.relative_to(site).as_posix() for p in site.rglob("*.py")]
            (info / "RECORD").write_text("".join(f"{name},,\n" for name in listed), encoding="utf-8")
        importlib.invalidate_caches()
        if reload:
            _forget()
            registry_module._REGISTRIES.clear()

    yield make
    _forget()


def _forget(**_: Any) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] in ("eq_pkg", "eq_space", "eq_other")]:
        del sys.modules[name]
