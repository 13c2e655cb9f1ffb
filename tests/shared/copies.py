"""A copy of the package whose files may be edited."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from equipoise.catalog.registry import registry
from equipoise.core import code_hash
from equipoise.experiment.versions import METRICS

ROOT = Path(__file__).resolve().parents[2]

#: The folders that are mapped into the package, and where they lie.
FOLDERS = {
    "strategies": "strategies",
    "backbones": "backbones",
    "datasets": "datasets",
    "suites": "benchmarks/suites",
}


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
