"""Read a CSV or TSV file as text cells; every way it can be broken has an error in one line, with a line number."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import EquipoiseError, unknown

if TYPE_CHECKING:
    import pandas as pd

_OTHER_KINDS = (".xlsx", ".xls", ".ods", ".parquet", ".json", ".jsonl", ".feather", ".zip", ".gz", ".arff")
_TOO_MANY = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")


@dataclass(frozen=True)
class Table:
    """The cells of a file as str, header names as columns; `line` and `column` word the errors."""

    file: str
    cells: pd.DataFrame
    lines: tuple[int, ...]  # where each row begins
    delimiter: str

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self.cells.columns)

    def column(self, name: object) -> str:
        """The name of an existing column. Raises EquipoiseError with the nearest one."""
        if str(name) not in self.columns:
            raise unknown(f"column of {self.file}:", str(name), self.columns)
        return str(name)

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
    """Read the file; `delimiter` None: a tab for .tsv and .tab, else the commonest of , ; tab | in the header."""
    text = _decoded(path, encoding)
    if not text.strip():
        raise EquipoiseError(f"{path} is empty")
    mark = delimiter or _delimiter(path, text)
    if len(mark) != 1:
        raise EquipoiseError(f"delimiter must be one character, not {mark!r}")
    cells = _parsed(path, text, mark)
    header = [str(name).strip() or f"column {i}" for i, name in enumerate(cells.iloc[0], start=1)]
    _check_header(path, header)
    lines = _lines(path, text, mark, len(header))
    return Table(path.name, cells.iloc[1:].reset_index(drop=True).set_axis(header, axis=1), lines[1:], mark)


def _decoded(path: Path, encoding: str) -> str:
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise EquipoiseError(f"{path} {what}; give the path of a CSV or TSV file, or the name of a dataset")
    if path.suffix.lower() in _OTHER_KINDS:
        raise EquipoiseError(f"{path} is not a CSV or TSV file ({path.suffix}); export or unpack it first")
    content = b""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except LookupError:
        raise EquipoiseError(f"unknown encoding {encoding!r} (for example utf-8, latin-1, cp1252)") from None
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        where = f"line {line}" if b"\0" not in content else "the content"
        hint = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1 or cp1252"
        raise EquipoiseError(f"{path}: {where} is not {encoding}; try encoding={hint}") from None
    except OSError as problem:
        raise EquipoiseError(f"cannot read {path}: {problem.strerror}") from None
    if "\0" in text:
        raise EquipoiseError(f"{path} holds zero bytes: not a text file, or another encoding (try utf-16)")
    return text


def _delimiter(path: Path, text: str) -> str:
    header = text.lstrip().split("\n", 1)[0]
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(",;\t|", key=header.count)


def _parsed(path: Path, text: str, delimiter: str) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(
            io.StringIO(text), sep=delimiter, header=None, dtype=str, keep_default_na=False, na_values=[]
        )
    except pd.errors.ParserError as problem:
        raise EquipoiseError(f"{path.name}{_in_words(str(problem), delimiter)}") from None


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


def _lines(path: Path, text: str, delimiter: str, fields: int) -> tuple[int, ...]:
    """The line each record (the header first) begins on; finds rows that are too short, which pandas fills up."""
    limit = csv.field_size_limit(len(text) + 1)
    begins, last = [], 0
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        for record in reader:
            if len(record) > 1 or "".join(record).strip():
                begins.append(last + 1)
                if len(record) < fields:
                    found = f"line {last + 1} has {len(record)} fields, the header {fields}"
                    raise EquipoiseError(f"{path.name} {found}")
            last = reader.line_num
    finally:
        csv.field_size_limit(limit)
    return tuple(begins)
