"""A plugin, or a module that it imports, is edited by its own hook while the sweep runs: no row holds numbers of other code."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from equipoise.api import choose
from equipoise.store.rows import fingerprint
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import sweep

from .shared.contained import numbers, rows_of

MINE = """
from dataclasses import dataclass
from pathlib import Path
from equipoise.contracts.strategy import Strategy, bce
{early}

SCALE = 1.0

@dataclass(frozen=True)
class Mine(Strategy):
    "Edits itself, or what it imports, where a file says so; then it weights positives up."
    name = "mine"

    def weights(self, Y, ctx):
        go = Path(__file__).parent / "go"
        if go.exists():
            file = Path(go.read_text())
            file.write_text(file.read_text().replace("1.0", "9.0"))
        return super().weights(Y, ctx)

    def loss(self, logits, targets, ctx):
        {late}
        return bce(logits, targets) * (1 + SCALE * FACTOR * targets)
"""
IMPORT = "from eq_beside_helper import FACTOR"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No MLflow, and plugins that a test loads are removed after it."""
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    # Where an earlier test was, there is another file now.
    monkeypatch.delitem(sys.modules, "eq_beside_helper", raising=False)
    # Edits within a second look alike to Python's cache.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")


def plan_of(mine: Path) -> Plan:
    given = {"trials": 1, "folds": 2, "epochs": 2}
    chosen = choose(None, ["numbers"], ["linear"], ["none", str(mine)], given, 2, None)
    return make_plan(chosen, device="cpu", data={"numbers": numbers()})


@pytest.mark.parametrize("late", [False, True], ids=["imported at once", "imported in the hook"])
@pytest.mark.parametrize("edited", ["itself", "helper beside it", "helper elsewhere"])
@pytest.mark.parametrize("workers", [1, 2])
def test_no_row_of_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, edited: str, late: bool
) -> None:
    plugins, elsewhere = tmp_path / "plugins", tmp_path / "elsewhere"
    for folder in (plugins, elsewhere):
        folder.mkdir()
    monkeypatch.syspath_prepend(str(elsewhere))
    mine = plugins / "mine.py"
    mine.write_text(MINE.format(early="" if late else IMPORT, late=IMPORT if late else "pass"))
    helper = (elsewhere if edited == "helper elsewhere" else plugins) / "eq_beside_helper.py"
    helper.write_text("FACTOR = 1.0\n")
    sweep(plan_of(mine), Store(tmp_path / "as planned"), workers=workers)
    planned = rows_of(tmp_path / "as planned")
    assert [row["status"] for row in planned.values()] == ["ok"] * 4
    plan = plan_of(mine)
    (plugins / "go").write_text(str(mine if edited == "itself" else helper))
    sweep(plan, Store(tmp_path / "edited"), workers=workers)
    rows = rows_of(tmp_path / "edited")
    assert rows.keys() == planned.keys(), "the same code was planned"
    for key, row in rows.items():
        if row["status"] == "ok":
            assert fingerprint(row) == fingerprint(planned[key])
        else:
            # A worker that reads the file while it is being written finds half of it, and no strategy.
            assert "changed after this cell was planned" in row["error"]
            assert "the same command runs it anew" in row["error"]
    assert [row["status"] for row in rows.values() if row["strategy"] == "none"] == ["ok"] * 2
    assert "9.0" in (mine if edited == "itself" else helper).read_text()
    (plugins / "go").unlink()
    sweep(plan_of(mine), Store(tmp_path / "edited"), workers=workers)
    anew = rows_of(tmp_path / "edited")
    assert len(anew) == 6, "the edited plugin has keys of its own"
    assert all(row["status"] == "ok" for key, row in anew.items() if key not in rows)
