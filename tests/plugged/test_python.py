"""Strategies, backbones and data sets as classes and instances of Python, in modules, scripts, notebooks and functions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import equipoise
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.objects import spec_of
from equipoise.catalog.registry import registry
from equipoise.core.errors import EquipoiseError

RUN = """
    import equipoise
    from equipoise.sweep import run
    from unittest.mock import Mock
    run.MlflowWriter = Mock()  # it has tests of its own, and takes seconds
    found = equipoise.run(
        dataset=Toy, backbone=[Wide(), "linear"], strategy=["none", Mine, compose(Mine(gamma=1.0), "scut")],
        splits=1, trials=1, folds=2, epochs=1, results="res",
    )
    print(sorted(set(zip(found["backbone"], found["strategy"], found["status"]))))
"""
NAMES = ["mine", "mine[gamma=1.0]+scut", "none"]
EXPECTED = [(backbone, name, "ok") for backbone in ("linear", "wide") for name in NAMES]


def python(folder: Path, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, input=text, capture_output=True, text=True, env=environment
    )


def keys(folder: Path) -> dict[tuple[str, str], str]:
    lines = (folder / "res" / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    return {(row["backbone"], row["strategy"]): row["key"] for row in map(json.loads, lines)}


@pytest.mark.slow
def test_classes_of_a_script_are_run_and_hashed_with_what_they_import(
    tmp_path: Path, file: Callable[..., str], world: Any
) -> None:
    plugins = world.wide + world.toy + world.mine.replace("self.gamma", "FACTOR * self.gamma")
    plugins = "from helper import FACTOR\n" + plugins
    script = file("study.py", plugins + "\nif __name__ == '__main__':" + RUN)
    (tmp_path / "helper.py").write_text("FACTOR = 1.0", encoding="utf-8")
    done = python(tmp_path, script)
    assert done.stdout.strip().endswith(str(EXPECTED)), done.stderr
    before = keys(tmp_path)
    # What runs below the guard is no part of the plugin; what it imports is.
    file("study.py", plugins + "\nif __name__ == '__main__':" + RUN + "    print('more')\n")
    assert python(tmp_path, script).returncode == 0
    assert keys(tmp_path) == before
    (tmp_path / "helper.py").write_text("FACTOR = 50.0", encoding="utf-8")
    assert python(tmp_path, script).returncode == 0
    changed = {name for name, key in keys(tmp_path).items() if before[name] != key}
    # The backbone `wide` is defined in the same file, and a file counts as a whole.
    assert changed == {name for name in before if name != ("linear", "none")}


@pytest.mark.slow
def test_classes_of_a_module_beside_a_script(tmp_path: Path, file: Callable[..., str], world: Any) -> None:
    file("parts.py", world.wide + world.toy + world.mine)
    script = file("study.py", "from parts import Mine, Toy, Wide\nif __name__ == '__main__':" + RUN)
    done = python(tmp_path, script)
    assert done.stdout.strip().endswith(str(EXPECTED)), done.stderr
    (line, *_) = (tmp_path / "res" / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert [p["origin"] for p in json.loads(line)["plugins"]] == ["plugin parts:Wide"]


def test_a_script_without_a_guard_is_told(tmp_path: Path, file: Callable[..., str], world: Any) -> None:
    script = file("study.py", world.wide + world.toy + world.mine + "\nif True:" + RUN)
    done = python(tmp_path, script)
    last = done.stderr.strip().splitlines()[-1]
    assert "put what runs below `if __name__ == '__main__':`" in last
    assert not (tmp_path / "res" / "rows.jsonl").exists()


def test_a_class_at_a_prompt_is_told(tmp_path: Path, world: Any) -> None:
    text = world.head + world.mine + world.wide
    for strategy, backbone, kind in (
        ("Mine()", "'linear'", "strategy Mine"),
        ("'none'", "Wide", "backbone Wide"),
    ):
        run = f"import equipoise\nequipoise.run(dataset='yeast', strategy={strategy}, backbone={backbone})\n"
        done = python(tmp_path, "-", text=text + run)
        last = done.stderr.strip().splitlines()[-1]
        assert f"{kind} is defined in a notebook or at a prompt" in last
        assert "%%writefile" in last


def test_a_class_inside_a_function_is_told() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Local(equipoise.Strategy):
        name = "local"

        def loss(self, logits: Any, targets: Any, ctx: Any) -> Any:
            return equipoise.bce(logits, targets)

    assert equipoise.get_strategy(Local) == equipoise.get_strategy(Local()) == Local()
    with pytest.raises(EquipoiseError, match="strategy Local is defined inside test_a_class_inside"):
        spec_of("strategy", Local)


def test_built_in_and_installed_classes_keep_their_names(install: Callable[..., None], world: Any) -> None:
    install(
        "[equipoise.strategies]\nany = eq_pkg.mod\n", {"eq_pkg/mod.py": world.head + world.mine + world.wide}
    )
    focal, mine = registry("strategy").get("focal"), registry("strategy").get("mine")
    assert spec_of("strategy", focal) == "focal"
    assert spec_of("strategy", focal(gamma=1.0)) == "focal[gamma=1.0]"
    assert spec_of("strategy", equipoise.compose("ml_ros", mine(gamma=1.0))) == "ml_ros+mine[gamma=1.0]"
    assert spec_of("backbone", get_backbone("mlp[hidden=8]")) == "mlp[hidden=8]"
    wide = sys.modules[mine.__module__].Wide
    assert spec_of("backbone", wide) == "eq_pkg.mod:Wide"
    assert get_backbone(wide) == get_backbone("eq_pkg.mod:Wide") == wide()
    origin = registry("backbone").origin("wide")
    assert origin is not None
    assert origin.origin == "plugin eq_pkg.mod:Wide"


def test_a_class_of_a_plugin_file_keeps_its_file(file: Callable[..., str], world: Any) -> None:
    path = file("mine.py", world.mine)
    cls = type(equipoise.get_strategy(path))
    assert spec_of("strategy", cls(gamma=1.0)) == f"{path}:Mine[gamma=1.0]"


@pytest.mark.parametrize(
    ("obj", "says"),
    [
        (5, "a strategy is a name, a class or an instance, not int"),
        (int, "class int is no strategy"),
        (get_backbone("mlp"), "no strategy"),
        (equipoise.Strategy, "has no `name`"),
    ],
)
def test_what_is_no_strategy_is_one_line(obj: Any, says: str) -> None:
    with pytest.raises(EquipoiseError, match=says) as caught:
        equipoise.run(dataset="yeast", backbone="linear", strategy=obj)
    assert "\n" not in str(caught.value)


def test_settings_that_no_spec_can_hold_are_refused(install: Callable[..., None], world: Any) -> None:
    text = world.mine.replace("gamma: float = tunable(2.0, low=0.0, high=5.0)", "gamma: tuple = (1, 2)")
    install("[equipoise.strategies]\nany = eq_pkg.mod\n", {"eq_pkg/mod.py": world.head + text})
    mine = registry("strategy").get("mine")
    with pytest.raises(EquipoiseError, match="mine"):
        spec_of("strategy", mine(gamma=(3, 4)))
