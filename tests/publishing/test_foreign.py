"""What a folder of somebody else cannot do: run code or open files before both were checked, or pass for recomputed."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from equipoise.core.errors import EquipoiseError
from equipoise.publishing.folder import read_folder

Say = Callable[..., Any]
Edit = Callable[..., None]
#: Code that leaves a trace when it runs.
TRAP = "from pathlib import Path\nPath('sprung').touch()\n"


def bring(folder: Path, name: str, content: str, edit_manifest: Edit) -> None:
    """Add a file that the manifest names, with its hash."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    hashed = sha256(content.encode()).hexdigest()
    edit_manifest(folder, lambda manifest: manifest["files"].update({name: hashed}))


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("strategy", "{folder}/plugin/trap.py:focal"),
        ("strategy", "none+{folder}/plugin/trap.py"),
        ("strategy", "trap:Trap"),
        ("backbone", "{folder}/plugin/trap.py"),
        ("backbone", "trap:Trap"),
        ("dataset", "{folder}/plugin/trap.py"),
        ("dataset", "trap:Trap"),
        ("dataset", "trap.py"),
    ],
)
def test_a_row_runs_no_code_and_names_no_folder(
    field: str,
    spec: str,
    say: Say,
    folder: Path,
    forge: Edit,
    edit_manifest: Edit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder.parent / "trap.py").write_text(TRAP, encoding="utf-8")
    monkeypatch.syspath_prepend(folder.parent)
    bring(folder, "plugin/trap.py", TRAP, edit_manifest)
    forge(folder, lambda row: row.update({field: spec.format(folder=folder.name)}))
    said = say("verify", folder.name, "--sample", "1")
    assert said.code == 1, said
    assert "not recomputed" in said.out
    assert not (folder.parent / "sprung").exists()


def test_links_are_refused_wherever_they_are(folder: Path, tmp_path: Path) -> None:
    whole = read_folder(folder).whole
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "helper.py").write_text(TRAP, encoding="utf-8")
    whole()
    (folder / "plugin").symlink_to(outside)
    with pytest.raises(EquipoiseError, match="plugin, which is a link"):
        whole()
    (folder / "plugin").unlink()
    for name in ("means.csv", "README.md", "manifest.json"):
        (folder / name).rename(outside / name)
        (folder / name).symlink_to(outside / name)
        with pytest.raises(EquipoiseError, match=f"{name}, which is a link"):
            whole()
        (folder / name).unlink()
        (outside / name).rename(folder / name)
    whole()


def test_only_compiled_leftovers_are_no_part_of_a_folder(folder: Path) -> None:
    whole = read_folder(folder).whole
    cache = folder / "plugin" / "__pycache__"
    cache.mkdir(parents=True)
    (cache / "mine.cpython-311.pyc").touch()
    whole()
    # Modules of a plugin, which would be imported without having been hashed.
    for name in ("plugin/__pycache__/__init__.py", "plugin/my__pycache__.py"):
        (folder / name).write_text(TRAP, encoding="utf-8")
        with pytest.raises(EquipoiseError, match="its manifest does not name"):
            whole()
        (folder / name).unlink()
