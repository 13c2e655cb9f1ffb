"""The code that runs is the code that was hashed: an edit under way makes no row of other code."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from equipoise.api import choose
from equipoise.catalog import registry as registry_module
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.versions import engine_code, metrics_code
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import Watcher, sweep

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

BESIDE = PLUGIN.format(imports="from helper import FACTOR", inside="pass")


@pytest.fixture(autouse=True)
def _own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


def data() -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(120, 6)).astype(np.float32)
    Y = (X[:, :3] + rng.normal(size=(120, 3)) > 0.8).astype(np.uint8)
    return Dataset("numbers", X, Y, ("a", "b", "c"))


def plan_of(*strategies: str, splits: int = 1) -> Plan:
    tiny = {"trials": 1, "folds": 2, "epochs": 1}
    chosen = choose(None, ["numbers"], ["linear"], strategies, tiny, splits, None)
    return make_plan(chosen, device="cpu", data={"numbers": data()})


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


# --- the code that runs is the code that was hashed
def statuses(folder: Path) -> Mapping[tuple[str, Any], tuple[str, Any]]:
    return {(r["strategy"], r["split"]): (r["status"], r["error"]) for r in Store(folder).rows()}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_helper_that_is_edited_while_a_sweep_runs_makes_no_row_of_other_code(
    tmp_path: Path, workers: int
) -> None:
    mine = write(tmp_path, mine=BESIDE, helper="FACTOR = 1.0")
    plan = plan_of(mine, "none", splits=2)
    write(tmp_path, helper="FACTOR = 9.0")
    sweep(plan, Store(tmp_path / "store"), workers=workers)
    found = statuses(tmp_path / "store")
    said = "EquipoiseError: the code of strategy 'mine' changed after this cell was planned; the same command runs it anew"
    assert {found["mine", split] for split in (0, 1)} == {("failed", said)}
    assert {found["none", split] for split in (0, 1)} == {("ok", None)}
    again = plan_of(mine, "none", splits=2)
    sweep(again, Store(tmp_path / "store"), workers=1)
    rows = {row["key"]: row for row in Store(tmp_path / "store").rows()}
    assert {rows[cell.key]["status"] for cell in again.cells} == {"ok"}
    assert len(rows) == 6


def test_an_edit_between_two_cells_stops_the_second(tmp_path: Path) -> None:
    mine = write(tmp_path, mine=BESIDE, helper="FACTOR = 1.0")
    watcher = Watcher(on_row=lambda cell, row: (write(tmp_path, helper="FACTOR = 9.0"), None)[1])
    sweep(plan_of(mine, splits=2), Store(tmp_path / "store"), watcher=watcher)
    assert [status for status, _ in statuses(tmp_path / "store").values()] == ["ok", "failed"]


def test_an_installed_plugin_that_is_edited_while_its_cell_runs_makes_no_row(
    install: Callable[..., None],
) -> None:
    """What a hook imports late might be the new text: so the question is asked again when the cell has run."""
    install(
        "strategies",
        mod=PLUGIN.format(imports="", inside="from ._formula import FACTOR"),
        _formula="FACTOR = 1.0",
    )
    cell = plan_of("mine").cells[0]

    def edit(share: float) -> None:
        install("strategies", reload=False, _formula="FACTOR = 9.0")

    with pytest.raises(EquipoiseError, match="eq_pkg was edited"):
        run_alone(cell, data(), edit)


def test_our_own_code_is_asked_about_too(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = plan_of("none").cells[0]
    other = dataclasses.replace(cell, code="0" * 16 + cell.code[16:])
    with pytest.raises(EquipoiseError, match="the code of equipoise changed after this cell was planned"):
        run_alone(other, data())
    monkeypatch.setattr(
        "equipoise.experiment.versions.edited_while_loading", lambda: ("equipoise.engine.loss",)
    )
    with pytest.raises(EquipoiseError, match=r"the code of equipoise\.engine\.loss changed"):
        run_alone(cell, data())


def test_codes_are_taken_once_a_process() -> None:
    assert engine_code() is engine_code()
    assert metrics_code() is metrics_code()
