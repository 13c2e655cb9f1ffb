"""Reads Parquet, JSON lines and folders written by Hugging Face `datasets` into columns of text, like a CSV file.

A list cell becomes its items, each behind a `chunks.LIST_SEPARATOR`, a boolean becomes 1 or 0, and a missing value becomes
the empty cell. Files are read a block of rows at a time.
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
from equipoise.readers.chunks import Chunk, blank, chunk_of
from equipoise.readers.columns import Column
from equipoise.readers.tables import Table, check_readable, name_list

_JSON = (".jsonl", ".ndjson")
_HUGGING_FACE = ("dataset_info.json", "dataset_dict.json", "state.json")
_PARTS = ("train", "validation", "dev", "test")
_ROWS = 1 << 14  # Parquet rows in a block
_LINES = 1 << 11  # JSON lines in a block: fewer, because parsed JSON takes much more memory


def reads(path: Path) -> bool:
    """Whether this module reads the path: by its suffix, or as a Hugging Face folder."""
    return path.suffix.lower() in (*_JSON, ".parquet") or _is_hugging_face(path)


def _is_hugging_face(path: Path) -> bool:
    try:
        return path.is_dir() and any((path / name).is_file() for name in _HUGGING_FACE)
    except OSError:  # a folder without permission is reported when the file is opened
        return False


def read_records(path: Path) -> Table:
    """Read the file or folder. Raises EquipoiseError, naming file, line (or row) and column where there is one."""
    if _is_hugging_face(path):
        return _hugging_face(path)
    check_readable(path, text=path.suffix.lower() in _JSON)
    return _json_lines(path) if path.suffix.lower() in _JSON else _parquet(path)


class _ColumnChunks:
    """Collects columns block by block. For a column that cannot be read it keeps the error instead.

    The error is raised only if the column is used, so that one odd column does not make a file unreadable.
    """

    def __init__(self, path: Path, names: Iterable[str] = ()) -> None:
        self._path, self._rows = path, list[int]()
        self._columns: dict[str, list[Chunk]] = {name: [] for name in names}
        self._refused: dict[str, str] = {}
        self._unreadable: set[str] = set()

    def add(self, where: Callable[[int], str], rows: int, block: Mapping[str, Any]) -> None:
        """Add a block of rows: an Arrow array or a list for each name. A name may first occur in a later block."""
        for name in dict.fromkeys([*self._columns, *block]):
            # A new column gets blank chunks for all earlier blocks.
            chunks = self._columns.setdefault(name, [blank(before) for before in self._rows])
            chunks.append(self._chunk(where, name, block[name]) if name in block else blank(rows))
        self._rows.append(rows)

    def _chunk(self, where: Callable[[int], str], name: str, cells: Any) -> Chunk:
        """A block of one column. An odd column is refused, but its objects are kept: they may hold labels."""
        if name not in self._refused:
            try:
                return chunk_of(where, name, cells)
            except EquipoiseError as problem:
                self._refused[name] = str(problem)
        try:
            return chunk_of(where, name, cells, nested=True)
        except EquipoiseError:
            self._unreadable.add(name)
            return blank(len(cells))

    def table(self, place: Callable[[int], str]) -> Table:
        """The finished table; `place` gives the line or row number of a row in words."""
        columns = {n: Column(chunks) for n, chunks in self._columns.items() if n not in self._refused}
        if not columns:
            raise EquipoiseError(next(iter(self._refused.values()), f"{self._path} holds no columns"))
        nested = {n: Column(self._columns[n]) for n in self._refused if n not in self._unreadable}
        return Table(self._path.name, columns, sum(self._rows), place, refused=self._refused, nested=nested)


def _json_lines(path: Path) -> Table:
    lines, columns = array("q"), _ColumnChunks(path)
    records = _records(path, lines)
    while block := list(islice(records, _LINES)):
        where = partial(_line, path.name, "line", lines[-len(block) :])
        columns.add(where, len(block), _transposed(block))
    if not lines:
        raise EquipoiseError(f"{path} is empty")
    return columns.table(lambda row: f"line {lines[row]}")


def _transposed(block: list[dict[str, Any]]) -> dict[str, Sequence[Any]]:
    """The values of each name, with None where a line lacks the name."""
    names = list(block[0])
    # Nearly always all lines have the same names in the same order, which is much faster.
    if all(list(record) == names for record in block):
        return dict(zip(names, zip(*(record.values() for record in block), strict=True), strict=True))
    union = dict.fromkeys(name for record in block for name in record)
    return {name: [record.get(name) for record in block] for name in union}


def _line(file: str, unit: str, numbers: Sequence[int], row: int) -> str:
    return f"{file} {unit} {numbers[row]}"


def _records(path: Path, lines: array[int]) -> Iterator[dict[str, Any]]:
    """The object of each line that is not blank; its line number is appended to `lines`."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line  # UTF-8 byte order mark
                if content.strip():
                    lines.append(number)
                    yield _record(f"{path.name} line {number}", content)
    except OSError as problem:
        raise EquipoiseError(f"cannot read {path}: {problem.strerror}") from None


