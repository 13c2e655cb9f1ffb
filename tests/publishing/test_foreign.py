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
from equipoise.publishing.readme import UNWRITTEN
from equipoise.publishing.rows import names_folder
from equipoise.publishing.verification import DIFFERENT, EQUAL, MAY_DIFFER, MISSING, WITHIN, compared, verify

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
        ("dataset", "./mails.csv"),
    ],
)
def test_a_row_runs_no_code_and_names_no_folder(
    field: str, spec: str, once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugin").mkdir()
    for name in ("trap.py", "plugin/trap.py"):
        (tmp_path / name).write_text(TRAP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    row = {**read_folder(once).rows[0], field: spec.format(folder=tmp_path)}
    (verdict,) = verify([row], {})
    assert verdict.outcome == MISSING
    assert f"its {field} is a place" in verdict.why
    assert not (tmp_path / "sprung").exists()


def test_a_long_name_is_checked_in_no_time() -> None:
    assert not names_folder("a" * 10**6)
    assert not names_folder("a" * 10**6 + "/ ")
    assert [names_folder(spec) for spec in ("a/b", "\\a", "yeast[a=1/2]", "yeast[a=1]")] == [
        True,
        True,
        True,
        False,
    ]


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


def test_only_what_a_run_decides_may_differ_in_an_equal_row(once: Path) -> None:
    row = read_folder(once).rows[0]
    assert compared("cell", row, dict(row), []).outcome == EQUAL
    for name in row:
        other = {**row, name: "another"}
        if name in ("metrics", "spread", "per_label"):
            other[name] = {**row[name], "fixed/macro_f1": 0.5}
        verdict = compared("cell", other, row, [])
        if name in ("cpu", "metrics_code"):
            assert verdict.outcome == WITHIN, name
        else:
            assert verdict.outcome == (EQUAL if name in MAY_DIFFER else DIFFERENT), name
    for name in ("metrics", "spread", "per_label", "params", "split_sha256", "labels"):
        assert compared("cell", {**row, name: None}, row, []).outcome == DIFFERENT, name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"suites": [{"name": "quick"}]},
            "suites must be a list whose entries have name and sha256 and blocks",
        ),
        ({"suites": [{"name": "q", "sha256": "0", "blocks": [{}]}]}, "blocks of suites must have number"),
        ({"history": {}}, "history must be a list"),
        ({"data": [{}]}, "data must be a list"),
        ({"kind": "mine"}, "kind must be"),
        ({"kind": "submitted"}, "a submitted folder has plugins"),
        ({"plugins": [{"strategies": []}]}, "a published folder has no plugins"),
    ],
)
def test_a_manifest_that_others_cannot_rely_on_is_one_line(
    change: dict[str, Any], words: str, folder: Path, edit_manifest: Edit
) -> None:
    edit_manifest(folder, lambda manifest: manifest.update(change))
    with pytest.raises(EquipoiseError, match=words):
        read_folder(folder)


def test_a_key_stands_for_one_row(folder: Path, forge: Edit) -> None:
    forge(folder, lambda row: row.update(key="same"))
    with pytest.raises(EquipoiseError, match="more than one row with the key same"):
        read_folder(folder).whole()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "conformance.json is missing"),
        ("{", "conformance.json is damaged"),
        ('{"other": []}', "is not about the strategies"),
        ("[]", "is not about the strategies"),
    ],
)
def test_no_plugin_runs_before_all_is_checked(
    content: str | None, words: str, say: Say, folder: Path, edit_manifest: Edit
) -> None:
    bring(folder, "plugin/trap.py", TRAP, edit_manifest)
    if content is not None:
        bring(folder, "conformance.json", content, edit_manifest)
    record = {"file": "plugin/trap.py", "strategies": ["trap"]}
    edit_manifest(folder, lambda manifest: manifest.update(kind="submitted", plugins=[record]))
    said = say("verify", folder.name, "--run-plugins")
    assert (said.code, said.err.count("\n")) == (2, 1), said
    assert words in said.err
    assert not (folder.parent / "sprung").exists()


def test_a_withdrawn_folder_says_so_when_it_is_verified(say: Say, folder: Path) -> None:
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(text.replace(UNWRITTEN, "Withdrawn: the data were wrong."), encoding="utf-8")
    said = say("verify", folder.name, "--sample", "1")
    assert said.code == 0
    assert "is withdrawn" in said.out
    assert json.loads(say("verify", folder.name, "--sample", "1", "--json").out)["withdrawn"] is True
