"""Names with settings, as users write them: `ml_ros[p=0.25]`, `design-emails[rows=500,seed=1]`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from equipoise.core.errors import EquipoiseError, shown

_FORM = re.compile(r"^\s*([^\[\]\s]+)\s*(?:\[(.*)\])?\s*$", re.DOTALL)
_QUOTED = r"=\s*(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")\s*(?=,|$)"  # a value that holds commas or brackets
_INSIDE = re.compile(_QUOTED.replace("(?=,|$)", r"(?=[,\]]|$)"))  # the same in a text with names and brackets
# An item is key="quoted value", which may contain commas, or everything up to the next comma.
_ITEM = re.compile(rf"[^,=]*{_QUOTED}|[^,]+")


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """Split `name[key=value,…]` into the name and its settings. A value in quotation marks may hold any character.

    Raises:
        EquipoiseError: the text does not have that form.
    """
    match = _FORM.match(text)
    name, inside = match.groups(default="") if match else ("", "")
    # Brackets are allowed inside quotation marks only.
    if match is None or set("[]") & set(re.sub(_QUOTED, "", inside)):
        raise EquipoiseError(f"cannot read {shown(text)}: write name or name[key=value,key=value]")
    settings: dict[str, Any] = {}
    for item in filter(None, (item.strip() for item in _ITEM.findall(inside))):
        key, equals, value = item.partition("=")
        key = key.strip().replace("-", "_")  # as on the command line: label-column is label_column
        if not equals or not key or not value.strip():
            raise EquipoiseError(f"cannot read {shown(item)} in {shown(text)}: write key=value")
        if key in settings:
            raise EquipoiseError(f"{shown(key)} is given twice in {shown(text)}")
        settings[key] = literal(value.strip())
    return name, settings


def with_settings(text: str, settings: Mapping[str, Any]) -> str:
    """Add settings to a name or path, with or without brackets, so that `parse` reads them back."""
    if not settings:
        return text
    inside = ",".join(f"{key}={_written(value)}" for key, value in settings.items())
    return f"{text[:-1]},{inside}]" if text.endswith("]") else f"{text}[{inside}]"


def _written(value: Any) -> str:
    """A value as text from which `literal` gets the same value; a list as a+b."""
    if isinstance(value, list | tuple):
        value = "+".join(map(str, value))
    text = str(value)
    # Quotation marks are needed where `literal` would read something else, such as a number instead of the text "5".
    same = type(literal(text)) is type(value) and literal(text) == value and text == text.strip() != ""
    return text if same and not set(text) & set(",[]'\"") else repr(value)


def split_parts(text: str) -> list[str]:
    """Split `a+b[p=1e+5]+c` at the plus signs outside brackets. Brackets in quotation marks do not count."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(_INSIDE.sub(lambda quoted: " " * len(quoted[0]), text)):
        depth += (char == "[") - (char == "]")
        if char == "+" and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def literal(text: str) -> Any:
    """The number, True, False or None that a text spells; otherwise the text itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    # The last two: more brackets or minus signs than the parser can nest.
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
    # Other literals, such as lists, stay text: the owner of the option converts or refuses it.
    return value if isinstance(value, int | float | str) else text
