"""The keys that another process with an edited package plans."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from equipoise.api import choose
from equipoise.catalog.registry import registry
from equipoise.contracts.dataset import Dataset
from equipoise.core import code_hash
from equipoise.experiment.versions import METRICS
from equipoise.sweep.plan import Plan, make_plan

ROOT = Path(__file__).resolve().parent.parent

#: The folders that are mapped into the package, and where they lie.
FOLDERS = {
    "strategies": "strategies",
    "backbones": "backbones",
    "datasets": "datasets",
    "suites": "benchmarks/suites",
}


@pytest.fixture(autouse=True)
def _own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


class Copy:
    """A copy of the package to edit; `changed` says which identities an edit moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "equipoise", folder, ignore=shutil.ignore_patterns("__pycache__"))
        for name, place in FOLDERS.items():
            shutil.copytree(ROOT / place, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.kinds = {kind: registry(kind) for kind in ("strategy", "backbone")}
        with self.in_place():
            self.before = self.hashes()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Our modules are looked for in the copy."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(code_hash, "file_of", cache(self._file))
            patch.setattr(code_hash, "_READ", {})
            patch.setattr(code_hash, "_BEGAN", float("inf"))  # nothing of the copy runs in this process
            yield
        code_hash._module.cache_clear()
        code_hash.engine_modules.cache_clear()

    def _file(self, name: str) -> Path | None:
        place = self.folder.joinpath(*name.split(".")[1:])
        files = (place / "__init__.py", place.with_suffix(".py"))
        return next((file for file in files if file.is_file() and place != self.folder), None)

    def hashes(self) -> dict[str, str]:
        code_hash._module.cache_clear()
        code_hash.engine_modules.cache_clear()
        classes = {name: known.get(name) for known in self.kinds.values() for name in known.names()}
        found = {name: code_hash.source_hash(cls) for name, cls in classes.items()}
        return {
            **found,
            "engine": code_hash.engine_hash(),
            "metrics": code_hash.digest(code_hash.texts(METRICS)),
        }

    def changed(self) -> set[str]:
        now = self.hashes()
        return {name for name in now if now[name] != self.before[name]}

    def edit(self, file: str, old: str, new: str) -> set[str]:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} no longer holds {old!r}: this test has to be brought up to date"
        path.write_text(text.replace(old, new), encoding="utf-8")
        found = self.changed()
        path.write_text(text, encoding="utf-8")
        return found


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("copy") / "equipoise")


@pytest.fixture
def copy(copied: Copy) -> Iterator[Copy]:
    with copied.in_place():
        yield copied


KEYS = """
import json
import equipoise
from equipoise.api import choose
from equipoise.sweep.plan import make_plan
tiny = {"trials": 1, "folds": 2, "epochs": 1}
chosen = choose(None, ["design-emails[rows=60]"], ["linear"], ["none", "focal", "asl"], tiny, 1, None)
keys = {cell.strategy: cell.key for cell in make_plan(chosen, device="cpu").cells}
print(json.dumps([equipoise.__file__, keys]))
"""


def test_another_process_with_an_edited_package_plans_the_keys_that_it_should(copied: Copy) -> None:
    def planned() -> dict[str, str]:
        env = {**os.environ, "PYTHONPATH": str(copied.folder.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        line = [sys.executable, "-c", KEYS]
        run = subprocess.run(
            line, capture_output=True, text=True, check=True, env=env, cwd=copied.folder.parent
        )
        place, keys = json.loads(run.stdout)
        assert Path(place).is_relative_to(copied.folder), "the copy runs"
        return dict(keys)

    def edited(file: str, old: str, new: str) -> set[str]:
        path = copied.folder / file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(old, new), encoding="utf-8")
        after = planned()
        path.write_text(text, encoding="utf-8")
        return {name for name in after if after[name] != before[name]}

    before = planned()
    assert edited("catalog/registry.py", "no plugin file at", "there is no file") == set()
    assert edited("strategies/focal.py", "gamma * F.", "1.5 * gamma * F.") == {"focal"}
    assert edited("engine/optimizer.py", "import torch\n", "import torch\nX = 3\n") == {
        "none",
        "focal",
        "asl",
    }


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
