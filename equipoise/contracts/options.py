"""Options: the fields of a dataclass that a user sets by name, and the conversion of their text to typed values."""

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
        default: the value if the user gives none. Its type is the type of the option.
        help: the text of `--help`, without a full stop; "" for an option that the command line does not have.
        choices: the values it may take; None for any.
        low: the least value it may take.
    """
    metadata = {"help": help, "choices": choices, "low": low}
    return dataclasses.field(default=default, metadata={k: v for k, v in metadata.items() if v is not None})


def options(obj: Any) -> Iterator[dataclasses.Field[Any]]:
    """The fields of a dataclass (class or instance) that a user may set: all except those marked `internal`."""
    return (f for f in dataclasses.fields(obj) if not f.metadata.get("internal"))


def checked(kind: str, name: str, obj: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Check the values that a user gave for the options of a dataclass, and convert them to the types of its fields.

    Args:
        kind, name: the owner of the options, for errors, such as "strategy" and "focal". The name may be "".
        obj: the dataclass, or an instance of it.
        values: option name → value, either of the right type or as text.

    Raises:
        EquipoiseError: there is no such option, or a value has the wrong type or is out of range.
    """
    fields = {f.name: f for f in options(obj)}
    if strange := [key for key in values if key not in fields]:
        raise unknown(f"option of {kind} {name!r}:" if name else kind, strange[0], fields)
    return {
        key: coerce(fields[key], value, f"{name}[{key}={value}]: " if name else "")
        for key, value in values.items()
    }


def coerce(field: dataclasses.Field[Any], value: Any, where: str = "") -> Any:
    """Convert a value, or its text, to the type of an option. All options of the package are converted here.

    Raises:
        EquipoiseError: the value has the wrong type, is not one of the option's choices, or is below its least value. The
            message begins with `where`.
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
    # The search cannot handle infinite numbers. Other options may be infinite unless their owner refuses it.
    infinite = "tunable" in field.metadata and isinstance(typed, float) and not math.isfinite(typed)
    if infinite or not isinstance(typed, kind):
        raise _wrong(where, field, wanted, value)
    low = field.metadata.get("low")
    # Not `typed < low`, which would let NaN pass.
    if low is not None and not typed >= low:
        raise _wrong(where, field, f"{low} or more", typed)
    return typed


def value_type(field: dataclasses.Field[Any]) -> type | None:
    """The type of an option's values: that of its default or, if the default is None, the annotated one; None if unknown."""
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
    """Convert 5, "5" and 5.0 to 5; refuse 5.5 and True."""
    if isinstance(value, bool):
        raise TypeError(value)
    # Not through float first, which would round large seeds.
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


#: Type of an option → the function that converts a value, and the name of the type in errors. `value_type` tries them in order.
_READERS: dict[type, tuple[Callable[[Any], Any] | None, str]] = {
    bool: (_truth, "true or false"),
    int: (_whole, "a whole number"),
    float: (_number, "a number"),
    str: (None, "text"),
}
