"""Read a CSV or TSV file as text cells; every way it can be broken has an error in one line, with a line number."""

from __future__ import annotations

import csv
import io
import re
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import EquipoiseError, unknown

if TYPE_CHECKING:
    import pandas as pd

_OTHER_KINDS = (".xlsx", ".xls", ".ods", ".json", ".feather", ".zip", ".gz")
_HEADER = 1_000_000  # characters in which the header must end
_SAMPLE, _FEW = 2000, 50
_TOO_MANY = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")


@dataclass(frozen=True)
class Table:
    """The cells of a file as str, header names as columns; `line` and `column` word the errors."""

    file: str
    cells: pd.DataFrame
    lines: NDArray[np.int64]  # where each row begins
    delimiter: str

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self.cells.columns)

    def column(self, name: object) -> str:
        """The name of an existing column. Raises EquipoiseError with the nearest one."""
        if str(name) not in self.columns:
            raise unknown(f"column of {self.file}:", str(name), self.columns)
        return str(name)

    def distinct(self, name: str) -> list[str]:
        """The different cells of a column, as they are in the file."""
        cells = self.cells[name]
        found = (
            cells.cat.remove_unused_categories().cat.categories if hasattr(cells, "cat") else cells.unique()
        )
        return [str(cell) for cell in found]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """(n,) values, NaN where a cell is no number. Files divided by semicolons may have decimal commas."""
        import pandas as pd

        cells = self.cells[name].str.strip()
        if self.delimiter == ";":
            cells = cells.str.replace(r"^([+-]?\d*),(\d+)$", r"\1.\2", regex=True)
        return np.asarray(pd.to_numeric(cells, errors="coerce"), dtype=np.float64)

    def at(self, row: int, name: str) -> str:
        """Where a cell is, in words: file, line (the first, where a cell spans several) and column."""
        return f"{self.file} line {self.lines[row]}, column {name!r}"


def read_table(path: Path, delimiter: str | None = None, encoding: str = "utf-8") -> Table:
    """Read the file; `delimiter` None: a tab for .tsv and .tab, else the commonest of , ; tab | in the header.

    Takes about three times the file's size of memory at most: columns of few values are kept as categories.
    """
    content = _content(path)
    codec = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    first = _checked_text(path, content, codec, encoding)
    mark = delimiter or _delimiter(path, first)
    if len(mark) != 1 or mark in '\r\n"':
        raise EquipoiseError(f"delimiter must be one character, not {mark!r}")
    cells = _parsed(path, content, codec, mark)
    header = [str(name).strip() or f"column {i}" for i, name in enumerate(cells.iloc[0], start=1)]
    _check_header(path, header)
    lines = _lines(path, content, codec, mark, len(header))
    rows = cells.iloc[1:].reset_index(drop=True).set_axis(header, axis=1)
    return Table(path.name, rows, lines[1:], mark)


def _content(path: Path) -> bytes:
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise EquipoiseError(f"{path} {what}; give the path of a CSV or TSV file, or the name of a dataset")
    if path.suffix.lower() in _OTHER_KINDS:
        raise EquipoiseError(f"{path} is not a CSV or TSV file ({path.suffix}); export or unpack it first")
    try:
        return path.read_bytes()
    except OSError as problem:
        raise EquipoiseError(f"cannot read {path}: {problem.strerror}") from None


def _checked_text(path: Path, content: bytes, codec: str, encoding: str) -> str:
    """The first line that is not blank, once all of the content is known to be text in this encoding."""
    try:
        text = content.decode(codec)
        _opened(content, codec).read(1)  # some codecs decode at once what they refuse to decode in parts
    except LookupError:
        raise EquipoiseError(f"unknown encoding {encoding!r} (for example utf-8, latin-1, cp1252)") from None
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        where = f"line {line}" if b"\0" not in content else "the content"
        hint = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1 or cp1252"
        raise EquipoiseError(f"{path}: {where} is not {encoding}; try encoding={hint}") from None
    except (UnicodeError, ValueError, TypeError) as problem:
        raise EquipoiseError(f"{path} cannot be read as {encoding} ({problem})") from None
    if not isinstance(text, str):
        raise EquipoiseError(f"unknown encoding {encoding!r} (for example utf-8, latin-1, cp1252)")
    if not text or text.isspace():
        raise EquipoiseError(f"{path} is empty")
    if "\0" in text:
        raise EquipoiseError(f"{path} holds zero bytes: not a text file, or another encoding (try utf-16)")
    return (
        next(line for line in io.StringIO(text[:_HEADER]) if not line.isspace())
        if text[:_HEADER].strip()
        else ""
    )


def _opened(content: bytes, codec: str) -> io.TextIOWrapper:
    """The content as text, decoded as it is read: no second copy of it is made."""
    return io.TextIOWrapper(io.BytesIO(content), encoding=codec, newline="")


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(",;\t|", key=header.count)


def _parsed(path: Path, content: bytes, codec: str, delimiter: str) -> pd.DataFrame:
    """All cells as str; a column with few values among the first rows is kept as categories, an eighth of the size."""
    import pandas as pd

    options: dict[str, Any] = {"sep": delimiter, "header": None, "keep_default_na": False, "na_values": []}
    try:
        sample = pd.read_csv(_opened(content, codec), dtype=str, nrows=_SAMPLE, **options)
        few = {name: "category" for name in sample.columns if sample[name].nunique() <= _FEW}
        kinds = {name: few.get(name, str) for name in sample.columns}
        cells = (
            sample if len(sample) < _SAMPLE else pd.read_csv(_opened(content, codec), dtype=kinds, **options)
        )
    except pd.errors.ParserError as problem:
        raise EquipoiseError(f"{path.name}{_in_words(str(problem), delimiter)}") from None
    except pd.errors.EmptyDataError:
        raise EquipoiseError(f"{path} is empty") from None
    return cells


def _in_words(problem: str, delimiter: str) -> str:
    if found := _TOO_MANY.search(problem):
        wanted, line, saw = found.groups()
        return (
            f" line {line} has {saw} fields, the header {wanted}; text with {delimiter!r} in it needs quotes"
        )
    if "EOF inside string" in problem:
        return ": a quotation mark is opened and never closed"
    return f": {' '.join(problem.split())}"


def _check_header(path: Path, header: list[str]) -> None:
    if all(_is_number(name) for name in header):
        found = ", ".join(header)
        raise EquipoiseError(f"{path.name}: line 1 must name the columns, but holds numbers: {found:.60}")
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise EquipoiseError(f"{path.name}: column names must differ; repeated: {', '.join(repeated)}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _lines(path: Path, content: bytes, codec: str, delimiter: str, fields: int) -> NDArray[np.int64]:
    """The line each record (the header first) begins on; finds rows that are too short, which pandas fills up."""
    limit = csv.field_size_limit(len(content) + 1)
    begins, last = array("q"), 0
    try:
        reader = csv.reader(_opened(content, codec), delimiter=delimiter)
        for record in reader:
            if len(record) > 1 or "".join(record).strip():
                begins.append(last + 1)
                if len(record) < fields:
                    found = f"line {last + 1} has {len(record)} fields, the header {fields}"
                    raise EquipoiseError(f"{path.name} {found}")
            last = reader.line_num
    except csv.Error as problem:
        raise EquipoiseError(f"{path.name} line {last + 1}: {problem}") from None
    finally:
        csv.field_size_limit(limit)
    return np.frombuffer(begins, dtype=np.int64)
