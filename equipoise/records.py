"""Tables that are no text: Parquet, JSON lines, and a folder written by Hugging Face `datasets`; as columns of text.

A cell that is a list becomes its items joined by `pieces.LISTED`; truth becomes 1 or 0; what is missing becomes the empty
cell, as in a CSV file. Files are read a block of rows at a time.
"""

from __future__ import annotations

import importlib
import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from equipoise.columns import Column
from equipoise.errors import EquipoiseError
from equipoise.pieces import Piece, blank, piece_of
from equipoise.tables import Table, shown

_JSON = (".jsonl", ".ndjson")
_HUGGING_FACE = ("dataset_info.json", "dataset_dict.json", "state.json")
_PARTS = ("train", "validation", "dev", "test")
_ROWS = 1 << 14  # rows of a block; lines of JSON are bulky once they are read
_LINES = 1 << 11


def reads(path: Path) -> bool:
    """Whether a path is for this module."""
    return path.suffix.lower() in (*_JSON, ".parquet") or _is_hugging_face(path)


def _is_hugging_face(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in _HUGGING_FACE)


def read_records(path: Path) -> Table:
    """Read the file or folder. Raises EquipoiseError, naming file, line (or row) and column where there is one."""
    if not path.exists():
        raise EquipoiseError(f"{path} does not exist; give the path of a file, or the name of a dataset")
    if path.is_dir() and not _is_hugging_face(path):
        raise EquipoiseError(f"{path} is a folder, not a file; give one of the files in it")
    if path.suffix.lower() in _JSON:
        return _json_lines(path)
    columns = _hugging_face(path) if path.is_dir() else _parquet(path)
    if not columns:
        raise EquipoiseError(f"{path} holds no columns")
    return Table(path.name, columns, len(next(iter(columns.values()))), _row)


def _row(row: int) -> str:
    return f"row {row + 1}"


def _json_lines(path: Path) -> Table:
    lines, blocks, rows = array("q"), dict[str, list[Piece]](), list[int]()
    records = _records(path, lines)
    while block := list(islice(records, _LINES)):
        where = partial(_line, path.name, "line", lines[-len(block) :])
        cells = _transposed(block)
        for name in dict.fromkeys([*blocks, *cells]):
            pieces = blocks.setdefault(name, [blank(before) for before in rows])
            pieces.append(piece_of(where, name, cells[name]) if name in cells else blank(len(block)))
        rows.append(len(block))
    if not blocks:
        raise EquipoiseError(f"{path} {'holds no columns' if rows else 'is empty'}")
    columns = {name: Column(pieces) for name, pieces in blocks.items()}
    return Table(path.name, columns, len(lines), lambda row: f"line {lines[row]}")


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


def _columns(file: str, names: Sequence[str], blocks: Iterable[Mapping[str, Any]]) -> dict[str, Column]:
    """Columns of blocks of rows, which hold an Arrow array or a list for each name."""
    found: dict[str, list[Piece]] = {name: [] for name in names}
    begin = 0
    for block in blocks:
        where = partial(_line, file, "row", range(begin + 1, 2**62))
        for name, cells in block.items():
            found[name].append(piece_of(where, name, cells))
        begin += len(next(iter(block.values())))
    return {name: Column(pieces) for name, pieces in found.items()}


def _parquet(path: Path) -> dict[str, Column]:
    parquet: Any = importlib.import_module("pyarrow.parquet")
    with _one_line(path), parquet.ParquetFile(path, memory_map=True) as file:
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise EquipoiseError(f"column names must differ: {shown(sorted(names))}")
        blocks = (
            dict(zip(names, batch.columns, strict=True))
            for batch in file.iter_batches(_ROWS, use_threads=False)
        )
        return _columns(path.name, names, blocks)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Whatever another library raises becomes an EquipoiseError: their errors share no base but Exception."""
    try:
        yield
    except EquipoiseError:
        raise
    except Exception as problem:
        raise EquipoiseError(f"cannot read {path}: {' '.join(str(problem).split())[:200]}") from None


def _hugging_face(path: Path) -> dict[str, Column]:
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
        return _columns(path.name, names, blocks)


def _named(feature: Any, values: list[Any]) -> list[Any]:
    """Class numbers as names, alone or in lists; -1 stands for none."""
    names = getattr(getattr(feature, "feature", feature), "names", None)
    if names is None:
        return values
    name = dict(enumerate(names)).get
    return [[name(i) for i in v] if isinstance(v, list) else name(v) for v in values]
