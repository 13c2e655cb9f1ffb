"""`equipoise report --html FILE`: the page beside the report, and one clear line where it cannot be written."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.cli import main
from equipoise.core.files import write_whole
from equipoise.store.store import Store

Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run(rows_of: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `equipoise report` on a store of twenty rows in an empty folder; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    store = Store("kept here")
    for row in rows_of():
        store.append(row)

    def command(*args: str) -> int:
        monkeypatch.setattr(sys, "argv", ["equipoise", "report", "--results", "kept here", *args])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    return command


def test_the_page_is_written_beside_the_report(run: Callable[..., int], capsys: Any) -> None:
    assert run("--html", "page.html") == 0
    printed = capsys.readouterr()
    assert "page written to page.html" in printed.out
    assert "focal" in printed.out
    html = Path("page.html").read_text(encoding="utf-8")
    # The commands of the page name the folder of the rows.
    assert "equipoise report --html page.html --results &#39;kept here&#39;" in html
    assert html.count("--results &#39;kept here&#39;") >= 3


def test_json_stays_json(run: Callable[..., int], capsys: Any) -> None:
    assert run("--json", "--html", "page.html") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)
    assert "page written to page.html" in printed.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--html", "no/such/folder/page.html"], "cannot write no/such/folder/page.html"),
        (["--html", "."], "it is a folder"),
        (["--html", "page.html", "--across"], "leave out --across"),
    ],
)
def test_what_cannot_be_is_one_line(args: list[str], says: str, run: Callable[..., int], capsys: Any) -> None:
    assert run(*args) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert says in printed.err
    assert printed.out == ""


def test_a_full_disk_is_one_line(
    run: Callable[..., int], capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    Path("page.html").write_text("the page of yesterday", encoding="utf-8")
    monkeypatch.setattr(os, "replace", full)
    assert run("--html", "page.html") == 2
    assert "cannot write page.html: No space left on device" in capsys.readouterr().err
    assert Path("page.html").read_text(encoding="utf-8") == "the page of yesterday"
    assert not list(Path().glob(".page.html-*")), "no half page is left"


def test_a_link_stays_one_and_a_page_keeps_its_mode(tmp_path: Path) -> None:
    page, link = tmp_path / "page.html", tmp_path / "link.html"
    page.write_text("old", encoding="utf-8")
    page.chmod(0o600)
    link.symlink_to(page)
    write_whole(link, "new \ud800")
    assert link.is_symlink()
    assert page.read_text(encoding="utf-8") == "new ?"
    assert page.stat().st_mode & 0o777 == 0o600


def test_damaged_rows_are_told_after_the_page(run: Callable[..., int], capsys: Any) -> None:
    with Path("kept here/rows.jsonl").open("ab") as file:
        file.write(b"this is no row\n")
    assert run("--html", "page.html") == 2
    assert Path("page.html").is_file()
    assert "line 21" in capsys.readouterr().err


def test_only_the_rows_that_are_asked_for_are_parsed(run: Callable[..., int]) -> None:
    store = Store("kept here")
    keys = [row["key"] for row in store.rows()][3:5]
    assert [row["key"] for row in store.rows_of(keys)] == keys
    # A line that another program wrote, with its fields in another order, is found all the same.
    row = next(iter(store.rows_of(keys[:1])))
    moved = {**{name: row[name] for name in reversed(row)}, "strategy": "moved"}
    with store.rows_file.open("a", encoding="utf-8") as file:
        file.write(json.dumps(moved) + "\nnot a row\n")
    assert [row["strategy"] for row in store.rows_of(keys[:1])][-1] == "moved"
