"""`equipoise diagnose` on the command line, and what it says to bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import equipoise
from equipoise.cli.main import app
from equipoise.core.errors import EquipoiseError

from .shared import diagnosis
from .shared.diagnosis import made

table = diagnosis.table


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["diagnose", *words])
    if isinstance(result.exception, EquipoiseError):  # main() prints it and exits with 2
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_command_takes_a_file_and_writes_a_page(table: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, said = run(str(table), "--labels", "fast+large", "--html", str(page))
    assert code == 0, said
    assert "fast" in page.read_text(encoding="utf-8")
    flat = " ".join(said.split())
    assert "Input 'speed' is label 'fast'" in flat
    assert f"equipoise run --dataset '{table}[labels=fast+large]'" in flat


def test_the_command_gives_json(table: Path) -> None:
    code, said = run(str(table), "--json", "--seed", "3")
    assert code == 0
    content = json.loads(said)
    assert (content["seed"], content["numbers"]["inputs"]) == (3, 2)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["design-emial"], "did you mean 'design-emails'"),
        (["nowhere.csv"], "nowhere.csv does not exist"),
        (["design-emails", "--folds", "0"], "folds must be an integer of at least 1, not 0"),
        (["design-emails", "--folds", "1000000000"], "folds must be at most 1,000, not 1000000000"),
        (["design-emails", "--seed", "-1"], "seed must be an integer of at least 0, not -1"),
        (["design-emails", "--html", "no/such/folder/p.html"], "cannot write no/such/folder/p.html"),
        (["design-emails", "--html", "."], "cannot write .: it is a folder"),
        (["design-emails[rows=9999999]"], "out of range"),
    ],
)
def test_bad_input_is_one_line(words: list[str], complaint: str) -> None:
    code, said = run(*words)
    assert code == 2
    assert complaint in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"rows": 5}, "apply to a name or a file"),
        ({"max_rows": 5}, "max_rows must be an integer of at least 100"),
        ({"split": ([0, 1], [99])}, "rows must be 0 to 11"),
        ({"split": ([0.5], [1])}, "split must be two"),
    ],
)
def test_bad_arguments_are_one_line(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EquipoiseError, match=complaint) as raised:
        equipoise.diagnose(made(np.eye(12, 2)), **given)
    assert "\n" not in str(raised.value)
