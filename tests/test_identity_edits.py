"""The code that runs is the code that was hashed: an edit under way makes no row of other code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from equipoise.core.errors import EquipoiseError
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.versions import engine_code, metrics_code
from equipoise.store.store import Store
from equipoise.sweep.run import Watcher, sweep

from .shared import edits
from .shared.edits import PLUGIN, data, plan_of, write

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")

install = edits.install


BESIDE = PLUGIN.format(imports="from helper import FACTOR", inside="pass")


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
