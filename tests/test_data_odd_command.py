"""Options and names of odd files on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from equipoise.catalog.datasets import find_source, load_dataset
from equipoise.cli.main import app
from equipoise.cli.run import with_columns
from equipoise.core.errors import EquipoiseError
from equipoise.datasets.table import TableSource

from .shared.files import put

ROWS = 30

TEXTS = [f"this is mail number {i} about something" for i in range(ROWS)]

GOOD = "text,a,b\n" + "".join(f"{text},{i % 2},{int(i % 3 == 0)}\n" for i, text in enumerate(TEXTS))

NUMBERS = "x,y,a\n" + "".join(f"{i},{i * i},{i % 2}\n" for i in range(ROWS))


@pytest.mark.parametrize("command", ["run", "diagnose"])
def test_the_command_line_has_every_option_of_a_table(command: str) -> None:
    known = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    assert {option.name for option in known} >= set(TableSource("").options())


def test_options_are_written_as_they_are_read(tmp_path: Path) -> None:
    table = {
        "features": "a, b+c[0]",
        "labels": "0",
        "delimiter": ",",
        "encoding": "latin-1",
        "separator": "]",
    }
    (written,) = with_columns(["my file.csv[text=x]"], table)
    source, options = find_source(written)
    assert source.name == "my file.csv"
    assert options == {"text": "x", **table}


def test_a_file_is_described_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "l.csv", NUMBERS.replace(",", "|").replace("x|y", "größe|y").encode("latin-1"))
    told = ["--features", "größe", "--labels", "a", "--encoding", "latin-1", "--delimiter", "|"]
    kind = ["--backbone", "linear", "--strategy", "none", "--dry-run"]
    shown = CliRunner().invoke(app, ["run", "--dataset", "l.csv", *told, *kind])
    assert shown.exit_code == 0
    assert "columns left out: y" in shown.stdout
    assert "3 cells" in shown.stdout


def test_names_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "my mails [2].dat", GOOD)
    assert load_dataset("my mails [2].dat[labels=b]").labels == ("b",)
    put(tmp_path / "c.csv", GOOD.replace("text,a,b", '"the, text",a[0],C++'))
    assert load_dataset("c.csv[text='the, text',labels='a[0]+C++']").labels == ("a[0]", "C++")
    assert load_dataset("c.csv[text='the, text',labels='C+++a[0]']").labels == ("C++", "a[0]")
    fails("c.csv[labels=C]", "unknown column of c.csv: 'C'; did you mean 'C++'?")
    fails("c.csv[text]", "cannot read 'text' in 'c.csv[text]': write key=value")
    fails(" ", "no dataset is named")


def fails(path: Path | str, expected: str, **options: Any) -> str:
    with pytest.raises(EquipoiseError) as caught:
        load_dataset(str(path), **options)
    said = str(caught.value)
    assert expected in said
    assert "\n" not in said
    return said
