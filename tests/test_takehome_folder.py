"""The folder of a model is replaced as a whole: a kill at any step leaves the old model or the new one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.core.errors import EquipoiseError
from equipoise.takehome import folder
from equipoise.takehome.folder import FEATURES, Contents, read, write


class Killed(BaseException):
    """Stands for SIGKILL: nothing that comes after it does anything."""


class Death:
    """Counts the steps that touch the disk, and stops all of them from step `at` on."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def guard(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self.steps += 1
            if self.steps >= self.at:
                raise Killed
            return step(*args, **kwargs)

        return guarded


def contents(number: int) -> Contents:
    arrays = {group: {"x": np.full(3, number)} for group in folder.GROUPS}
    return Contents({"number": number}, {"kind": "TfIdf"}, arrays)


def number_in(path: Path) -> int:
    found = read(path)
    (number,) = {found.facts["number"], *(int(n) for group in found.arrays.values() for n in group["x"])}
    return int(number)


def interrupted(path: Path, at: int) -> int:
    """Write model 2 and be killed at a step of the disk; return the number of steps that were begun."""
    death = Death(at)
    with pytest.MonkeyPatch.context() as patched:
        for module, name in (
            (os, "rename"),
            (os, "chmod"),
            (os, "unlink"),
            (os, "rmdir"),
            (Path, "write_bytes"),
        ):
            patched.setattr(module, name, death.guard(getattr(module, name)))
        patched.setattr(folder.tempfile, "mkdtemp", death.guard(folder.tempfile.mkdtemp))
        with contextlib.suppress(Killed):
            write(path, contents(2), "card")
    return death.steps


def test_a_kill_at_any_step_leaves_a_whole_model(tmp_path: Path) -> None:
    whole = interrupted(tmp_path / "m", 1000)
    left = []
    for at in range(1, whole + 10):
        path = tmp_path / f"at {at}" / "m"
        write(path, contents(1), "card")
        begun = interrupted(path, at)
        left.append(number_in(path))
        write(path, contents(3), "card")
        assert number_in(path) == 3
        for draft in path.parent.glob(".m.new-*"):
            os.utime(draft, (0, 0))
        write(path, contents(4), "card")
        assert [entry.name for entry in path.parent.iterdir()] == ["m"], "no rubbish is left"
        if begun < at:
            break
    else:
        pytest.fail("never complete")
    assert left == sorted(left), "the old model up to some step, and then the new one"
    assert set(left) == {1, 2}


def test_an_interrupt_puts_the_old_model_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "m", contents(1), "card")
    rename, moves = os.rename, []

    def second_fails(*args: Any) -> None:
        moves.append(args)
        if len(moves) == 2:
            raise KeyboardInterrupt
        rename(*args)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "m", contents(2), "card")
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]
    assert number_in(tmp_path / "m") == 1


def test_a_file_of_the_users_in_the_folder_is_not_lost(tmp_path: Path) -> None:
    write(tmp_path / "m", contents(1), "card")
    (tmp_path / "m" / "notes.txt").write_text("a year of notes")
    with pytest.raises(EquipoiseError, match=r"holds a model and 'notes\.txt'"):
        write(tmp_path / "m", contents(2), "card")
    assert (tmp_path / "m" / "notes.txt").exists()
    assert number_in(tmp_path / "m") == 1


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    write(tmp_path / "disk" / "m", contents(1), "card")
    (tmp_path / "m").symlink_to(tmp_path / "disk" / "m")
    write(tmp_path / "m", contents(2), "card")
    assert (tmp_path / "m").is_symlink()
    assert number_in(tmp_path / "disk" / "m") == 2


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"[]"])
def test_features_that_are_no_object_are_one_line_though_their_hash_fits(
    content: bytes, tmp_path: Path
) -> None:
    write(tmp_path / "m", contents(1), "card")
    (tmp_path / "m" / FEATURES).write_bytes(content)
    facts = json.loads((tmp_path / "m" / "model.json").read_text())
    facts["files"][FEATURES] = hashlib.sha256(content).hexdigest()
    (tmp_path / "m" / "model.json").write_text(json.dumps(facts))
    with pytest.raises(EquipoiseError, match=r"features\.json is damaged"):
        read(tmp_path / "m")


def test_a_folder_aside_that_is_not_ours_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "m", contents(1), "card")
    shutil.copytree(tmp_path / "m", tmp_path / ".m.old")
    (tmp_path / ".m.old" / "mine.txt").write_text("mine")
    with pytest.raises(EquipoiseError, match="cannot be replaced"):
        write(tmp_path / "m", contents(2), "card")
    assert number_in(tmp_path / "m") == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".m.old", "m"]
    assert (tmp_path / ".m.old" / "mine.txt").exists()
