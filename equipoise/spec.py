"""Names with settings, as users write them: `ml_ros[p=0.25]`, `design-emails[rows=500,seed=1]`."""

from __future__ import annotations

import ast
import re
from typing import Any

from equipoise.errors import EquipoiseError

_FORM = re.compile(r"^\s*([^\[\]\s]+)\s*(?:\[([^\[\]]*)\])?\s*$")


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """`name[key=value,…]` → the name and its settings.

    Raises:
        EquipoiseError: it does not have that form.
    """
    match = _FORM.match(text)
    if match is None:
        raise EquipoiseError(f"cannot read {text!r}: write name or name[key=value,key=value]")
    name, inside = match.groups()
    settings: dict[str, Any] = {}
    for item in filter(None, (s.strip() for s in (inside or "").split(","))):
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not key or not value.strip():
            raise EquipoiseError(f"cannot read {item!r} in {text!r}: write key=value")
        if key in settings:
            raise EquipoiseError(f"{key!r} is given twice in {text!r}")
        settings[key] = literal(value.strip())
    return name, settings


def split_parts(text: str) -> list[str]:
    """Split `a+b[p=1]+c` at the plus signs outside of brackets (1e+5 inside is a number)."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char == "+" and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def literal(text: str) -> Any:
    """A number, true/false/none, or the text itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, int | float | str) else text
