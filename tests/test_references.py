"""docs/references.md lists every identifier in the code, and the references that users see agree with it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from equipoise.catalog.registry import registry

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "references.md"
ROOMS = ("strategies", "backbones", "datasets", "equipoise", "benchmarks")
IDENTIFIER = re.compile(r"10\.\d{4,5}/[^\s\"',;|\\`]+|arXiv[: ]\d{4}\.\d{4,5}")
#: What a user is shown names its sources in full; only these references have no single publication.
WITHOUT = {"inverse_frequency", "inverse_frequency_softmax", "pos_weight", "none", "linear", "mlp"}


class Row(NamedTuple):
    section: str
    authors: str
    year: str
    title: str
    identifier: str


def identifiers(text: str) -> set[str]:
    return {found.rstrip(".):").replace("arXiv ", "arXiv:") for found in IDENTIFIER.findall(text)}


def listed() -> Iterator[Row]:
    section = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        section = line.removeprefix("## ") if line.startswith("## ") else section
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if len(cells) == 5 and (year := re.search(r" (\d{4})$", cells[0])):
            yield Row(section, cells[0][: year.start()], year[1], cells[1], cells[3])


def citations() -> Iterator[tuple[str, str]]:
    """The citations of the built-in data sets, each with a name for messages."""
    for name, entry in json.loads((ROOT / "datasets/mulan.json").read_text("utf-8"))["datasets"].items():
        yield name, entry["citation"]
    for file in sorted((ROOT / "datasets").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "citation":
                texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
                yield from ((file.stem, text) for text in texts if isinstance(text, str) and len(text) > 20)


def shown() -> list[tuple[str, str]]:
    """Name and text of every reference of a built-in strategy, backbone or data set."""
    built_in = [
        e for kind in ("strategy", "backbone") for e in registry(kind).entries() if e.origin == "built-in"
    ]
    return [(e.name, e.obj.reference) for e in built_in if e.name not in WITHOUT] + list(citations())


ROWS = list(listed())


def test_every_identifier_in_the_code_is_listed_once() -> None:
    pages = [p for p in (ROOT / "docs").glob("*.md") if p != PAGE]
    files = [f for room in ROOMS for f in (ROOT / room).rglob("*") if f.suffix in {".py", ".json"}] + pages
    used = set().union(*(identifiers(file.read_text("utf-8")) for file in files))
    rows = [one for row in ROWS for one in identifiers(row.identifier)]
    assert len(used) > 80
    assert sorted(rows) == sorted(used)


def test_no_title_is_listed_twice_for_one_year() -> None:
    keys = [(row.title.casefold(), row.year) for row in ROWS]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(("name", "text"), [pytest.param(*pair, id=pair[0]) for pair in shown()])
def test_a_shown_reference_agrees_with_its_rows(name: str, text: str) -> None:
    rows = [row for row in ROWS if row.title in text]
    found = set().union(*(identifiers(row.identifier) for row in rows))
    assert rows, f"{name}: no title of docs/references.md in {text!r}"
    assert identifiers(text) <= found, f"{name}: title and identifier disagree"
    for row in rows:
        assert row.authors in text, f"{name}: authors of {row.title!r}"
        # Titles may be the same for a paper and its journal version, told apart by the year.
        years = [other.year for other in rows if other.title == row.title]
        assert any(f"{year}, {row.title}" in text for year in years), f"{name}: year of {row.title!r}"


def test_every_listed_publication_of_a_method_or_data_set_is_used() -> None:
    rooms = ("strategies", "backbones", "datasets", "equipoise", "docs")
    files = [
        f
        for room in rooms
        for f in (ROOT / room).rglob("*")
        if f.suffix in {".py", ".json", ".md"} and f != PAGE
    ]
    text = "\n".join(file.read_text("utf-8") for file in files)
    # Without an identifier to look for, the first author's name must occur with the year.
    missing = [
        row
        for row in ROWS
        if not identifiers(row.identifier)
        and not re.search(rf"{re.split(r',| &| et al', row.authors)[0]}\b[^\n]*\n?[^\n]*\b{row.year}", text)
    ]
    assert missing == []
