"""Checks that a row has the fields that its readers rely on, each of the right type: a file of rows may be damaged or edited."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from equipoise.core.errors import shown

#: Outcomes of a cell.
STATUSES = ("ok", "failed", "skipped")
#: The fields that name a cell and its outcome; no row can do without them.
REQUIRED = ("key", "status", "dataset", "backbone", "strategy", "split")
#: The name of a row. It is part of the name of a file, so it holds no dots and no slashes.
KEY = re.compile(r"[0-9A-Za-z_-]{1,64}")
#: What is nested deeper than this was not written by this package, and could exhaust the stack of its readers.
DEPTH = 30
#: A whole number beyond this has no float64.
_LARGEST = 1.7e308


def fault(row: Mapping[str, Any]) -> str | None:
    """What is wrong with a row of plain values, in words; None if it is sound.

    Fields that this version does not know are no fault, and neither are missing ones other than `REQUIRED`.
    """
    if missing := [name for name in REQUIRED if name not in row]:
        return f"without {', '.join(missing)}"
    for name, (sound, wanted) in _FIELDS.items():
        if name in row and not sound(row[name]):
            return f"{name} must be {wanted}, not {shown(row[name], 40)}"
    return None


def too_deep(value: Any) -> bool:
    """Whether lists and mappings are nested deeper than `DEPTH`. It needs no recursion."""
    level: list[Any] = [value]
    for _ in range(DEPTH):
        level = [part for item in level if isinstance(item, list | dict) for part in _parts(item)]
    return bool(level)


def _parts(item: Any) -> Any:
    return item.values() if isinstance(item, dict) else item


def _is_split(value: Any) -> bool:
    return value == "official" or (type(value) is int and value >= 0)


def _is_number(value: Any) -> bool:
    """A number or null, which stands for an undefined number."""
    if value is None or isinstance(value, float):
        return True
    return type(value) is int and abs(value) < _LARGEST


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(number) for number in value.values())


def _is_audit(value: Any) -> bool:
    """An audit of a resampling (`equipoise.resampling.audit`), or empty without one."""
    if not isinstance(value, dict):
        return False
    names = ("mean_ir", "rows", "scumble", "duplicates")
    sides = [value[side] for side in ("before", "after") if side in value]
    return all(
        isinstance(side, dict) and all(_is_number(side.get(name, "")) for name in names) for side in sides
    )


def _are_equalities(value: Any) -> bool:
    """What a row's strategy cannot differ from, see `equipoise.contracts.equality.Equality`."""
    return isinstance(value, list) and all(
        isinstance(item, dict) and isinstance(item.get("strategy"), str) and _are_texts(item.get("columns"))
        for item in value
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _or_none(sound: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or sound(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_TEXT = (_is_text, "text")
_TEXT_OR_NONE = (_or_none(_is_text), "text")
_MAPPING = (_or_none(lambda value: isinstance(value, dict)), "a mapping")
_NUMBERS = (_or_none(_are_numbers), "a mapping of names to numbers")
_RECORDS = (_or_none(_list_of(dict)), "a list of mappings")
_NAMES = (_or_none(_list_of(str)), "a list of names")
#: Field → whether a value is sound, and what it must be in words.
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "key": (
        lambda value: _is_text(value) and bool(KEY.fullmatch(value)),
        "at most 64 letters, digits, - or _",
    ),
    "status": (lambda value: value in STATUSES, f"one of {', '.join(STATUSES)}"),
    **dict.fromkeys(("dataset", "backbone", "strategy"), _TEXT),
    "split": (_is_split, "a number from 0, or official"),
    "seed": (_or_none(lambda value: type(value) is int and value >= 0), "a number from 0"),
    **dict.fromkeys(("settings", "params", "per_label", "versions"), _MAPPING),
    **dict.fromkeys(("metrics", "spread", "cost"), _NUMBERS),
    "audit": (_or_none(_is_audit), "the state before and after resampling"),
    **dict.fromkeys(("settled", "objective"), (_is_number, "a number")),
    **dict.fromkeys(("trials", "decision_trials", "plugins"), _RECORDS),
    **dict.fromkeys(("labels", "edges"), _NAMES),
    "same_as": (_or_none(_are_equalities), "a list of strategies, each with columns"),
    **dict.fromkeys(("device", "created", "error", "reason", "traceback", "dataset_sha256"), _TEXT_OR_NONE),
    **dict.fromkeys(("code", "metrics_code"), _TEXT_OR_NONE),
}
