"""Options: the fields of a dataclass that a user sets by name, and how what the user wrote becomes a value of their type."""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from equipoise.core.errors import EquipoiseError, unknown


def option(
    default: Any, help: str = "", *, choices: tuple[Any, ...] | None = None, low: float | None = None
) -> Any:
    """Declare an option as a field of a dataclass.

    Args:
        default: its value where the user gives none. Its type is the type of the option.
        help: what `--help` says of it, without a full stop; "" where it is no option of the command line.
        choices: the values it may take; None: any.
        low: the least value it may take.
    """
    metadata = {"help": help, "choices": choices, "low": low}
    return dataclasses.field(default=default, metadata={k: v for k, v in metadata.items() if v is not None})


def options(obj: Any) -> Iterator[dataclasses.Field[Any]]:
    """The fields of a dataclass (class or instance) that a user may set: all but those marked `internal`."""
    return (f for f in dataclasses.fields(obj) if not f.metadata.get("internal"))


def checked(kind: str, name: str, obj: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a user gave for the options of a dataclass, with the types of its fields.

    Args:
        kind, name: what the options belong to, for errors: "strategy", "focal". The name may be "".
        obj: the dataclass, or an instance of it.
        values: option name → value: typed already, or the text of it.

    Raises:
        EquipoiseError: there is no such option, or the value is of another type or out of range.
    """
    fields = {f.name: f for f in options(obj)}
    if strange := [key for key in values if key not in fields]:
        raise unknown(f"option of {kind} {name!r}:" if name else kind, strange[0], fields)
    return {
        key: coerce(fields[key], value, f"{name}[{key}={value}]: " if name else "")
        for key, value in values.items()
    }


def coerce(field: dataclasses.Field[Any], value: Any, where: str = "") -> Any:
    """A value, or the text of one, as the type of an option; the only place where that is decided.

    Raises:
        EquipoiseError: it is of another type, not one of the option's choices, or below its least value; the line begins
            with `where`.
    """
    if choices := _choices(field):
        if value not in choices:
            raise _wrong(where, field, f"one of {', '.join(map(str, choices))}", value)
        return value
    kind = value_type(field)
    if kind is None or (value is None and field.default is None):
        return value
    read, wanted = _READERS.get(kind, (None, f"of type {kind.__name__}"))
    try:
        typed: Any = value if read is None else read(value)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(where, field, wanted, value) from None
    # A searched number is finite. Elsewhere the owner's own check of the range refuses infinities where it must.
    endless = "tunable" in field.metadata and isinstance(typed, float) and not math.isfinite(typed)
    if endless or not isinstance(typed, kind):
        raise _wrong(where, field, wanted, value)
    low = field.metadata.get("low")
    if low is not None and not typed >= low:  # so that NaN is refused, too
        raise _wrong(where, field, f"{low} or more", typed)
    return typed


def value_type(field: dataclasses.Field[Any]) -> type | None:
    """The type of an option's values: that of its default, or beside a default of None the one it is annotated with."""
    if field.default is dataclasses.MISSING:
        return None
    if field.default is not None:
        return type(field.default)
    words = re.findall(
        r"\w+", field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
    )
    return next((kind for kind in _READERS if kind.__name__ in words), None)


def _choices(field: dataclasses.Field[Any]) -> tuple[Any, ...] | None:
    tunable = field.metadata.get("tunable")
    return field.metadata.get("choices") if tunable is None else tunable.choices


def _wrong(where: str, field: dataclasses.Field[Any], wanted: str, value: Any) -> EquipoiseError:
    return EquipoiseError(f"{where}{field.name} must be {wanted}, got {value!r}")


def _truth(value: Any) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
    except KeyError:
        raise ValueError(value) from None


def _whole(value: Any) -> int:
    """5, "5" and 5.0, but not 5.5; large seeds keep every digit."""
    if isinstance(value, bool):
        raise TypeError(value)
    try:
        return int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        number = _number(value)
        if not number.is_integer():
            raise ValueError(value) from None
        return int(number)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(value)
    return float(value)


#: Type of an option → the function that reads a value of it, and its name in errors. The order is that of `value_type`.
_READERS: dict[type, tuple[Callable[[Any], Any] | None, str]] = {
    bool: (_truth, "true or false"),
    int: (_whole, "a whole number"),
    float: (_number, "a number"),
    str: (None, "text"),
}
