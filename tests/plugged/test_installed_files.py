"""Files of a package that is installed, what `check` takes besides names, and what `info` tells of data sets of plugins."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

POINTS = "[equipoise.strategies]\nlosses = eq_pkg.mod\n[equipoise.datasets]\ndata = eq_pkg.data\n"
ABOUT = '''
@dataclass(frozen=True)
class Rings(DatasetSource):
    """Rings.

    Three of them.
    """
    rows: int = 120

    def load(self, data_dir):
        X = np.random.default_rng(5).normal(size=(self.rows, 2))
        Y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0])
        return Dataset(self.name, X, Y, ("right", "up"), "made up", "public domain", generated=True, notes=("a note",))

sources = (Rings("rings", "points and rings"),)
'''
REMOTE = '''
import socket
@dataclass(frozen=True)
class Remote(DatasetSource):
    """Far away."""
    def load(self, data_dir):
        socket.create_connection(("127.0.0.1", 9), timeout=5)

sources = (Remote("remote", "far away"),)
'''


@pytest.fixture
def package(install: Callable[..., None], world: Any) -> None:
    second = world.mine.replace('"mine"', '"other"').replace("Mine", "Other")
    files = {"eq_pkg/__init__.py": "", "eq_pkg/mod.py": world.head + world.mine + second}
    install(POINTS, files | {"eq_pkg/data.py": world.head + ABOUT})


@pytest.mark.usefixtures("package")
def test_the_file_of_an_installed_module_says_under_which_name_it_is(
    say: Callable[..., Any], tmp_path: Any
) -> None:
    path = str(tmp_path / "site" / "eq_pkg" / "mod.py")
    for words in (
        ("check", path),
        ("info", path),
        ("run", "--dataset", "rings", "--backbone", "linear", "--strategy", path, "--dry-run"),
    ):
        done = say(*words)
        assert done.code == 2, done
        assert "this file is installed as eq_pkg.mod: use the name mine" in done.out + done.err
        assert "is taken" not in done.out + done.err


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "found"), [("eq-pkg", 3), ("eq_pkg", 3), ("eq_pkg.mod", 2), ("eq_pkg.data", 1)]
)
def test_check_takes_a_distribution_or_a_module(say: Callable[..., Any], name: str, found: int) -> None:
    done = say("check", name, "--json")
    told = json.loads(done.out)
    assert len(told) == found
    names = {next(v for k, v in one.items() if k in ("strategy", "dataset")) for one in told}
    assert names <= {"mine", "other", "rings"}


@pytest.mark.usefixtures("package")
def test_info_of_a_data_set_of_a_plugin(say: Callable[..., Any]) -> None:
    told = json.loads(say("info", "rings", "--json").out)
    expected = {
        "summary": "points and rings",
        "about": "Three of them.",
        "options": {"rows": 120},
        "rows": 120,
        "source": "made up",
        "terms": "public domain",
        "generated": True,
        "notes": ["a note"],
        "distribution": "eq-pkg",
    }
    assert {key: told[key] for key in expected} == expected
    assert list(told["labels"]) == ["right", "up"]
    fewer = json.loads(say("info", "rings[rows=50]", "--json").out)
    changed = {"rows": 50, "options": {"rows": 50}}
    assert {key: fewer.get(key) for key in expected} == expected | changed | {"about": None}
    assert fewer["name"] == "rings[rows=50]"


def test_info_downloads_nothing(say: Callable[..., Any], install: Callable[..., None], world: Any) -> None:
    install(POINTS.replace("losses = eq_pkg.mod", ""), {"eq_pkg/data.py": world.head + REMOTE})
    told = json.loads(say("info", "remote", "--json").out)
    assert told["summary"] == "far away"
    assert "rows" not in told


def test_info_of_a_built_in_data_set_with_options(say: Callable[..., Any]) -> None:
    told = json.loads(say("info", "design-emails[rows=50]", "--json").out)
    assert (told["rows"], told["options"]["rows"], told["origin"]) == (50, 50, "built-in")
    assert told["summary"]
    assert "statistics" not in told
