"""The label names in one value of a label column: a list, an object, a list of objects, or a single name."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from equipoise.datasets._literals import literal
from equipoise.readers.chunks import LIST_SEPARATOR, NESTED

#: The keys of an object that hold its name, in order of preference, and those that hold how sure somebody is of it.
_NAMES = ("name", "label", "title", "tag", "category", "term", "slug", "value", "text", "id")
_SCORES = ("score", "probability", "confidence", "prob", "weight")
_TRUTH = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "no": 0, "yes": 1}
# As spreadsheets write them in German, French, Spanish and Italian ("no" is there already).
_TRUTH |= {
    "nein": 0,
    "ja": 1,
    "falsch": 0,
    "wahr": 1,
    "non": 0,
    "oui": 1,
    "faux": 0,
    "vrai": 1,
    "sí": 1,
    "sì": 1,
    "si": 1,
}
_TRUTH_NUMBER, _TRUTH_COMMA = re.compile(r"\+?([01])(?:\.0*)?"), re.compile(r"\+?([01])(?:[.,]0*)?")
_IDENTIFIER = re.compile(r"[/\d]")
#: How fractions become labels, for error messages.
THRESHOLD = "write 1 where the value is at least 0.5 (or another threshold of yours) and 0 elsewhere"


class LabelFault(Exception):
    """A cell that holds no labels; the message says what it holds instead, and follows the place of the cell."""


class NotAList(LabelFault):
    """A text that is not the literal of a list or an object."""


def is_list(cell: str) -> bool:
    """Whether the file itself holds a list or an object in this cell, and not the text of one."""
    return cell.startswith((LIST_SEPARATOR, NESTED))


def items(cell: str) -> list[str]:
    """The labels in a cell that is a list, an object, or the text of one, in their order and with repetitions.

    Raises:
        LabelFault: it is not, or there is no name in it.
    """
    if cell.startswith(LIST_SEPARATOR):
        return [item.strip() for item in cell[1:].split(LIST_SEPARATOR)] if len(cell) > 1 else []
    try:
        value = json.loads(cell[1:]) if cell.startswith(NESTED) else literal(cell)
    except ValueError:
        raise NotAList(f"has {cell.strip()!r:.60}, which is no list") from None
    return _of_object(value) if isinstance(value, dict) else [_of_item(item) for item in value]


def truth(cell: str, decimal_comma: bool = False) -> int | None:
    """The value 0 or 1 of a cell, also of 1.00 (or 1,00); None if it has neither."""
    word = cell.strip().lower()
    # A list is no 0 or 1, even if that is its only item; `strip` has taken its mark for a blank.
    if cell.startswith(LIST_SEPARATOR):
        return None
    if (known := _TRUTH.get(word)) is not None:
        return known
    match = (_TRUTH_COMMA if decimal_comma else _TRUTH_NUMBER).fullmatch(word)
    return int(match[1]) if match is not None else None


def _of_object(value: dict[Any, Any]) -> list[str]:
    """The labels of one object: names with 0 or 1, one thing with a name, or a list under a single key."""
    if not value:
        return []
    given = {str(key): _truth(on) for key, on in value.items() if not _missing(on)}
    if all(on is not None for on in given.values()):
        return [key for key, on in given.items() if on]
    if any(_is_fraction(on) for on in value.values()) and all(_is_number(on) for on in value.values()):
        raise LabelFault(f"holds {_shown(value)}; a label is 0 or 1: {THRESHOLD}")
    lowered = {str(key).lower(): on for key, on in value.items()}
    if key := next((key for key in _NAMES if isinstance(lowered.get(key), list)), None):
        # Hugging Face `datasets` keeps a list of objects as one object of lists.
        return [_of_item(item) for item in lowered[key]]
    if all(isinstance(on, str) and _IDENTIFIER.search(str(key)) for key, on in value.items()):
        return [
            _of_item(on) for on in value.values()
        ]  # an identifier for each name, as in the CMU Movie Corpus
    if len(value) == 1 and isinstance(only := next(iter(value.values())), list):
        return [_of_item(item) for item in only]
    return [_of_item(value)]


def _of_item(item: Any) -> str:
    """The name that an item of a list stands for; "" for a missing one."""
    if _missing(item):
        return ""
    if isinstance(item, bool):
        return str(int(item))
    if isinstance(item, float) and item.is_integer():
        return str(int(item))
    if isinstance(item, str | int | float):
        return str(item).strip()
    if isinstance(item, dict):
        return _name(item)
    raise LabelFault(f"holds a list within a list, {_shown(item)}; write one list of names")


def _name(item: dict[Any, Any]) -> str:
    lowered = {str(key).lower(): value for key, value in item.items()}
    if any(_is_fraction(lowered.get(key)) for key in _SCORES):
        raise LabelFault(
            f"holds labels with scores, {_shown(item)}; list only those whose score reaches your threshold"
        )
    keys = [key for key in _NAMES if isinstance(lowered.get(key), str | int) and lowered[key] != ""]
    texts = [key for key in keys if isinstance(lowered[key], str)]
    if texts or keys:
        return str(lowered[(texts or keys)[0]]).strip()
    if len(item) == 1 and isinstance(only := next(iter(item.values())), str | int):
        return str(only).strip()
    raise LabelFault(f"holds {_shown(item)}, in which no key ({', '.join(_NAMES[:4])}, …) holds a name")


def _truth(value: Any) -> int | None:
    if isinstance(value, bool):
        return int(value)
    return truth(str(value)) if isinstance(value, str | int | float) else None


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < 1


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
