"""Reads a delimited text file into columns: the file is checked, decoded and parsed block by block.

Arrow parses it, fast. A file that Arrow rejects is read again by Python's `csv`, slowly; that either names the line of
the fault or, where Arrow was too strict, succeeds. Both agree on what a cell is (`tests/test_data_delimited.py`).
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
from equipoise.readers.chunks import Chunk, chunk_of
from equipoise.readers.columns import Column
from equipoise.readers.encoding import Utf8, open_text

# Bytes that Arrow parses at a time: 16 KiB for each field, between 1 and 8 MiB. Arrow needs a whole record in a block.
_LEAST, _MOST, _FIELD = 1 << 20, 1 << 23, 1 << 14
_ROWS = 1 << 12  # rows that `csv` reads at a time
#: First cell of a record appended to the file. If it is not the first cell of the last record read, a quotation mark is open.
_END = "\0"


class _Refused(Exception):
    """Raised where Arrow cannot read the file."""


def first_line(path: Path, encoding: str) -> str:
    """The first line that is not blank."""
    with open_text(path, encoding) as text:
        for line in text:
            if not line.isspace():
                return line
    raise EquipoiseError(f"{path} is empty")


def header(path: Path, encoding: str, delimiter: str) -> tuple[int, list[str]]:
    """The first record that is not blank: the line it begins on, and its cells."""
    for record in _records(path, encoding, delimiter):
        return record
    raise EquipoiseError(f"{path}: no line names the columns")


def read(path: Path, encoding: str, delimiter: str, fields: int) -> list[Column]:
    """The columns of cells below the header. Raises EquipoiseError, with the line, on a malformed file."""
    try:
        if not delimiter.isascii():  # Arrow's delimiter is one byte
            raise _Refused
        blocks = list(_by_arrow(path, encoding, delimiter, fields))
    except _Refused:
        blocks = list(_by_python(path, encoding, delimiter, fields))
    return [Column([block[i] for block in blocks]) for i in range(fields)]


def line_of(path: Path, encoding: str, delimiter: str, row: int) -> int:
    """The line on which a row begins, for an error message; rows count from 0.

    Line numbers are not stored while the file is read; to find one, the file is read again up to the row.
    """
    with open_text(path, encoding) as text, _cells_of_any_length():
        lines, number, seen = iter(text), 0, -1  # -1: the header is not a row
        for line in lines:
            begin, number = number + 1, number + 1
            record = line.split(delimiter)
            if '"' in line:  # the record may go on over the following lines
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
    """The record appended to the file; see `_END`."""
    return f"\n{_END}{delimiter * (fields - 1)}\n"


class _Unsplit(io.BufferedReader):
    """A reader whose blocks never end between CR and LF, where Arrow 25.0 loses the LF of a quoted cell."""

    _held = b""  # a CR held back until the next read

    def read(self, size: int | None = -1) -> bytes:
        block = self._held + super().read(-1 if size is None or size < 0 else size - len(self._held))
        self._held = b"\r" if len(block) > 1 and block.endswith(b"\r") else b""
        return block[: len(block) - len(self._held)]


def _by_arrow(path: Path, encoding: str, delimiter: str, fields: int) -> Iterator[list[Chunk]]:
    import pyarrow as pa

    # The first row is the header and the last one is the appended record, so a batch is passed on only when another
    # one follows it.
    begin, last = 1, None
    try:
        for batch in _batches(path, encoding, delimiter, fields):
            pa.default_memory_pool().release_unused()
            if last is not None:
                yield from _chunks(last, begin, len(last))
                begin = 0
            last = batch if len(batch) else last
    except pa.ArrowException:
        raise _Refused from None
    # An open quotation mark swallowed the appended record.
    if last is None or last.column(0)[-1].as_py() != _END:
        raise _Refused
    yield from _chunks(last, begin, len(last) - 1)


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
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=_on_invalid_row
            ),
            # No check for UTF-8, because `Utf8` has already made it.
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
            ),
        )


def _on_invalid_row(row: Any) -> str:
    """Skip a blank line; any other row with a wrong number of fields is an error."""
    return "skip" if row.actual_columns == 1 and not row.text.strip() else "error"


def _chunks(batch: Any, begin: int, end: int) -> Iterator[list[Chunk]]:
    if begin < end:
        yield [chunk_of(str, "", column.slice(begin, end - begin)) for column in batch.columns]


def _by_python(path: Path, encoding: str, delimiter: str, fields: int) -> Iterator[list[Chunk]]:
    import pyarrow as pa

    records = _rows(path, encoding, delimiter, fields)
    while block := list(islice(records, _ROWS)):
        yield [chunk_of(str, "", pa.array(cells, pa.string())) for cells in zip(*block, strict=True)]


def _rows(path: Path, encoding: str, delimiter: str, fields: int) -> Iterator[list[str]]:
    """The records below the header, each checked to have all fields."""
    records = _records(path, encoding, delimiter, _tail(delimiter, fields))
    line, record = next(records)
    for line, record in records:
        if record[0] == _END:
            return
        if _END in record[-1]:  # a quotation mark is open: the appended record became part of a cell
            break
        if len(record) != fields:
            hint = "" if len(record) < fields else f"; text with {delimiter!r} in it needs quotes"
            raise EquipoiseError(
                f"{path.name} line {line} has {len(record)} fields, the header {fields}{hint}"
            )
        yield record
    raise EquipoiseError(f"{path.name} line {line}: a quotation mark is opened and never closed")


def _records(path: Path, encoding: str, delimiter: str, tail: str = "") -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank: the line on which each begins, and its cells."""
    last = 0
    with open_text(path, encoding, tail) as text, _cells_of_any_length():
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
    """Lift `csv`'s limit on the length of a cell, which is global to the process, and restore it afterwards."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
