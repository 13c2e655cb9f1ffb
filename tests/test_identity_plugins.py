"""All modules of a plugin count in the key of a row; its place and its file's name do not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from equipoise.catalog import registry as registry_module
from equipoise.catalog.plugins import code_of
from equipoise.catalog.registry import Registry, registry
from equipoise.core import code_hash
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.pipeline import run_alone

from .shared import edits
from .shared.edits import PLUGIN, data, keys, plan_of, write

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")

install = edits.install


BESIDE = PLUGIN.format(imports="from helper import FACTOR", inside="pass")


# --- plugins


@pytest.mark.parametrize(
    ("imports", "inside"),
    [
        ("from helper import FACTOR", "pass"),
        ("import helper", "FACTOR = helper.FACTOR"),
        ("", "from helper import FACTOR"),
        ("from .helper import FACTOR", "pass"),
        ("import package.inner as inner", "FACTOR = inner.FACTOR"),
        ("import package.inner", "FACTOR = package.inner.FACTOR"),
    ],
)
def test_a_module_beside_a_plugin_file_counts(tmp_path: Path, imports: str, inside: str) -> None:
    mine = write(
        tmp_path, mine=PLUGIN.format(imports=imports, inside=inside), helper="FACTOR = 1.0", unused="X = 1"
    )
    write(tmp_path / "package", __init__="", inner="from helper import FACTOR")
    before = keys(mine, "none")
    first = run_alone(plan_of(mine).cells[0], data())[1]
    write(tmp_path, helper="# the factor\nFACTOR = 1.0", unused="X = 2")
    assert keys(mine, "none") == before
    write(tmp_path, helper="FACTOR = 9.0")  # as long as before: nothing may be told by size or time
    after = keys(mine, "none")
    assert after["none"] == before["none"]
    assert after["mine"] != before["mine"]
    assert not np.array_equal(
        run_alone(plan_of(mine).cells[0], data())[1]["test_logits"], first["test_logits"]
    )


def test_two_plugins_may_each_have_a_helper_of_that_name(tmp_path: Path) -> None:
    lazy = PLUGIN.format(imports="", inside="from helper import FACTOR")
    one = write(tmp_path / "one", mine=lazy, helper="FACTOR = 1.0")
    two = write(tmp_path / "two", mine=lazy.replace('"mine"', '"ours"'), helper="FACTOR = 9.0")
    logits = {}
    for cell in plan_of(one, two).cells:
        logits[cell.strategy] = run_alone(cell, data())[1]["test_logits"]
    assert not np.array_equal(logits["mine"], logits["ours"])
    assert "helper" not in sys.modules
    assert not list(tmp_path.rglob("*.pyc"))


def test_neither_place_nor_name_of_a_plugin_file_is_in_its_key(tmp_path: Path) -> None:
    one = write(tmp_path / "one", mine=BESIDE, helper="FACTOR = 1.0")
    before = keys(one)
    registry_module._REGISTRIES.clear()
    two = write(tmp_path / "two", helper="FACTOR = 1.0", other=BESIDE).replace("mine.py", "other.py")
    assert keys(two) == before


def test_of_our_modules_a_plugin_needs_those_that_no_other_hash_covers(tmp_path: Path) -> None:
    text = PLUGIN.format(imports="from equipoise.strategies.focal import focal_factor", inside="FACTOR = 1.0")
    mine = write(tmp_path, mine=text)
    before = keys(mine)
    focal = Path(str(code_hash.file_of("equipoise.strategies.focal"))).read_text(encoding="utf-8")
    edited = code_hash._Module(focal.replace("gamma * F", "2 * gamma * F"), "equipoise.strategies.focal")
    module = code_hash._module
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_hash, "_module", lambda n: edited if n.endswith(".focal") else module(n))
        assert keys(mine) != before


RELATIVE = PLUGIN.format(imports="from ._formula import FACTOR", inside="pass")


def test_all_modules_of_an_installed_plugin_count(install: Callable[..., None], tmp_path: Path) -> None:
    install("strategies", mod=RELATIVE, _formula="FACTOR = 1.0")
    before = keys("mine", "focal")
    install("strategies", _formula="'Told.'\nFACTOR = 1.0  # once")
    assert keys("mine", "focal") == before
    install("strategies", _formula="FACTOR = 50.0")
    after = keys("mine", "focal")
    assert after["focal"] == before["focal"]
    assert after["mine"] != before["mine"]


def test_a_row_says_which_plugins_made_it(install: Callable[..., None], tmp_path: Path) -> None:
    install("strategies", mod=RELATIVE, _formula="FACTOR = 1.0")
    file = write(tmp_path / "here", mine=BESIDE.replace('"mine"', '"ours"'), helper="FACTOR = 1.0")
    rows = {cell.strategy: cell.row("ok")["plugins"] for cell in plan_of("mine+scut", file, "none").cells}
    own = {"kind": "strategy", "name": "mine", "origin": "plugin eq_pkg.mod"}
    assert rows["mine+scut"] == [{**own, "distribution": "eq-pkg", "version": "1.2"}]
    assert rows["ours"][0]["origin"] == "file mine.py"
    assert rows["none"] == []


def test_a_backbone_of_an_installed_plugin_counts_with_its_modules(install: Callable[..., None]) -> None:
    text = (
        "from dataclasses import dataclass\nfrom equipoise.backbones.linear import Linear\n"
        "from ._size import SIZE\n@dataclass(frozen=True)\nclass Mine(Linear):\n    name = 'mine'\n    size = SIZE\n"
    )
    install("backbones", mod=text, _size="SIZE = 1")
    before = code_of(registry("backbone").get("mine"))
    origin = registry("backbone").origin("mine")
    install("backbones", _size="SIZE = 2")
    assert code_of(registry("backbone").get("mine")) != before
    assert (origin.distribution, origin.version) == ("eq-pkg", "1.2") if origin is not None else False


def test_an_installed_plugin_that_was_edited_after_it_was_loaded_is_not_hashed(
    install: Callable[..., None],
) -> None:
    install("strategies", mod=RELATIVE, _formula="FACTOR = 1.0")
    keys("mine")
    install("strategies", reload=False, _formula="FACTOR = 2.0")
    with pytest.raises(
        EquipoiseError, match="eq_pkg was edited after this process had loaded it: start again"
    ):
        keys("mine")


def test_a_file_with_a_helper_that_is_edited_is_loaded_anew(tmp_path: Path) -> None:
    known = Registry("strategy")
    mine = write(tmp_path, mine=BESIDE, helper="FACTOR = 1.0")
    known.add_file(mine)
    first = known.get("mine")
    known.add_file(mine)
    assert known.get("mine") is first
    write(tmp_path, helper="FACTOR = 2.0")
    known.add_file(mine)
    assert known.get("mine") is not first
