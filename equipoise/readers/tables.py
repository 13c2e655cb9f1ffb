"""Read a CSV or TSV file as text cells; every way it can be broken has an error in one line, with a line number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from equipoise.core.errors import EquipoiseError, unknown
from equipoise.readers import delimited
from equipoise.readers.columns import Column

_OTHER_KINDS = dict.fromkeys((".zip", ".gz", ".bz2", ".xz", ".zst", ".7z"), "unpack it first") | {
    ".json": "write one object a line and call it .jsonl",
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "export it as CSV"),
    **dict.fromkeys((".feather", ".arrow", ".orc", ".pkl", ".pickle", ".pdf"), "export it as CSV or Parquet"),
}
#: How files begin that are no text, whatever they are called.
_MARKS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"PAR1": "a Parquet file, to be called .parquet",
    b"ARROW1": "an Arrow or Feather file",
    b"%PDF": "a PDF file",
    b"SQLite format 3": "an SQLite database",
}
_WRITTEN = {"\\t": "\t", "tab": "\t"}


@dataclass(frozen=True)
class Table:
    """The columns of a file by name, each of `rows` cells of text; `at` words the errors."""

    file: str
    columns: dict[str, Column]
    rows: int
    place: Callable[[int], str]  # "line 7" or "row 6": where a row (from 0) is
    decimal_comma: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)  # columns that cannot be read, and why

    def name_of(self, name: object) -> str:
        """The name of an existing column. Raises EquipoiseError with the nearest one."""
        if str(name) in self.refused:
            raise EquipoiseError(self.refused[str(name)])
        if str(name) not in self.columns:
            raise unknown(f"column of {self.file}:", str(name), self.columns)
        return str(name)

    def keep(self, names: Iterable[str]) -> None:
        """Let go of the other columns, and of the memory of what has been read of these."""
        import pyarrow as pa

        kept = set(names)
        for name in [name for name in self.columns if name not in kept]:
            del self.columns[name]
        pa.default_memory_pool().release_unused()

    def at(self, row: int, name: str) -> str:
        """Where a cell is, in words: file, line (the first, where a cell spans several) and column."""
        return f"{self.file} {self.place(row)}, column {name!r}"


def read_table(path: Path, delimiter: str | None = None, encoding: str = "utf-8") -> Table:
    """Read the file; `delimiter` None: a tab for .tsv and .tab, else the commonest of , ; tab | in the header."""
    check_readable(path)
    first = delimited.first_line(path, encoding)
    mark = _delimiter(path, first) if delimiter is None else _WRITTEN.get(delimiter, str(delimiter))
    if len(mark) != 1 or mark in '\r\n"\0':
        raise EquipoiseError(f"delimiter must be one character, not {mark!r}")
    line, cells = delimited.header(path, encoding, mark)
    names = [name.strip() or f"column {i}" for i, name in enumerate(cells, start=1)]
    _check_header(f"{path.name} line {line}", names, mark)
    columns = delimited.read(path, encoding, mark, len(names))
    return Table(
        file=path.name,
        columns=dict(zip(names, columns, strict=True)),
        rows=len(columns[0]),
        place=lambda row: f"line {delimited.line_of(path, encoding, mark, row)}",
        decimal_comma=mark == ";",
    )


def check_readable(path: Path, text: bool = True) -> None:
    """Raises EquipoiseError where there is no such file, it cannot be opened, or it is known to be no text."""
    if hint := _OTHER_KINDS.get(path.suffix.lower()):
        raise EquipoiseError(f"{path}: {path.suffix} files are not read; {hint}")
    try:
        if not path.is_file():
            found = f"{_instead_of_a_file(path)}; give the path of a file, or the name of a dataset"
            raise EquipoiseError(f"{path} {found}")
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as problem:
        raise EquipoiseError(f"cannot read {path}: {problem.strerror}") from None
    for mark, kind in _MARKS.items():
        if text and start.startswith(mark):
            raise EquipoiseError(f"{path} is {kind}, not a text file; export or unpack it first")


def _instead_of_a_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder, not a file"
    if path.exists():
        return "is a device or a pipe, not a file"
    return "is a link to nothing" if path.is_symlink() else "does not exist"


def shown(names: Iterable[str], most: int = 12) -> str:
    """The first names, and how many there are more."""
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(f"{name:.60}" for name in known[:most]) + more


def split_names(text: str, known: Collection[str]) -> list[str]:
    """ "a+b" → its names; a known name may hold plus signs itself, as in "java+c++"."""
    names = [part.strip() for part in text.split("+")]
    if text.strip() in known:
        return [text.strip()]
    for end in range(len(names) - 1, 0, -1):
        first = "+".join(text.split("+")[:end]).strip()
        if first in known:
            return [first, *split_names("+".join(text.split("+")[end:]), known)]
    return names


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(",;\t|", key=header.count)


def _check_header(where: str, header: list[str], delimiter: str) -> None:
    if all(_is_number(name) for name in header):
        raise EquipoiseError(f"{where} must name the columns, but holds numbers: {', '.join(header):.60}")
    if len(header) == 1:
        found = f"one column, {header[0]!r:.60}, when divided at {delimiter!r}"
        raise EquipoiseError(f"{where} holds {found}; inputs and labels are needed (delimiter=… divides)")
    if repeated := sorted(name for name, times in Counter(header).items() if times > 1):
        raise EquipoiseError(f"{where}: column names must differ; repeated: {shown(repeated)}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
