"""Rows, the results of cells as plain data: to and from a line of JSON, as a fingerprint, as a table.

NaN and infinities are written as null (JSON has neither). They come back as NaN in the fields that hold
measured numbers (`NUMERIC`, and the value of a trial); elsewhere null is read as None.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazy("pandas")

Row = dict[str, Any]
STATUSES = ("ok", "failed", "skipped")
# The only fields in which two runs of the same cell, with the same code of the metrics, may differ.
VOLATILE = frozenset({"cost", "created", "traceback"})
# Fields of measured numbers: there null can only be an undefined number; elsewhere it means "none".
NUMERIC = ("metrics", "per_label", "audit", "cost")


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


def decode(line: bytes) -> Row:
    """Return the row that a line holds.

    Raises:
        ValueError: the line is not JSON, or no row.
    """
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("key"), str):
        raise ValueError("not a row")
    for field in NUMERIC:
        if isinstance(row.get(field), dict):
            row[field] = _undefined(row[field])
    for trial in [*(row.get("trials") or ()), *(row.get("decision_trials") or ())]:
        if isinstance(trial, dict) and "value" in trial:
            trial["value"] = _undefined(trial["value"])
    return row


def fingerprint(row: Mapping[str, Any]) -> str:
    """Hash every part of a row that must be equal when the same cell runs again.

    Returns the sha256 (64 hex digits) of the row's canonical JSON without `cost`, `created` and `traceback`.
    A row in memory and the same row read back have the same fingerprint; the order of fields does not matter.
    """
    stable = {name: part for name, part in clean(row).items() if name not in VOLATILE}
    return hashlib.sha256(json.dumps(stable, sort_keys=True).encode("ascii")).hexdigest()


#: Nested fields whose entries become columns of `flatten`, with the prefix of those columns.
COLUMNS = {"metrics": "", "params": "param/", "settings": "setting/", "cost": "cost/"}
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
    return flat
