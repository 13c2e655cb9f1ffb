"""The rows behind docs/published-numbers.md: a file of JSON lines, one row a measurement, each measured once."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROWS = Path(__file__).parent / "numbers.jsonl"

Row = dict[str, Any]


def load(path: Path = ROWS) -> list[Row]:
    """The rows of a file, none where there is no file."""
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


def key_of(*parts: Any) -> str:
    """What a measurement depends on, as 16 hex digits: a row is reused while it is the same."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def measured(
    part: str,
    name: str,
    depends_on: Iterable[Any],
    libraries: Iterable[str],
    measure: Callable[[], Row],
    path: Path = ROWS,
) -> Row:
    """The row of a measurement: the one in the file while it still holds, else measured and written now.

    Args:
        part, name: the place of the row; a row that no longer holds is replaced.
        depends_on: what else the result depends on, besides the versions of the libraries.
        measure: returns what the row is to hold.
    """
    versions = {library: version(library) for library in libraries}
    key = key_of(part, name, list(depends_on), versions)
    for row in load(path):
        if row["key"] == key:
            return row
    row = {"part": part, "name": name, "key": key, **measure()}
    row["versions"] = {"python": platform.python_version(), **versions}
    put(row, path)
    return rounded(row)  # type: ignore[no-any-return]


def put(row: Row, path: Path = ROWS) -> None:
    """Write a row behind the others, or in the place of the one of the same part and name.

    The file is written anew and renamed, so that an interrupted run leaves whole rows.
    """
    rows = {(r["part"], r["name"]): rounded(r) for r in [*load(path), row]}
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(r, sort_keys=True) + "\n" for r in rows.values())
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def rounded(value: Any, digits: int = 4) -> Any:
    """A value of JSON with all its floats rounded, lists and dictionaries inside it included."""
    if isinstance(value, float):
        return round(float(value), digits)
    if isinstance(value, dict):
        return {name: rounded(v, digits) for name, v in value.items()}
    return [rounded(v, digits) for v in value] if isinstance(value, list | tuple) else value