def _record(where: str, content: bytes) -> dict[str, Any]:
    try:
        line = content.decode("utf-8")
        record = _DECODER.decode(line)
    except UnicodeDecodeError as problem:
        raise EquipoiseError(f"{where} is not UTF-8 text, as JSON must be ({problem.reason})") from None
    except json.JSONDecodeError as problem:
        raise EquipoiseError(f"{where}, character {problem.pos + 1}: not JSON ({problem.msg})") from None
    except (RecursionError, ValueError) as problem:  # nested too deeply, or a name given twice (`_once`)
        raise EquipoiseError(f"{where}: {' '.join(str(problem).split())[:200]}") from None
    if not isinstance(record, dict):
        raise EquipoiseError(
            f'{where}: each line must be an object, {{"column": value}}, not {line.strip():.40}'
        )
    return record


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs; `json` by itself would silently keep only the last of two equal names."""
    record = dict(pairs)
    if len(record) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"column {twice!r} is given twice")
    return record


_DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _table(path: Path, names: Sequence[str], blocks: Iterable[Mapping[str, Any]]) -> Table:
    """Build a table from blocks of rows; rows count from 1 in error messages."""
    if len(set(names)) < len(names):
        raise EquipoiseError(f"{path.name}: column names must differ: {name_list(sorted(names))}")
    columns, begin = _ColumnChunks(path, names), 0
    for block in blocks:
        rows = len(next(iter(block.values())))
        columns.add(partial(_line, path.name, "row", range(begin + 1, begin + rows + 1)), rows, block)
        begin += rows
    return columns.table(lambda row: f"row {row + 1}")


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
    """Turn any error of another library into an EquipoiseError of one line. Their errors share no base but Exception."""
    try:
        yield
    except EquipoiseError:
        raise
    except Exception as problem:
        raise EquipoiseError(f"cannot read {path}: {' '.join(str(problem).split())[:200]}") from None


def _hugging_face(path: Path) -> Table:
    """Read the splits of a folder one after another; class numbers become the class names stored in the folder."""
    try:
        load_from_disk: Any = importlib.import_module("datasets").load_from_disk
    # AttributeError: in a checkout `datasets` can be this project's own folder.
    except (ImportError, AttributeError):
        raise EquipoiseError(f"reading {path}, a Hugging Face folder, needs: pip install datasets") from None
    with _one_line(path):
        loaded: Any = load_from_disk(str(path))
    parts = [loaded]
    # Several splits: the usual ones in their usual order, then any others by name.
    if isinstance(loaded, dict):
        parts = [
            loaded[name] for name in sorted(loaded, key=lambda n: (_PARTS.index(n) if n in _PARTS else 9, n))
        ]
    names = list(parts[0].column_names)
    blocks = ({name: _named(part.features[name], list(part[name])) for name in names} for part in parts)
    with _one_line(path):
        return _table(path, names, blocks)


def _named(feature: Any, values: list[Any]) -> list[Any]:
    """Replace class numbers by class names, also inside lists. -1 means "no class" and becomes None."""
    names = getattr(getattr(feature, "feature", feature), "names", None)
    if names is None:
        return values
    name = dict(enumerate(names)).get
    return [[name(i) for i in v] if isinstance(v, list) else name(v) for v in values]
