"""Tables that are no text: Parquet, JSON lines, and a folder written by Hugging Face `datasets`; as cells of str.

A cell that is a list becomes its items joined by `LISTED`, a character that no name holds; truth becomes 1 or 0; what is
missing becomes the empty cell, as in a CSV file.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.errors import EquipoiseError
from equipoise.tables import Table

LISTED = "\x1f"  # ASCII's unit separator
_JSON = (".jsonl", ".ndjson")
_HUGGING_FACE = ("dataset_info.json", "dataset_dict.json")
_PARTS = ("train", "validation", "dev", "test")


def reads(path: Path) -> bool:
    """Whether a path is for this module."""
    folder = path.is_dir() and any((path / name).is_file() for name in _HUGGING_FACE)
    return folder or path.suffix.lower() in (*_JSON, ".parquet")


def read_records(path: Path) -> Table:
    """Read the file or folder. Raises EquipoiseError, naming file, line (or row) and column where there is one."""
    if not path.exists():
        raise EquipoiseError(f"{path} does not exist; give the path of a file, or the name of a dataset")
    if path.suffix.lower() in _JSON:
        return _json_lines(path)
    columns = _hugging_face(path) if path.is_dir() else _parquet(path)
    rows = len(next(iter(columns.values()), ()))
    cells = {n: [_cell(f"{path.name} row {i}", n, v) for i, v in enumerate(c, 1)] for n, c in columns.items()}
    return _table(path, cells, range(1, rows + 1))


def _table(path: Path, cells: Mapping[str, Sequence[str]], lines: Iterable[int]) -> Table:
    import pandas as pd

    if not cells:
        raise EquipoiseError(f"{path} holds no columns")
    frame = pd.DataFrame({str(name): pd.Series(list(column), dtype=str) for name, column in cells.items()})
    return Table(path.name, frame, np.fromiter(lines, dtype=np.int64), "")


def _json_lines(path: Path) -> Table:
    rows: list[tuple[int, dict[str, Any]]] = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise EquipoiseError(f"{path} is not UTF-8 text, which JSON is ({problem.reason})") from None
    except OSError as problem:
        raise EquipoiseError(f"cannot read {path}: {problem.strerror}") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            rows.append((number, _record(path, number, line)))
    if not rows:
        raise EquipoiseError(f"{path} is empty")
    names = list(dict.fromkeys(name for _, record in rows for name in record))
    at = [(f"{path.name} line {number}", record) for number, record in rows]
    cells = {name: [_cell(where, name, record.get(name)) for where, record in at] for name in names}
    return _table(path, cells, (number for number, _ in rows))


def _record(path: Path, number: int, line: str) -> dict[str, Any]:
    where = f"{path.name} line {number}"
    try:
        found = json.loads(line, object_pairs_hook=lambda pairs: _once(where, pairs))
    except json.JSONDecodeError as problem:
        raise EquipoiseError(f"{where}, character {problem.pos + 1}: not JSON ({problem.msg})") from None
    except (RecursionError, ValueError) as problem:
        raise EquipoiseError(f"{where}: {' '.join(str(problem).split())[:200]}") from None
    if not isinstance(found, dict):
        raise EquipoiseError(
            f'{where}: each line must be an object, {{"column": value}}, not {line.strip():.40}'
        )
    return found


def _once(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"column {twice!r} is given twice")
    return record


def _cell(where: str, name: str, value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return LISTED.join(_cell(where, name, item).replace(LISTED, " ") for item in value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, str | int | float | np.generic):
        return str(value)
    raise EquipoiseError(
        f"{where}, column {name!r} holds {type(value).__name__}; known are text, numbers and lists"
    )


def _parquet(path: Path) -> dict[str, list[Any]]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise EquipoiseError(f"reading {path.name} needs pyarrow: pip install pyarrow") from None
    try:
        columns: dict[str, list[Any]] = parquet.read_table(path, memory_map=True).to_pydict()
    except Exception as problem:  # pyarrow's errors share no base but Exception
        raise EquipoiseError(f"cannot read {path}: {' '.join(str(problem).split())[:200]}") from None
    return columns


def _hugging_face(path: Path) -> dict[str, list[Any]]:
    """The parts of a folder one after another; label numbers become the names that the folder gives them."""
    try:
        load_from_disk: Any = importlib.import_module("datasets").load_from_disk
    except (ImportError, AttributeError):  # in a checkout, `datasets` may be our own folder
        raise EquipoiseError(f"reading {path}, a Hugging Face folder, needs: pip install datasets") from None
    try:
        found: Any = load_from_disk(str(path))
    except Exception as problem:
        raise EquipoiseError(f"cannot read {path}: {' '.join(str(problem).split())[:200]}") from None
    parts = [found]
    if isinstance(found, dict):
        parts = [
            found[name] for name in sorted(found, key=lambda n: (_PARTS.index(n) if n in _PARTS else 9, n))
        ]
    columns: dict[str, list[Any]] = {name: [] for name in parts[0].column_names}
    for part in parts:
        for name in columns:
            columns[name] += _named(part.features[name], list(part[name]))
    return columns


def _named(feature: Any, values: list[Any]) -> list[Any]:
    """Class numbers as names, alone or in lists."""
    names = getattr(getattr(feature, "feature", feature), "names", None)
    if names is None:
        return values
    return [[names[i] for i in v] if isinstance(v, list) else None if v is None else names[v] for v in values]
