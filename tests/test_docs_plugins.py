"""The listings of docs/plugins.md work as printed: as files, as a package with entry points, and in a sweep."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from equipoise.catalog.registry import PACKAGES
from equipoise.testing import BACKBONE_CHECKS, check
from equipoise.testing.hints import hints
from equipoise.testing.subjects import subjects_of

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
#: File → its listing, which begins with its name.
FILES = {text.partition("\n")[0].removeprefix("# "): text for kind, text in BLOCKS if kind == "python"}
PROJECT = tomllib.loads(next(text for kind, text in BLOCKS if kind == "toml"))
POINTS: dict[str, dict[str, str]] = PROJECT["project"]["entry-points"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as pip would install it, in a folder."""
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "my_plugins" / "__init__.py").touch()
    about = tmp_path / "my_plugins-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plugins\nVersion: 0.1\n")
    (about / "top_level.txt").write_text("my_plugins\n")
    groups = (f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in of.items()) for group, of in POINTS.items())
    (about / "entry_points.txt").write_text("\n".join(groups))
    return tmp_path


def run(package: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in the folder of the package, which is importable there."""
    path = os.pathsep.join([str(package), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=package, env=environment, capture_output=True, text=True
    )


def test_the_project_names_the_groups_and_all_modules() -> None:
    assert set(POINTS) == set(PACKAGES.values())
    named = {value.replace(".", "/") + ".py" for group in POINTS.values() for value in group.values()}
    assert named == set(FILES) - {"test_plugins.py"}


@pytest.mark.parametrize("file", [name for name in FILES if name != "test_plugins.py"])
def test_a_listing_conforms_as_a_file(file: str, package: Path) -> None:
    subjects = subjects_of(str(package / file))
    assert subjects
    for subject in subjects:
        assert check(subject) == []
        assert hints(subject) == []


@pytest.mark.slow
def test_the_package_is_found_and_runs(package: Path) -> None:
    options = "--splits 1 --trials 1 --folds 2 --epochs 1 --workers 1 --results out"
    pairs = "--dataset rings[rows=150] --backbone deep --strategy poly1 --strategy drop_unlabelled+same_cardinality"
    done = run(package, "equipoise", "run", *pairs.split(), *options.split(), "--strategy", "rare_mix")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (package / "out" / "rows.jsonl").read_text().splitlines()]
    assert {row["strategy"]: row["status"] for row in rows} == dict.fromkeys(
        ("poly1", "drop_unlabelled+same_cardinality", "rare_mix"), "ok"
    )


@pytest.mark.slow
def test_the_one_line_tests_them_all(package: Path) -> None:
    done = run(package, "pytest", "-q", "-p", "no:cacheprovider", "test_plugins.py")
    assert "8 passed" in done.stdout, done.stdout + done.stderr


def test_the_finding_on_the_page_is_worded_as_the_kit_does() -> None:
    rule = re.search(r" - (a row's logits .*)", PAGE)
    assert rule is not None
    assert rule[1] == BACKBONE_CHECKS["rows"]
