"""Rows, the results of cells as plain data: to and from a line of JSON, as a fingerprint, as a table.

NaN and infinities are written as null (JSON has neither). They come back as NaN in the fields that hold
measured numbers (`NUMERIC`, and the value of a trial); elsewhere null is read as None.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.store.checks import too_deep

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazy("pandas")

Row = dict[str, Any]
# The only fields in which two runs of the same cell, with the same code of the metrics, may differ.
VOLATILE = frozenset({"cost", "created", "traceback"})
# Fields of measured numbers: there null can only be an undefined number; elsewhere it means "none".
NUMERIC = ("metrics", "spread", "per_label", "audit", "cost")


def clean(value: Any) -> Any:
    """Return a value as JSON can hold it: NumPy values as plain ones, NaN and infinities as None."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): clean(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(part) for part in value]
    if value is None or isinstance(value, (str, int)):
        return value
    raise EquipoiseError(
        f"a row cannot hold a {type(value).__name__}; give numbers, strings, lists, mappings"
    )


def encode(row: Mapping[str, Any]) -> bytes:
    """Return the row as one line of ASCII JSON, newline included."""
    # With ASCII escapes, no lone surrogate can fail to encode and no Unicode line separator can split the line.
    return json.dumps(clean(row), ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"


def _undefined(value: Any) -> Any:
    """Read null back as NaN, at any depth."""
    if value is None:
        return math.nan
    if isinstance(value, dict):
        return {name: _undefined(part) for name, part in value.items()}
    return [_undefined(part) for part in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Selection:
    """The parts of rows that a reader needs. Reading no others takes a fraction of the time and of the memory.

    Attributes:
        metrics: names of metrics; None: all of them.
        without: fields to leave out. All others are read, also those of other versions.
    """

    metrics: frozenset[str] | None = None
    without: frozenset[str] = frozenset(
        {"per_label", "labels", "trials", "decision_trials", "versions", "plugins", "traceback"}
    )

    @staticmethod
    @lru_cache
    def marks(names: frozenset[str]) -> tuple[bytes, ...]:
        """The names as `encode` writes them before a value; the largest fields first, which shortens the line to search."""
        largest = ("per_label", "trials", "labels")
        ordered = sorted(names, key=lambda name: (largest.index(name) if name in largest else 9, name))
        return tuple(b'"%s": ' % name.encode() for name in ordered)


def decode(line: bytes, selection: Selection | None = None) -> Row:
    """Return the row that a line holds, or the selected parts of it.

    Raises:
        ValueError: the line is not JSON, or no row.
    """
    try:
        row = _parsed(line) if selection is None else _selected(line, selection)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON, {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    for field in NUMERIC:
        if isinstance(row.get(field), dict):
            row[field] = _undefined(row[field])
    for field in ("trials", "decision_trials"):
        trials = row.get(field)
        for trial in trials if isinstance(trials, list) else ():
            if isinstance(trial, dict) and "value" in trial:
                trial["value"] = _undefined(trial["value"])
    return row


def _parsed(line: bytes) -> Row:
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("key"), str):
        raise ValueError("without a key")
    # A row has some fifty brackets, so that hardly any row needs the check.
    if line.count(b"{") + line.count(b"[") > _BRACKETS and too_deep(row):
        raise ValueError("nested too deeply")
    return row


#: A line with more opening brackets than this may be nested deeply.
_BRACKETS = 100


def _selected(line: bytes, selection: Selection) -> Row:
    """Parse the selected parts of a line.

    `encode` writes a bulky field in one way, so its end is found by searching for a bracket, which is twenty times faster than
    parsing it. Where that goes wrong (a bracket inside a name), the remainder is not JSON, and the whole line is parsed.
    """
    usual = line.isascii() and b"\0" not in line
    try:
        row = _parsed(_shortened(line, selection) if usual else line)
    except ValueError:
        row = _parsed(line)
    for field in selection.without:
        row.pop(field, None)
    metrics = row.get("metrics")
    if selection.metrics is not None and isinstance(metrics, dict):
        row["metrics"] = {name: value for name, value in metrics.items() if name in selection.metrics}
    return row


def _shortened(line: bytes, selection: Selection) -> bytes:
    """The line with null in place of those fields to leave out that are flat lists or mappings, and with selected metrics."""
    if selection.metrics is not None:
        start, end = _span(line, b'"metrics": ')
        members = [_member(line, name, start, end) for name in selection.marks(selection.metrics)]
        line = b"%s{%s}%s" % (line[:start], b", ".join(filter(None, members)), line[end:]) if end else line
    for mark in selection.marks(selection.without):
        start, end = _span(line, mark)
        line = b"%snull%s" % (line[:start], line[end:]) if end else line
    return line


def _span(line: bytes, mark: bytes) -> tuple[int, int]:
    """Begin and end of the value after a mark; (0, 0) if it is absent, no list or mapping, or has another of its kind inside."""
    found = line.find(mark)
    start = found + len(mark)
    opening = line[start : start + 1]
    if found < 0 or opening not in (b"{", b"["):
        return 0, 0
    end = line.find(b"}" if opening == b"{" else b"]", start) + 1
    return (start, end) if line.count(opening, start, end) == 1 else (0, 0)


def _member(line: bytes, mark: bytes, start: int, end: int) -> bytes:
    """The text of one member of the flat mapping at line[start:end]; empty if there is none."""
    begin = line.find(mark, start, end)
    comma = line.find(b",", begin, end)
    return b"" if begin < 0 else line[begin : comma if comma >= 0 else end - 1]


def fingerprint(row: Mapping[str, Any]) -> str:
    """Hash every part of a row that must be equal when the same cell runs again.

    Returns the sha256 (64 hex digits) of the row's canonical JSON without `cost`, `created` and `traceback`.
    A row in memory and the same row read back have the same fingerprint; the order of fields does not matter.
    """
    stable = {name: part for name, part in clean(row).items() if name not in VOLATILE}
    return hashlib.sha256(json.dumps(stable, sort_keys=True).encode("ascii")).hexdigest()


#: Nested fields whose entries become columns of `flatten`, with the prefix of those columns.
COLUMNS = {"metrics": "", "spread": "spread/", "params": "param/", "settings": "setting/", "cost": "cost/"}
# Lists, and texts too long for a table: read them from the rows.
LEFT_OUT = frozenset(
    {
        "per_label",
        "labels",
        "trials",
        "decision_trials",
        "edges",
        "audit",
        "versions",
        "plugins",
        "traceback",
        "backbone_identity",
    }
)


def flatten(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A table with one line per row: plain fields, metrics ("fixed/macro_f1"), "param/…", "setting/…", "cost/…"."""
    flat = [_flat(row) for row in rows]
    always = ["key", "status", "dataset", "backbone", "strategy", "split"]
    # Callers may select these columns even if there is no row.
    return pd.DataFrame(flat) if flat else pd.DataFrame(columns=always)


def _flat(row: Mapping[str, Any]) -> Row:
    flat = {name: part for name, part in row.items() if name not in COLUMNS and name not in LEFT_OUT}
    for field, prefix in COLUMNS.items():
        flat.update({f"{prefix}{name}": part for name, part in (row.get(field) or {}).items()})
    equal = row.get("same_as") or ()
    flat["same_as"] = "; ".join(f"{other['strategy']} ({_pairs(other['columns'])})" for other in equal)
    return flat


def _pairs(columns: Mapping[str, str]) -> str:
    """ "fixed, own = tuned" for columns that equal the same and another column."""
    return ", ".join(ours if ours == theirs else f"{ours} = {theirs}" for ours, theirs in columns.items())
