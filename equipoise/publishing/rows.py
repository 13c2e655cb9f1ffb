"""Rows as they are published: the current row of each cell, without folders and tracebacks, in a fixed order."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.core.errors import EquipoiseError
from equipoise.store.checks import fault
from equipoise.store.rows import Row, decode, encode

#: Folders at the start of a path, of any system: "/home/ada/mails.csv", "./sets/mails.csv", "C:\\data\\mails.csv".
_FOLDERS = re.compile(r"""(?:[A-Za-z]:)?(?:[^\\/\[\],=+'":]*[\\/])+(?=[^\s\\/])""")
#: Where `_FOLDERS` ends. A search for this alone takes linear time, also in a megabyte that a stranger calls a data set.
_FOLDER_END = re.compile(r"[\\/](?=[^\s\\/])")
#: In sentences only absolute paths are shortened, since a slash between words is no path.
_ABSOLUTE = re.compile(r"""(?<![\w.])(?:[A-Za-z]:)?[\\/](?:[^\s\\/'":]+[\\/])+(?=[^\s\\/])""")
#: Fields that may hold a path as the user wrote it, and those that hold sentences.
_SPECS = ("dataset", "backbone", "backbone_identity", "strategy")
_SENTENCES = ("error", "reason", "features")
#: The most bytes of rows that are unpacked: a few kilobytes from a stranger could fill the memory otherwise.
_LARGEST = 2 << 30


def public(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows to publish: of several rows of one cell the last, without what belongs to a machine, in a fixed order."""
    current: dict[str, Row] = {}
    for row in rows:
        current[_cell(row)] = stripped(row)
    return sorted(current.values(), key=_order)


def _cell(row: Mapping[str, Any]) -> str:
    """What names a cell for a reader, whichever code and libraries made its row."""
    names = ("dataset", "dataset_sha256", "backbone_identity", "backbone", "strategy", "split", "seed")
    # The external rows and the device are part of what is compared, too.
    found = [row.get(name) for name in (*names, "settings", "external_sha256", "device")]
    return json.dumps(found, sort_keys=True, default=str)


def _order(row: Row) -> tuple[str, str, str, str, int, str]:
    split = row["split"]
    # Numbers before "official"; as text, 10 would come before 2.
    place = f"{split:06d}" if isinstance(split, int) else str(split)
    names = (str(row["dataset"]), str(row["backbone"]), str(row["strategy"]))
    return (*names, place, int(row.get("seed") or 0), str(row["key"]))


def stripped(row: Mapping[str, Any]) -> Row:
    """A row without what belongs to a machine: no traceback, and files without their folders."""
    kept: Row = {"key": row["key"], **{name: part for name, part in row.items() if name != "traceback"}}
    for name in _SPECS:
        if isinstance(kept.get(name), str):
            kept[name] = _FOLDERS.sub("", kept[name])
    for name in _SENTENCES:
        if isinstance(kept.get(name), str):
            kept[name] = _ABSOLUTE.sub("", kept[name])
    return kept


def names_folder(spec: str) -> bool:
    """Whether a data set, backbone or strategy is spelled with the folder of a file, which no published row is."""
    return _FOLDER_END.search(spec) is not None


def lines_of(rows: Sequence[Row]) -> bytes:
    """The rows as JSON lines, the fields in alphabetical order after the key, which readers of a store look for first."""
    ordered = ({"key": row["key"], **dict(sorted(row.items()))} for row in rows)
    return b"".join(encode(row) for row in ordered)


def compressed(lines: bytes) -> bytes:
    """The bytes of a gzip file. They depend on the lines alone: no time and no file name is written."""
    return gzip.compress(lines, compresslevel=9, mtime=0)


def content_hash(lines: bytes) -> str:
    """The sha256 of uncompressed rows, which no version of zlib changes."""
    return hashlib.sha256(lines).hexdigest()


def read_lines(file: Path) -> bytes:
    """The uncompressed lines of rows.jsonl.gz.

    Raises:
        EquipoiseError: there is no such file, or it is damaged.
    """
    try:
        with gzip.open(file) as unpacked:
            lines = unpacked.read(_LARGEST + 1)
    except FileNotFoundError:
        raise EquipoiseError(f"{file} is missing: the folder is incomplete") from None
    except (OSError, EOFError, zlib.error) as error:
        raise EquipoiseError(f"{file} is damaged: {error}") from None
    if len(lines) > _LARGEST:
        raise EquipoiseError(f"{file} holds more than {_LARGEST >> 30} GiB of rows")
    return lines


def parsed(lines: bytes, where: Path) -> list[Row]:
    """The rows of uncompressed lines.

    Raises:
        EquipoiseError: a line is not a row.
    """
    rows = []
    for number, line in enumerate(lines.splitlines(), start=1):
        try:
            row = decode(line)
            why = fault(row)
        except ValueError as error:
            why = str(error)
        if why is not None:
            raise EquipoiseError(f"{where}, line {number}: not a row, {why:.200}")
        rows.append(row)
    return rows


def seconds_of(row: Mapping[str, Any], name: str = "seconds_total") -> float:
    """A time of a row's `cost` in seconds; NaN where it is not known, as of a cell that was skipped."""
    value = (row.get("cost") or {}).get(name)
    return float(value) if isinstance(value, int | float) else math.nan


def amount(value: float, digits: int = 3) -> str:
    """A number of core-hours with this many significant digits, and never as a power of ten: 0.0082, 2.19, 1,204."""
    return f"{value:.{digits}g}" if value < 10**digits - 0.5 else f"{value:,.0f}"
