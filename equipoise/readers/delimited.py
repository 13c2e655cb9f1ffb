"""A delimited text file as columns: checked, decoded and read once, a block at a time.

Arrow reads it, fast. What Arrow refuses is read again by Python's `csv`, slowly, which says in which line the fault is or,
where Arrow was too strict, reads it. The two agree on what a cell is (`tests/test_data_delimited.py`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

from equipoise.core.errors import EquipoiseError
from equipoise.readers.chunks import Piece, piece_of
from equipoise.readers.columns import Column
from equipoise.readers.encoding import Utf8, opened

_LEAST, _MOST, _FIELD = 1 << 20, 1 << 23, 1 << 14  # bytes parsed at a time, and for each field
_ROWS = 1 << 12
#: A record behind the last one begins so: where it does not come back, a quotation mark is open.
_END = "\0"


class _Refused(Exception):
    """Arrow does not read this file."""


def first_line(path: Path, encoding: str) -> str:
    """The first line that is not blank."""
    with opened(path, encoding) as text:
        for line in text:
            if not line.isspace():
                return line
    raise EquipoiseError(f"{path} is empty")


def header(path: Path, encoding: str, delimiter: str) -> tuple[int, list[str]]:
    """The first record: the line it begins on and its cells."""
    for found in _records(path, encoding, delimiter):
        return found
    raise EquipoiseError(f"{path}: no line names the columns")


def read(path: Path, encoding: str, delimiter: str, fields: int) -> list[Column]:
    """The cells below the header. Raises EquipoiseError, with the line."""
    try:
        if not delimiter.isascii():
            raise _Refused
        blocks = list(_by_arrow(path, encoding, delimiter, fields))
    except _Refused:
        blocks = list(_by_python(path, encoding, delimiter, fields))
    return [Column([block[i] for block in blocks]) for i in range(fields)]


def line_of(path: Path, encoding: str, delimiter: str, row: int) -> int:
    """The line a row begins on; the first row is 0. The file is read up to there."""
    with opened(path, encoding) as text, _cells_of_any_length():
        lines, number, seen = iter(text), 0, -1  # the header is no row
        for line in lines:
            begin, number = number + 1, number + 1
            record = line.split(delimiter)
            if '"' in line:
                reader = csv.reader(chain([line], lines), delimiter=delimiter)
                record = next(reader)
                number += reader.line_num - 1
            if _is_blank(record):
                continue
            if seen == row:
                return begin
            seen += 1
    raise EquipoiseError(f"{path} was changed while it was read")


def _tail(delimiter: str, fields: int) -> str:
    return f"\n{_END}{delimiter * (fields - 1)}\n"


class _Unsplit(io.BufferedReader):
    """Reads that never end between CR and LF: there Arrow loses the LF of a quoted cell (seen with 25.0)."""

    _held = b""

    def read(self, size: int | None = -1) -> bytes:
        block = self._held + super().read(-1 if size is None or size < 0 else size - len(self._held))
        self._held = b"\r" if len(block) > 1 and block.endswith(b"\r") else b""
        return block[: len(block) - len(self._held)]


def _by_arrow(path: Path, encoding: str, delimiter: str, fields: int) -> Iterator[list[Piece]]:
    import pyarrow as pa

    begin, last = 1, None  # the first row is the header, the last one ours
    try:
        for batch in _batches(path, encoding, delimiter, fields):
            pa.default_memory_pool().release_unused()
            if last is not None:
                yield from _pieces(last, begin, len(last))
                begin = 0
            last = batch if len(batch) else last
    except pa.ArrowException:
        raise _Refused from None
    if last is None or last.column(0)[-1].as_py() != _END:
        raise _Refused
    yield from _pieces(last, begin, len(last) - 1)


def _batches(path: Path, encoding: str, delimiter: str, fields: int) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv as arrow

    names = [f"f{i}" for i in range(fields)]
    with _Unsplit(Utf8(path, encoding, _tail(delimiter, fields)), 1 << 20) as content:
        yield from arrow.open_csv(
            content,
            read_options=arrow.ReadOptions(
                use_threads=False,
                block_size=min(max(_LEAST, _FIELD * fields), _MOST),
                column_names=names,
            ),
            parse_options=arrow.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=_judged
            ),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
            ),
        )


def _judged(row: Any) -> str:
    """A line of blanks is no row."""
    return "skip" if row.actual_columns == 1 and not row.text.strip() else "error"


def _pieces(batch: Any, begin: int, end: int) -> Iterator[list[Piece]]:
    if begin < end:
        yield [piece_of(str, "", column.slice(begin, end - begin)) for column in batch.columns]


def _by_python(path: Path, encoding: str, delimiter: str, fields: int) -> Iterator[list[Piece]]:
    import pyarrow as pa

    records = _rows(path, encoding, delimiter, fields)
    while block := list(islice(records, _ROWS)):
        yield [piece_of(str, "", pa.array(cells, pa.string())) for cells in zip(*block, strict=True)]


def _rows(path: Path, encoding: str, delimiter: str, fields: int) -> Iterator[list[str]]:
    """The records below the header, each with all its fields."""
    records = _records(path, encoding, delimiter, _tail(delimiter, fields))
    line, record = next(records)
    for line, record in records:
        if record[0] == _END:
            return
        if _END in record[-1]:
            break
        if len(record) != fields:
            hint = "" if len(record) < fields else f"; text with {delimiter!r} in it needs quotes"
            found = f"line {line} has {len(record)} fields, the header {fields}{hint}"
            raise EquipoiseError(f"{path.name} {found}")
        yield record
    raise EquipoiseError(f"{path.name} line {line}: a quotation mark is opened and never closed")


def _records(path: Path, encoding: str, delimiter: str, tail: str = "") -> Iterator[tuple[int, list[str]]]:
    """The line each record that is not blank begins on, and its cells."""
    last = 0
    with opened(path, encoding, tail) as text, _cells_of_any_length():
        reader = csv.reader(text, delimiter=delimiter)
        try:
            for record in reader:
                if not _is_blank(record):
                    yield last + 1, record
                last = reader.line_num
        except csv.Error as problem:
            raise EquipoiseError(f"{path.name} line {last + 1}: {problem}") from None


def _is_blank(record: list[str]) -> bool:
    return len(record) <= 1 and not "".join(record).strip()


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
