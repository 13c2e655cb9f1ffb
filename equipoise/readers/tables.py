"""Reads a CSV or TSV file as columns of text cells. A malformed file is an error of one line that names the line number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from equipoise.core.errors import EquipoiseError, unknown
from equipoise.readers import delimited
from equipoise.readers.columns import Column
from equipoise.readers.encoding import declared_delimiter

_OTHER_KINDS = dict.fromkeys((".zip", ".gz", ".bz2", ".xz", ".zst", ".7z"), "unpack it first") | {
    ".json": "write one object a line and call it .jsonl",
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "export it as CSV"),
    **dict.fromkeys((".feather", ".arrow", ".orc", ".pkl", ".pickle", ".pdf"), "export it as CSV or Parquet"),
}
#: The first bytes of files that are not text, whatever their suffix.
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
_WRITTEN = {"\\t": "\t", "tab": "\t"}  # ways to write a tab on the command line


@dataclass(frozen=True)
class Table:
    """The columns of a file by name. Each has `rows` cells of text."""

    file: str
    columns: dict[str, Column]
    rows: int
    # From a row (counted from 0) to its position in the file: "line 7" or "row 6".
    place: Callable[[int], str]
    decimal_comma: bool = False  # whether 1,5 may mean 1.5
    # Columns that cannot be read, and the error of each.
    refused: dict[str, str] = field(default_factory=dict)
    # Those of them that hold objects, which can be read as labels.
    nested: Mapping[str, Column] = field(default_factory=dict)

    def name_of(self, name: object) -> str:
        """Check that a column exists and return its name. Raises EquipoiseError, with the nearest name."""
        if str(name) in self.refused:
            raise EquipoiseError(self.refused[str(name)])
        if str(name) not in self.columns:
            raise unknown(f"column of {self.file}:", str(name), self.columns)
        return str(name)

    def label_name(self, name: object) -> str:
        """Like `name_of`, for a column of label names, which may hold objects."""
        if str(name) in self.nested:
            self.columns[str(name)] = self.nested[str(name)]
            self.refused.pop(str(name), None)
        return self.name_of(name)

    def keep(self, names: Iterable[str]) -> None:
        """Drop all other columns, and return unused memory to the system."""
        import pyarrow as pa

        wanted = set(names)
        for name in [name for name in self.columns if name not in wanted]:
            del self.columns[name]
        pa.default_memory_pool().release_unused()

    def at(self, row: int, name: str) -> str:
        """The position of a cell in words: file, line (the first one if the row spans several) and column."""
        return f"{self.file} {self.place(row)}, column {name!r}"


def read_table(
    path: Path, delimiter: str | None = None, encoding: str = "utf-8", labelled: bool = True
) -> Table:
    """Read a delimited text file.

    Without a `delimiter`, it is the one that a first line such as "sep=;" states, a tab for .tsv and .tab, and otherwise the
    most frequent of , ; tab | in the header. Rows that have labels need two columns or more; with `labelled=False` one will
    do, and its heading may be a number.

    Raises:
        EquipoiseError: the file cannot be read; the message names file and line.
    """
    check_readable(path)
    first = delimited.first_line(path, encoding)
    if delimiter is None:
        delimiter = declared_delimiter(path, encoding)
    mark = _delimiter(path, first) if delimiter is None else _WRITTEN.get(delimiter, str(delimiter))
    if len(mark) != 1 or mark in '\r\n"\0':
        raise EquipoiseError(f"delimiter must be one character, not {mark!r}")
    line, cells = delimited.header(path, encoding, mark)
    names = [name.strip() or f"column {i}" for i, name in enumerate(cells, start=1)]
    _check_header(f"{path.name} line {line}", names, mark, labelled)
    columns = delimited.read(path, encoding, mark, len(names))
    return Table(
        file=path.name,
        columns=dict(zip(names, columns, strict=True)),
        rows=len(columns[0]),
        place=lambda row: f"line {delimited.line_of(path, encoding, mark, row)}",
        decimal_comma=mark == ";",  # where the comma is the decimal point, programs delimit with semicolons
    )


def check_readable(path: Path, text: bool = True) -> None:
    """Raise EquipoiseError if the file does not exist, cannot be opened, or (with `text`) is known not to be text."""
    if hint := _OTHER_KINDS.get(path.suffix.lower()):
        raise EquipoiseError(f"{path}: {path.suffix} files are not read; {hint}")
    try:
        if not path.is_file():
            fault = _instead_of_a_file(path)
            raise EquipoiseError(f"{path} {fault}; give the path of a file, or the name of a dataset")
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
    return "is a broken link" if path.is_symlink() else "does not exist"


def name_list(names: Iterable[str], most: int = 12) -> str:
    """A list of names for a message: at most `most` of them, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(f"{name:.60}" for name in listed[:most]) + more


def split_names(text: str, known: Collection[str]) -> list[str]:
    """Split "a+b" into its names. A known name may itself contain plus signs, as in "java+c++"."""
    parts, columns = text.split("+"), frozenset(known)
    # No name has more parts than this, which keeps the search linear for a list of very many names.
    most = 1 + max((name.count("+") for name in columns), default=0)
    names: list[str] = []
    begin = 0
    while begin < len(parts):
        # The longest known name at the start wins. Where none is known, the remainder is split at every plus sign.
        ends = range(min(begin + most, len(parts)), begin, -1)
        end = next((end for end in ends if "+".join(parts[begin:end]).strip() in columns), None)
        if end is None:
            return [*names, *(part.strip() for part in parts[begin:])]
        names.append("+".join(parts[begin:end]).strip())
        begin = end
    return names


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(",;\t|", key=header.count)


def _check_header(where: str, header: list[str], delimiter: str, labelled: bool) -> None:
    """Raise EquipoiseError if the first line does not name the columns."""
    if labelled and all(_is_number(name) for name in header):
        raise EquipoiseError(f"{where} must name the columns, but holds numbers: {', '.join(header):.60}")
    if labelled and len(header) == 1:
        raise EquipoiseError(
            f"{where} holds one column, {header[0]!r:.60}, when split at {delimiter!r}; "
            "inputs and labels are needed (set another one with delimiter=…)"
        )
    if repeated := sorted(name for name, times in Counter(header).items() if times > 1):
        raise EquipoiseError(f"{where}: column names must differ; repeated: {name_list(repeated)}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
