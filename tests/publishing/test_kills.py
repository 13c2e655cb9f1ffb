"""A publication that is killed, or runs beside another: the old or the new folder is whole, and the next one heals it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.core.errors import EquipoiseError
from equipoise.publishing import writing
from equipoise.publishing.folder import read_folder
from equipoise.publishing.readme import UNWRITTEN, finding_of
from equipoise.publishing.writing import heal, only_writer, publish, replace

Say = Callable[..., Any]
OLD = {"README.md": b"the finding", "rows": b"1", "manifest": b"old"}
NEW = {"plugin/a.py": b"new", "README.md": b"the finding", "rows": b"12", "manifest": b"new"}


class Killed(BaseException):
    """Stands for the end of the process: nothing that is tried afterwards happens."""


def killed_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Let this and all later changes of the disk fail; the file or folder that it writes or removes is left half done."""
    done = 0

    def or_die(real: Callable[..., Any], half: Callable[..., Any]) -> Callable[..., Any]:
        def change(*args: Any, **options: Any) -> Any:
            nonlocal done
            done += 1
            if done == step:
                half(*args)
            if done >= step:
                raise Killed
            return real(*args, **options)

        return change

    write, rename, rmtree = writing._write, Path.rename, shutil.rmtree
    patch.setattr(writing, "_write", or_die(write, lambda file, content: file.write_bytes(content[:1])))
    patch.setattr(Path, "rename", or_die(rename, lambda *_: None))
    patch.setattr(shutil, "rmtree", or_die(rmtree, lambda folder: next(folder.glob("r*")).unlink()))


def content(path: Path) -> dict[str, bytes]:
    return {f.relative_to(path).as_posix(): f.read_bytes() for f in path.rglob("*") if f.is_file()}


def test_a_kill_at_any_step_loses_neither_the_old_nor_the_new_folder(tmp_path: Path) -> None:
    states = []
    for step in range(1, 20):
        path = tmp_path / str(step) / "tiny"
        replace(path, OLD)
        try:
            with pytest.MonkeyPatch.context() as patch:
                killed_at(step, patch)
                replace(path, NEW)
        except Killed:
            heal(path)
            states.append(content(path))
            assert [file.name for file in path.parent.iterdir()] == ["tiny"], "nothing is left beside it"
            replace(path, NEW)
        assert content(path) == NEW
    # Four files, the two renames, and the removal of the old folder; then no step is left.
    assert states == [OLD] * 6 + [NEW]


def test_an_error_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiny"
    replace(path, OLD)

    def full(file: Path, content: bytes) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(writing, "_write", full)
    with pytest.raises(OSError, match="no space"):
        replace(path, NEW)
    assert content(path) == OLD
    assert [file.name for file in tmp_path.iterdir()] == ["tiny"]


def test_the_next_publication_finds_the_folder_of_a_killed_one(
    rows: list[dict[str, Any]], folder: Path, say: Say
) -> None:
    readme = folder / "README.md"
    readme.write_text(
        readme.read_text(encoding="utf-8").replace(UNWRITTEN, "It took days."), encoding="utf-8"
    )
    folder.rename(folder.with_name(f".{folder.name}.old"))
    said = say("verify", folder.name)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "publish it again" in said.err
    publish(rows, folder)
    assert finding_of(readme.read_text(encoding="utf-8")) == "It took days."
    assert [file.name for file in folder.parent.iterdir() if file.name.startswith(".")] == []


def test_two_commands_do_not_publish_into_one_folder(say: Say, swept: Path, tmp_path: Path) -> None:
    with only_writer(tmp_path / "out"):
        said = say("publish", "tiny-2026-11", "--results", str(swept), "--into", "out")
    assert (said.code, said.err.count("\n")) == (2, 1), said
    assert "another command is publishing into out" in said.err
    assert not (tmp_path / "out" / "tiny-2026-11").exists()


def test_a_finding_without_its_marks_is_not_thrown_away(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "tiny-2026-11"
    folder.mkdir()
    (folder / "README.md").write_text("# Nothing works\n", encoding="utf-8")
    with pytest.raises(EquipoiseError, match="put the finding between"):
        publish(rows, folder)
    assert (folder / "README.md").read_text(encoding="utf-8") == "# Nothing works\n"


def test_a_submission_is_not_replaced_by_its_rows_alone(
    rows: list[dict[str, Any]], folder: Path, edit_manifest: Callable[..., None]
) -> None:
    record = {"distribution": "mine", "version": "1", "strategies": ["mine"]}
    edit_manifest(folder, lambda manifest: manifest.update(kind="submitted", plugins=[record]))
    with pytest.raises(EquipoiseError, match="is submitted, not published"):
        publish(rows, folder)
    (folder.parent / "linked-2026-11").symlink_to(folder)
    with pytest.raises(EquipoiseError, match="is a link"):
        publish(rows, folder.parent / "linked-2026-11")


def test_what_is_over_data_sets_is_not_lost_without_its_packages(
    rows: list[dict[str, Any]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: Any) -> None:
        raise EquipoiseError("rankings need the extra statistics")

    monkeypatch.setattr("equipoise.publishing.tables.rank_rows", lacking)
    with pytest.raises(EquipoiseError, match="cannot be made here: rankings need"):
        publish(rows, folder)
    read_folder(folder).whole()
    fresh = publish(rows, folder.parent / "fresh-2026-11")
    assert "effects.csv" not in fresh.manifest["files"]
    assert fresh.manifest["missing"] == "rankings need the extra statistics"
