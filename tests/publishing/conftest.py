"""A store of a tiny sweep, published once, and the command line in an empty folder."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from equipoise.api import choose
from equipoise.publishing.writing import publish
from equipoise.store.store import Store
from equipoise.sweep.plan import make_plan
from equipoise.sweep.run import sweep

from ..shared import commands
from ..shared.commands import Say

DATA = ("design-emails[rows=120]", "design-emails[rows=120,seed=1]")
NAME = "tiny-2026-11"
#: What the fixture `swept` runs, as the head of a suite whose blocks a test adds.
SUITE = """
backbones = ["linear"]
strategies = ["none", "focal", "scut"]
splits = 2
settings = { trials = 1, folds = 2, epochs = 2 }
"""


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 data sets × 3 strategies × 2 splits."""
    folder = tmp_path_factory.mktemp("swept")
    tiny = {"trials": 1, "folds": 2, "epochs": 2}
    suite = choose(None, DATA, ["linear"], ["none", "focal", "scut"], tiny, 2, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
        sweep(make_plan(suite, device="cpu"), Store(folder))
    return folder


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Path]:
    """Write mine.toml with a block for each of these lists of further lines; returns its path."""

    def write(*blocks: str, name: str = "mine") -> Path:
        file = tmp_path / f"{name}.toml"
        file.write_text("\n[[blocks]]\n".join([SUITE, *blocks]), encoding="utf-8")
        return file

    return write


@pytest.fixture
def rows(swept: Path) -> list[dict[str, Any]]:
    """The rows of the sweep; those of its first data set come first."""
    return Store(swept).rows()


@pytest.fixture(scope="session")
def once(swept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(Store(swept).rows(), tmp_path_factory.mktemp("published") / NAME).path


@pytest.fixture
def folder(once: Path, tmp_path: Path) -> Path:
    """A published folder that a test may damage."""
    return Path(shutil.copytree(once, tmp_path / NAME))


#: Runs `equipoise` with these arguments.
command = commands.say


@pytest.fixture
def say(command: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    """Run `equipoise` in an empty folder, apart from plugins of other tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    monkeypatch.setenv("COLUMNS", "160")
    return command


def change_rows(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit every row, and make all hashes of the manifest fit, as a forger would."""
    rows = [
        json.loads(line) for line in gzip.decompress((folder / "rows.jsonl.gz").read_bytes()).splitlines()
    ]
    for row in rows:
        change(row)
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    packed = gzip.compress(lines)
    (folder / "rows.jsonl.gz").write_bytes(packed)

    def fitting(manifest: dict[str, Any]) -> None:
        manifest["rows_sha256"] = hashlib.sha256(lines).hexdigest()
        manifest["files"]["rows.jsonl.gz"] = hashlib.sha256(packed).hexdigest()

    change_manifest(folder, fitting)


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    file = folder / "manifest.json"
    manifest = json.loads(file.read_bytes())
    change(manifest)
    file.write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture
def forge() -> Callable[..., None]:
    return change_rows


@pytest.fixture
def edit_manifest() -> Callable[..., None]:
    return change_manifest
