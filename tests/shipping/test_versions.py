"""The version is the same wherever it is written, and the newest section of the changelog is its own."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def test_the_citation_and_the_lock_have_the_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [VERSION]
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    assert [p["version"] for p in lock["package"] if p["name"] == "equipoise"] == [VERSION]


def test_the_changelog_begins_with_an_open_section_and_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\](.*)$", changelog, re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == VERSION
    assert re.fullmatch(r" - \d{4}-\d\d-\d\d", sections[1][1])


def test_the_release_notes_are_of_this_version() -> None:
    assert f"# equipoise {VERSION}\n" in (ROOT / "docs" / "release-notes.md").read_text(encoding="utf-8")


def test_the_command_prints_the_installed_version() -> None:
    code = (
        "import importlib.metadata as m, sys; from equipoise.cli import main; print(m.version('equipoise')); "
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}sys.argv = ['equipoise', '--version']; main()"],
        capture_output=True,
        text=True,
        check=True,
    )
    installed, printed = done.stdout.split()
    assert installed == printed
