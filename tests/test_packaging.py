"""All top-level folders are importable under `equipoise`, from a wheel and from an editable install."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAP = {
    "equipoise": "equipoise",
    "strategies": "equipoise/strategies",
    "datasets": "equipoise/datasets",
    "backbones": "equipoise/backbones",
    "benchmarks/suites": "equipoise/suites",
}
NOT_PACKAGED = {".pyc", ".md"}

PROBE = """
import importlib.resources, importlib.util, json, sys, tomllib
import equipoise.backbones, equipoise.datasets, equipoise.strategies
suites = [p for p in importlib.resources.files("equipoise.suites").iterdir() if p.name.endswith(".toml")]
print(json.dumps({
    "top": [n for n in ("strategies", "datasets", "backbones", "suites")
            if importlib.util.find_spec(n)],
    "suites": {p.name: bool(tomllib.loads(p.read_text(encoding="utf-8"))) for p in suites},
    "where": {n: sys.modules[n].__file__ for n in
              ("equipoise", "equipoise.strategies", "equipoise.datasets", "equipoise.backbones")},
    "heavy": sorted({"torch", "sklearn", "pandas", "mlflow", "optuna", "matplotlib"} & set(sys.modules)),
}))
"""


def _run(command: Sequence[str | Path], cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _tree_files(root: Path) -> set[str]:
    """The paths that every module and data file of the tree should have in a wheel."""
    found = set()
    for folder, target in MAP.items():
        for path in (root / folder).rglob("*"):
            if path.is_file() and path.suffix not in NOT_PACKAGED:
                found.add(f"{target}/{path.relative_to(root / folder).as_posix()}")
    return found


def _copy_tree(target: Path) -> Path:
    """A copy of the packaged files, so that a build neither leaves files in the checkout nor finds stale ones."""
    target.mkdir(exist_ok=True)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target / name)
    for folder in MAP:
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return target


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _copy_tree(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source], cwd=out)
    return next(out.glob("equipoise-*.whl"))


def _environment(folder: Path, *install: str | Path) -> Path:
    """A fresh environment with equipoise alone installed; its dependencies are borrowed from this one.

    A path in a `.pth` file is put on sys.path, but the `.pth` files inside it are not read: the editable
    install of the borrowed environment stays out of sight.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    purelib = _run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip()
    Path(purelib, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed")
    _run([sys.executable, "-m", "pip", "--python", python, "install", *offline, *install], cwd=folder)
    return python


def _probe(python: Path, cwd: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(_run([python, "-c", PROBE], cwd))
    return result


def _check(seen: dict[str, Any], home: Path) -> None:
    assert seen["top"] == []
    assert seen["heavy"] == []
    assert set(seen["suites"]) == {p.name for p in (ROOT / "benchmarks" / "suites").glob("*.toml")}
    assert all(seen["suites"].values())
    for name, path in seen["where"].items():
        assert Path(path).resolve().is_relative_to(home.resolve()), f"{name} was imported from {path}"


def test_wheel_holds_every_module_and_data_file_and_nothing_else(source: Path, wheel: Path) -> None:
    names = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    assert names == _tree_files(source), (
        "list new suffixes under [tool.setuptools.package-data]; a subpackage needs __init__.py"
    )


def test_wheel_install(wheel: Path, tmp_path: Path) -> None:
    python = _environment(tmp_path / "venv", wheel)
    _check(_probe(python, tmp_path), home=tmp_path / "venv")


@pytest.mark.slow
def test_every_module_of_the_wheel_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    python = _environment(tmp_path / "venv", wheel)
    names = [
        n.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for n in zipfile.ZipFile(wheel).namelist()
        if n.endswith(".py") and not n.endswith("__main__.py")
    ]
    _run([python, "-c", f"import importlib\nfor name in {names!r}: importlib.import_module(name)"], tmp_path)


def test_editable_install(tmp_path: Path) -> None:
    source = _copy_tree(tmp_path / "checkout")
    python = _environment(tmp_path / "venv", "--editable", source)
    _check(_probe(python, tmp_path), home=source)
    (source / "strategies" / "added_later.py").write_text("ANSWER = 42\n", encoding="utf-8")
    late = _run(
        [python, "-c", "from equipoise.strategies.added_later import ANSWER; print(ANSWER)"], tmp_path
    )
    assert late.strip() == "42"  # a new strategy file needs no new install


def test_constraints_pin_every_dependency_and_name_no_place() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")
    lines = [line for line in pins if line and not line.startswith("#")]
    assert not [line for line in lines if "@" in line or "/" in line or "+" in line or line.startswith("-")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {_name(d) for d in project["dependencies"] + project["optional-dependencies"]["dev"]}
    assert wanted - {"equipoise"} <= {_name(line) for line in lines}


def _name(requirement: str) -> str:
    bare = requirement.split(";")[0].split("[")[0]
    for mark in "<>=!~ ":
        bare = bare.split(mark)[0]
    return bare.strip().lower().replace("_", "-").replace(".", "-")
