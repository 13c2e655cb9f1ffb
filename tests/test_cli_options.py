"""Options of the command line come from the fields of dataclasses: a new setting is one line in one file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from equipoise.cli.main import app
from equipoise.contracts.options import coerce, option, options, value_type
from equipoise.core.errors import EquipoiseError
from equipoise.datasets.table import TableSource
from equipoise.experiment.settings import Settings

#: What a developer would write into `Settings`, done before anything else is imported.
NEW_SETTING = """
import sys
from dataclasses import dataclass
from equipoise.contracts.options import option
from equipoise.experiment import settings

@dataclass(frozen=True)
class Settings(settings.Settings):
    tea_breaks: int = option(7, "Breaks for tea", at_least=1)

settings.Settings = Settings
"""
CELL = {
    "dataset": "design-emails[rows=120]",
    "backbone": "linear",
    "strategy": "none",
    "trials": 1,
    "folds": 2,
    "splits": 1,
}


def with_new_setting(code: str, folder: Path, *, code_expected: int = 0) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, in which `Settings` has a field more."""
    done = subprocess.run(
        [sys.executable, "-c", NEW_SETTING + code],
        cwd=folder,
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code_expected, done.stdout + done.stderr
    return done


def command(*words: str) -> str:
    return f"from equipoise.cli import main\nsys.argv = ['equipoise', *{list(words)!r}]\nmain()"


@pytest.mark.parametrize("name", ["run", "time"])
def test_a_new_setting_is_in_the_help(name: str, tmp_path: Path) -> None:
    (line,) = [
        w for w in with_new_setting(command(name, "--help"), tmp_path).stdout.splitlines() if "tea" in w
    ]
    assert line.split("--tea-breaks")[1].split()[0] == "<int>" or "INTEGER" in line
    assert "Breaks for tea." in line
    assert "7" in line


def test_a_new_setting_is_checked_in_one_line(tmp_path: Path) -> None:
    words = [w for k, v in CELL.items() for w in (f"--{k}", str(v))]
    done = with_new_setting(command("run", *words, "--tea-breaks", "0"), tmp_path, code_expected=2)
    assert done.stderr == "error: tea_breaks must be 1 or more, got 0\n"


@pytest.mark.slow
def test_a_new_setting_is_used_by_command_suite_and_python(tmp_path: Path) -> None:
    """The row of each cell holds the value it was given, so it reached the cell."""
    (tmp_path / "mine.toml").write_text(
        'datasets = ["design-emails[rows=120]"]\nbackbones = ["linear"]\nstrategies = ["none"]\nsplits = 1\n'
        "[settings]\ntrials = 1\nfolds = 2\nepochs = 1\ntea_breaks = 2\n",
        encoding="utf-8",
    )
    common = ("--workers", "1", "--results", "results", "--device", "cpu")
    words = [w for k, v in CELL.items() for w in (f"--{k}", str(v))]
    quiet = "from unittest.mock import Mock\nimport equipoise.sweep.run\nequipoise.sweep.run.MlflowWriter = Mock()\n"
    code = f"import equipoise\nequipoise.run(**{CELL!r}, epochs=1, tea_breaks=4, results='results')\n"
    with_new_setting(quiet + code, tmp_path)
    with_new_setting(quiet + command("run", "mine.toml", *common), tmp_path)
    with_new_setting(quiet + command("run", "mine.toml", "--tea-breaks", "3", *common), tmp_path)
    with_new_setting(quiet + command("run", *words, "--epochs", "1", *common), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "results/rows.jsonl").read_text().splitlines()]
    assert [(row["status"], row["settings"]["tea_breaks"]) for row in rows] == [
        ("ok", 4),
        ("ok", 2),
        ("ok", 3),
        ("ok", 7),
    ]


@pytest.mark.parametrize(
    ("command", "owners"),
    [("run", [Settings, TableSource]), ("time", [Settings, TableSource]), ("diagnose", [TableSource])],
)
def test_every_field_is_an_option_with_help(command: str, owners: list[Any]) -> None:
    commands: Any = typer.main.get_command(app)
    known = {option.name: option for option in commands.commands[command].params}
    for field in (f for owner in owners for f in options(owner)):
        assert field.metadata["help"] in known[field.name].help
        assert known[field.name].default is None, "a suite's own value is not overridden by a default"


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        (option(1), "12345678901234567891", 12345678901234567891),
        (option(1), 3.0, 3),
        (option(0.5), "1e-3", 0.001),
        (option(0.5), 2, 2.0),
        (option(False), "TRUE", True),
        (option("a"), "b", "b"),
        (option(None), ["a"], ["a"]),
        (option("a", choices=("a", "b")), "b", "b"),
    ],
)
def test_a_value_or_its_text_becomes_the_type_of_the_option(field: Any, given: Any, value: Any) -> None:
    field.name, field.type = "x", "Any"
    got = coerce(field, given)
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("field", "given", "says"),
    [
        (option(1), "few", "x must be a whole number, got 'few'"),
        (option(1), True, "x must be a whole number, got True"),
        (option(1), 1e400, "x must be a whole number, got inf"),
        (option(1, at_least=2), 1, "x must be 2 or more, got 1"),
        (option(0.5, at_least=0.0), "nan", "x must be 0.0 or more, got nan"),
        (option(0.5), None, "x must be a number, got None"),
        (option(False), 2, "x must be true or false, got 2"),
        (option("a"), 3, "x must be text, got 3"),
        (option("a", choices=("a", "b")), "c", "x must be one of a, b, got 'c'"),
    ],
)
def test_a_wrong_value_is_one_line(field: Any, given: Any, says: str) -> None:
    field.name, field.type = "x", "Any"
    with pytest.raises(EquipoiseError) as caught:
        coerce(field, given)
    assert str(caught.value) == says


def test_beside_a_default_of_none_the_annotation_names_the_type() -> None:
    field = option(None)
    field.name, field.type = "x", "float | None"
    assert value_type(field) is float
    assert (coerce(field, "0.5"), coerce(field, None)) == (0.5, None)
    with pytest.raises(EquipoiseError, match="x must be a number, got 'much'"):
        coerce(field, "much")
