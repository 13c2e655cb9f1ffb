"""Tables that are no text: Parquet, JSON lines, and a folder written by Hugging Face `datasets`; as columns of text.

A cell that is a list becomes its items joined by `pieces.LIST_SEPARATOR`; truth becomes 1 or 0; what is missing becomes the empty
cell, as in a CSV file. Files are read a block of rows at a time.
"""

from __future__ import annotations

import importlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from equipoise.core.errors import EquipoiseError
from equipoise.readers.chunks import Piece, blank, piece_of
from equipoise.readers.columns import Column
from equipoise.readers.tables import Table, check_readable, shown

_JSON = (".jsonl", ".ndjson")
_HUGGING_FACE = ("dataset_info.json", "dataset_dict.json", "state.json")
_PARTS = ("train", "validation", "dev", "test")
_ROWS = 1 << 14  # rows of a block; lines of JSON are bulky once they are read
_LINES = 1 << 11


def reads(path: Path) -> bool:
    """Whether a path is for this module."""
    return path.suffix.lower() in (*_JSON, ".parquet") or _is_hugging_face(path)


def _is_hugging_face(path: Path) -> bool:
    try:
        return path.is_dir() and any((path / name).is_file() for name in _HUGGING_FACE)
    except OSError:  # a folder that may not be entered: said when the file is opened
        return False


def read_records(path: Path) -> Table:
    """Read the file or folder. Raises EquipoiseError, naming file, line (or row) and column where there is one."""
    if _is_hugging_face(path):
        return _hugging_face(path)
    check_readable(path, text=path.suffix.lower() in _JSON)
    return _json_lines(path) if path.suffix.lower() in _JSON else _parquet(path)


class _Pieces:
    """Columns while they are read; one that cannot be read is kept as the reason why."""

    def __init__(self, path: Path, names: Iterable[str] = ()) -> None:
        self._path, self._rows = path, list[int]()
        self._found: dict[str, list[Piece]] = {name: [] for name in names}
        self._refused: dict[str, str] = {}

    def add(self, where: Callable[[int], str], rows: int, block: Mapping[str, Any]) -> None:
        """A block of rows: an Arrow array or a list for each name; a column may come late, or be left out."""
        for name in dict.fromkeys([*self._found, *block]):
            pieces = self._found.setdefault(name, [blank(before) for before in self._rows])
            if name in block and name not in self._refused:
                try:
                    pieces.append(piece_of(where, name, block[name]))
                except EquipoiseError as problem:
                    self._refused[name] = str(problem)
            else:
                pieces.append(blank(rows))
        self._rows.append(rows)

    def table(self, place: Callable[[int], str]) -> Table:
        columns = {n: Column(pieces) for n, pieces in self._found.items() if n not in self._refused}
        if not columns:
            raise EquipoiseError(next(iter(self._refused.values()), f"{self._path} holds no columns"))
        return Table(self._path.name, columns, sum(self._rows), place, refused=self._refused)


def _json_lines(path: Path) -> Table:
    lines, found = array("q"), _Pieces(path)
    records = _records(path, lines)
    while block := list(islice(records, _LINES)):
        where = partial(_line, path.name, "line", lines[-len(block) :])
        found.add(where, len(block), _transposed(block))
    if not lines:
        raise EquipoiseError(f"{path} is empty")
    return found.table(lambda row: f"line {lines[row]}")


def _transposed(block: list[dict[str, Any]]) -> dict[str, Sequence[Any]]:
    """The values of each name; None where a line does not have it."""
    names = list(block[0])
    if all(list(record) == names for record in block):
        return dict(zip(names, zip(*(record.values() for record in block), strict=True), strict=True))
    known = dict.fromkeys(name for record in block for name in record)
    return {name: [record.get(name) for record in block] for name in known}


def _line(file: str, unit: str, numbers: Sequence[int], row: int) -> str:
    return f"{file} {unit} {numbers[row]}"


def _records(path: Path, lines: array[int]) -> Iterator[dict[str, Any]]:
    """The object of each line that is not blank; its number is put into `lines`."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if content.strip():
                    lines.append(number)
                    yield _record(f"{path.name} line {number}", content)
    except OSError as problem:
        raise EquipoiseError(f"cannot read {path}: {problem.strerror}") from None


def _record(where: str, content: bytes) -> dict[str, Any]:
    try:
        line = content.decode("utf-8")
        found = _DECODER.decode(line)
    except UnicodeDecodeError as problem:
        raise EquipoiseError(f"{where} is not UTF-8 text, which JSON is ({problem.reason})") from None
    except json.JSONDecodeError as problem:
        raise EquipoiseError(f"{where}, character {problem.pos + 1}: not JSON ({problem.msg})") from None
    except (RecursionError, ValueError) as problem:
        raise EquipoiseError(f"{where}: {' '.join(str(problem).split())[:200]}") from None
    if not isinstance(found, dict):
        raise EquipoiseError(
            f'{where}: each line must be an object, {{"column": value}}, not {line.strip():.40}'
        )
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"column {twice!r} is given twice")
    return record


_DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _table(path: Path, names: Sequence[str], blocks: Iterable[Mapping[str, Any]]) -> Table:
    """Of blocks of rows, which are counted from 1."""
    if len(set(names)) < len(names):
        raise EquipoiseError(f"{path.name}: column names must differ: {shown(sorted(names))}")
    found, begin = _Pieces(path, names), 0
    for block in blocks:
        rows = len(next(iter(block.values())))
        found.add(partial(_line, path.name, "row", range(begin + 1, begin + rows + 1)), rows, block)
        begin += rows
    return found.table(lambda row: f"row {row + 1}")


def _parquet(path: Path) -> Table:
    parquet: Any = importlib.import_module("pyarrow.parquet")
    with _one_line(path), parquet.ParquetFile(path, memory_map=True) as file:
        names = file.schema_arrow.names
        blocks = (
            dict(zip(names, batch.columns, strict=True))
            for batch in file.iter_batches(_ROWS, use_threads=False)
        )
        return _table(path, names, blocks)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Whatever another library raises becomes an EquipoiseError: their errors share no base but Exception."""
    try:
        yield
    except EquipoiseError:
        raise
    except Exception as problem:
        raise EquipoiseError(f"cannot read {path}: {' '.join(str(problem).split())[:200]}") from None


def _hugging_face(path: Path) -> Table:
    """The parts of a folder one after another; label numbers become the names that the folder gives them."""
    try:
        load_from_disk: Any = importlib.import_module("datasets").load_from_disk
    except (ImportError, AttributeError):  # in a checkout, `datasets` may be our own folder
        raise EquipoiseError(f"reading {path}, a Hugging Face folder, needs: pip install datasets") from None
    with _one_line(path):
        found: Any = load_from_disk(str(path))
    parts = [found]
    if isinstance(found, dict):
        parts = [
            found[name] for name in sorted(found, key=lambda n: (_PARTS.index(n) if n in _PARTS else 9, n))
        ]
    names = list(parts[0].column_names)
    blocks = ({name: _named(part.features[name], list(part[name])) for name in names} for part in parts)
    with _one_line(path):
        return _table(path, names, blocks)


def _named(feature: Any, values: list[Any]) -> list[Any]:
    """Class numbers as names, alone or in lists; -1 stands for none."""
    names = getattr(getattr(feature, "feature", feature), "names", None)
    if names is None:
        return values
    name = dict(enumerate(names)).get
    return [[name(i) for i in v] if isinstance(v, list) else name(v) for v in values]
