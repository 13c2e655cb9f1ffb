"""The key of a cell: everything that decides its row, and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from equipoise.catalog.parts import Place
from equipoise.experiment import cell as cell_module
from equipoise.experiment.cell import Cell

from .shared.pipeline import FAILING, by_strategy, numbers, plan_of

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")


# --- the key: everything that decides a row, and nothing else
def key_of(strategy: str = "focal", **settings: Any) -> str:
    return plan_of([strategy], numbers(), **settings).cells[0].key


def test_settings_and_versions_change_the_key_and_the_name_of_the_data_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = key_of()
    changed = [
        key_of(**{name: value})
        for name, value in (("trials", 3), ("folds", 3), ("epochs", 3), ("batch_size", 32))
    ]
    changed += [key_of(objective="map"), key_of(trial_batch=1), key_of("focal[gamma=1.0]"), key_of("none")]
    changed += [key_of(backbone="mlp"), key_of(backbone="linear[max_features=9]")]
    assert len({key, *changed}) == 11
    assert key_of() == key
    renamed = dataclasses.replace(numbers(), name="others")
    assert plan_of(["focal"], renamed).cells[0].key == key
    relabelled = dataclasses.replace(numbers(), Y=1 - numbers().Y)
    assert plan_of(["focal"], relabelled).cells[0].key != key
    found = cell_module.versions()
    monkeypatch.setattr(cell_module, "versions", lambda: {**found, "torch": "9.9"})
    assert key_of() != key


def test_code_changes_the_key_and_comments_do_not(tmp_path: Path) -> None:
    file = tmp_path / "fragile.py"
    file.write_text(FAILING, encoding="utf-8")
    key = key_of(str(file))
    told = FAILING.replace('"Fails', '"It fails').replace("        if", "        # a note\n\n        if")
    file.write_text(told, encoding="utf-8")
    assert key_of(str(file)) == key
    file.write_text(FAILING.replace("return bce", "return 2 * bce"), encoding="utf-8")
    assert key_of(str(file)) != key


def test_a_plugin_that_was_edited_runs_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "fragile.py"
    file.write_text(FAILING, encoding="utf-8")
    before = by_strategy(plan_of([str(file)]), tmp_path / "a")["fragile"]
    file.write_text(FAILING.replace("return bce(", "return 3 * targets * bce("), encoding="utf-8")
    after = by_strategy(plan_of([str(file)]), tmp_path / "b")["fragile"]
    assert after["key"] != before["key"]
    assert after["metrics"] != before["metrics"]


def test_where_a_plugin_lies_does_not_change_the_key() -> None:
    cell: Cell = plan_of(["none"], numbers()).cells[0]
    assert (
        dataclasses.replace(cell, places=(Place("strategy", "/elsewhere/mine.py"),), dataset="renamed").key
        == cell.key
    )
    assert dataclasses.replace(cell, split=1).key != cell.key
    assert dataclasses.replace(cell, device="cuda").key != cell.key
