"""`equipoise check`: its output and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from equipoise.cli.main import app, main

FAULTY = '''
from dataclasses import dataclass

from equipoise import Strategy


@dataclass(frozen=True)
class Upside(Strategy):
    """Draw rows with few labels."""

    name = "upside_{n}"
    reference = "made up for a test"

    def weights(self, Y, ctx):
        return 1.0 - Y.sum(1)
'''


def test_a_strategy_that_conforms_leaves_with_0() -> None:
    result = CliRunner().invoke(app, ["check", "none", "balanced_sampling[mix=0.5]"])
    assert result.exit_code == 0
    assert [line.split(" (")[0] for line in result.stdout.splitlines()] == [
        "none: conforms",
        "balanced_sampling[mix=0.5]: conforms",
    ]


def test_each_broken_rule_is_a_line_and_exit_code_1(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FAULTY.format(n="lines"), encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 1
    first, *lines = result.stdout.splitlines()
    assert first.startswith("upside_lines: 1 finding (")
    assert lines[0] == (
        "  weights (weights, usual): some weights are negative - weights must be finite, not negative, and not all zero"
    )
    assert len(lines) == 1


def test_findings_as_json(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FAULTY.format(n="json"), encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(file), "--json"])
    assert result.exit_code == 1
    (record,) = json.loads(result.stdout)
    assert record["strategy"] == "upside_json"
    assert record["findings"][0]["check"] == "weights"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("nothing.py", "no plugin file at nothing.py"),
        ("folder/strategies", "is not a Python file"),
        ("fcoal", "did you mean 'focal'"),
        ("focal[gamma=x]", "gamma must be a number"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    what: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["equipoise", "check", what])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
