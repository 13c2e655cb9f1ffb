"""Both readers of delimited text agree on every cell, and the fast one rejects files that it would read wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.core.errors import EquipoiseError
from equipoise.readers import delimited
from equipoise.readers.chunks import chunk_of
from equipoise.readers.columns import Column

PIECES = [
    "a",
    "b",
    "0",
    "1",
    ",",
    ",",
    ",",
    '"',
    '"',
    '""',
    "\n",
    "\n",
    "\r",
    "\r\n",
    " ",
    "é",
    "1,0\n",
    '"x\ny",z\n',
]


def cells(blocks: Any, fields: int) -> list[list[str]]:
    read = list(blocks)
    columns = [Column([block[i] for block in read]) for i in range(fields)]
    return [[column.cell(row) for column in columns] for row in range(len(columns[0]))]


@settings(max_examples=300)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=40), block=st.sampled_from([24, 60, 1 << 20]))
def test_both_readers_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], block: int
) -> None:
    path = tmp_path_factory.mktemp("both") / "both.csv"
    path.write_bytes(("x,y\n" + "".join(pieces)).encode())
    slow = attempt(delimited._by_python, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "_LEAST", block)
        patch.setattr(delimited, "_MOST", block)
        fast = attempt(delimited._by_arrow, path)
    assert fast is None or fast == slow


def attempt(read: Any, path: Path) -> list[list[str]] | None:
    """The cells that a reader returns; None if it rejects the file."""
    try:
        return cells(read(path, "utf-8", ",", 2), 2)
    except (EquipoiseError, delimited._Refused):
        return None


@pytest.mark.parametrize("block", range(24, 44))
def test_line_ends_in_cells_survive_the_ends_of_blocks(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "crlf.csv"
    path.write_bytes(b"x,y\r\n" + b'"a\r\nb\rc\nd",1\r\n' * 20)
    monkeypatch.setattr(delimited, "_LEAST", block)
    monkeypatch.setattr(delimited, "_MOST", block)
    assert cells(delimited._by_arrow(path, "utf-8", ",", 2), 2) == [["a\r\nb\rc\nd", "1"]] * 20


@pytest.mark.parametrize("content", ["a,b\n\n1,2\n", 'a,"b\n\nc"\n', '"a\n","b"\n \n"c",d', '"",""\r\n,\r\n'])
def test_the_fast_reader_reads_what_it_should(tmp_path: Path, content: str) -> None:
    path = tmp_path / "fast.csv"
    path.write_bytes(("x,y\n" + content).encode())
    fast = cells(delimited._by_arrow(path, "utf-8", ",", 2), 2)
    assert fast == cells(delimited._by_python(path, "utf-8", ",", 2), 2)


@pytest.mark.parametrize("row", range(5))
def test_the_line_of_a_row(tmp_path: Path, row: int) -> None:
    path = tmp_path / "lines.csv"
    path.write_text('\nx,y\n1,2\n"a\nb",2\n\n \n"c""\n\n",d\n5" x,6\n7,8\n', encoding="utf-8")
    assert delimited.line_of(path, "utf-8", ",", row) == [3, 4, 8, 11, 12][row]


def test_cells_longer_than_a_block(tmp_path: Path) -> None:
    path, long = tmp_path / "long.csv", "word " * 2_000_000
    path.write_text(f'x,y\n"{long}",1\nb,0\n', encoding="utf-8")
    first, second = delimited.read(path, "utf-8", ",", 2)
    assert (first.cell(0) == long, first.cell(1), second.cell(1)) == (True, "b", "0")


def test_rows_of_many_blocks(tmp_path: Path) -> None:
    path = tmp_path / "blocks.csv"
    path.write_text("x,y\n" + "".join(f"text number {i},{i % 3}\n" for i in range(200_000)), encoding="utf-8")
    text, code = delimited.read(path, "utf-8", ",", 2)
    assert len(text.chunks) > 2
    assert [text.cell(i) for i in (0, 99_999, 199_999)] == [
        "text number 0",
        "text number 99999",
        "text number 199999",
    ]
    assert code.numbers()[[0, 1, 99_998, 199_999]].tolist() == [0, 1, 2, 1]
    assert text.all_differ()
    assert not code.all_differ()
    assert code.first(lambda cell: cell == "2") == 2


def test_encodings_are_read_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    rows = "".join(f"größer {i},{i % 2}\n" for i in range(100_000))
    for encoding in ("utf-16", "utf-8-sig", "cp1252"):
        path.write_text("x,y\n" + rows, encoding=encoding)
        text, _ = delimited.read(path, encoding, ",", 2)
        assert (len(text), text.cell(99_999)) == (100_000, "größer 99999")
    with pytest.raises(EquipoiseError, match="line 2 is not utf-8"):
        delimited.read(path, "utf-8", ",", 2)
    path.write_bytes(b"x,y\n" + b"fine,1\n" * 300_000 + b"\xff,0\n")
    with pytest.raises(EquipoiseError, match="line 300002 is not utf-8"):
        delimited.read(path, "utf-8", ",", 2)


CELLS: dict[str, list[str]] = {
    "0/1": [str(i % 2) for i in range(3000)],
    "one character": [chr(33 + i % 90) for i in range(3000)],
    "whole numbers": [str(i * 37 - 5000) for i in range(3000)],
    "large numbers": [str(i * 10**7) for i in range(3000)],
    "leading zeros": [f"{i:05d}" for i in range(3000)],
    "signs": [f"+{i}" for i in range(3000)],
    "decimals": [str(i / 8) for i in range(3000)],
    "words": [f"word {i % 300}" for i in range(3000)],
    "texts": [f"text {i} " * 9 for i in range(3000)],
    "not ASCII": ["äöü€𝄞"[i % 5] for i in range(3000)],
    "gaps": ["" if i % 3 else str(i) for i in range(3000)],
}


@pytest.mark.parametrize("kind", CELLS)
def test_cells_are_kept_as_they_are_whatever_they_are_kept_in(kind: str) -> None:
    expected = CELLS[kind]
    arrow = pa.array(["head", *expected, "tail"], pa.string())
    for cells in (expected, arrow.slice(1, len(expected))):
        column = Column([chunk_of(str, "", cells)])
        assert [column.cell(row) for row in range(0, 3000, 7)] == expected[::7]
        values, codes = next(column.coded())
        assert [values[code] for code in codes] == expected
        assert column.all_differ() == (len(set(expected)) == 3000)
        numbers = [
            float(cell) if cell.strip("+-").replace(".", "", 1).isdecimal() else None for cell in expected
        ]
        read = [None if value != value else value for value in column.numbers().tolist()]
        assert read == numbers
