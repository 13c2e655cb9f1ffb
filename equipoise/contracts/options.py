"""Options: the fields of a dataclass that a user sets by name, their domains, and the conversion of text to typed values."""

from __future__ import annotations

import dataclasses
import math
import numbers
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.core.errors import EquipoiseError, unknown

#: Characters of a value that an error shows.
_LONGEST = 60


@dataclass(frozen=True)
class Domain:
    """The numbers that have a meaning as the value of an option: all finite ones within the bounds that are not None."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, numbers.Real) or not math.isfinite(value):
            return False
        number: Any = value
        return (
            (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.below is None or number < self.below)
            and (self.at_most is None or number <= self.at_most)
        )

    def words(self, name: str) -> str:
        """What the number of that name must do, such as "be 0 or more" or "lie in 0 ≤ share < 1"."""
        low, above = (self.at_least, "≤") if self.at_least is not None else (self.above, "<")
        high, below = (self.at_most, "≤") if self.at_most is not None else (self.below, "<")
        if low is not None and high is not None:
            return f"lie in {low} {above} {name} {below} {high}"
        if low is not None:
            return f"be {low} or more" if above == "≤" else f"be more than {low}"
        if high is not None:
            return f"be {high} or less" if below == "≤" else f"be less than {high}"
        return "be a finite number"


def option(
    default: Any,
    help: str = "",
    *,
    choices: tuple[Any, ...] | None = None,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Any:
    """Declare an option as a field of a dataclass.

    Args:
        default: the value if the user gives none. Its type is the type of the option.
        help: the text of `--help`, without a full stop; "" for an option that the command line does not have.
        choices: the values it may take; None for any.
        above, at_least, below, at_most: the bounds of its domain, for numbers.
    """
    bounds = Domain(above, at_least, below, at_most)
    metadata = {"help": help, "choices": choices, "domain": None if bounds == Domain() else bounds}
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
        EquipoiseError: there is no such option, or a value has the wrong type or is outside the domain.
    """
    fields = {f.name: f for f in options(obj)}
    if strange := [key for key in values if key not in fields]:
        raise unknown(f"option of {kind} {name!r}:" if name else kind, strange[0], fields)
    where = f"{name}: " if name else ""
    return {key: coerce(fields[key], value, where) for key, value in values.items()}


def coerce(field: dataclasses.Field[Any], value: Any, where: str = "") -> Any:
    """Convert a value, or its text, to the type of an option. All options of the package are converted here.

    Raises:
        EquipoiseError: the value has the wrong type, is not one of the option's choices, or is outside its domain. The
            message begins with `where`.
    """
    if choices := _choices(field):
        if value not in choices:
            raise _wrong(where, field, f"be one of {', '.join(map(str, choices))}", value)
        return value
    kind = value_type(field)
    if kind is None or (value is None and field.default is None):
        return value
    read, wanted = _READERS.get(kind, (None, f"of type {kind.__name__}"))
    try:
        typed: Any = value if read is None else read(value)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(where, field, f"be {wanted}", value) from None
    if not isinstance(typed, kind):
        raise _wrong(where, field, f"be {wanted}", value)
    # The owners of other options, such as those of a data set, refuse infinite numbers in words of their own.
    if isinstance(typed, int) or not field.metadata.keys().isdisjoint(("domain", "tunable")):
        require_domain(field, typed, where)
    return typed


def domain_of(field: dataclasses.Field[Any]) -> Domain:
    """The domain that an option declares; all finite numbers if it declares none."""
    domain: Domain = field.metadata.get("domain", Domain())
    return domain


def require_domain(field: dataclasses.Field[Any], value: Any, where: str = "") -> None:
    """Check that a value lies in the domain of an option. Values that are no numbers have no domain.

    Raises:
        EquipoiseError: it does not; the message begins with `where`.
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return
    if isinstance(value, int) and abs(value) >= 2**64:
        raise _wrong(where, field, "be a whole number of at most 64 bits", value)
    # A field whose default is infinite, such as a limit that is off, allows that one value.
    if math.isinf(value) and value == field.default:
        return
    if value not in (domain := domain_of(field)):
        # Infinity may lie within the bounds that the message would name; NaN never does.
        wanted = "be a finite number" if math.isinf(value) else domain.words(field.name)
        raise _wrong(where, field, wanted, value)


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
    try:
        shown = repr(value).removesuffix(".0")
    except ValueError:
        # Python writes no integer of more than 4300 digits.
        shown = "one of more than 4300 digits"
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}…"
    return EquipoiseError(f"{where}{field.name} must {wanted}, got {shown}")


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
    try:
        return float(value)
    except OverflowError:
        # As for the same digits in a text: too large is infinite, which the domain refuses.
        return math.inf


#: Type of an option → the function that converts a value, and the name of the type in errors. `value_type` tries them in order.
_READERS: dict[type, tuple[Callable[[Any], Any] | None, str]] = {
    bool: (_truth, "true or false"),
    int: (_whole, "a whole number"),
    float: (_number, "a number"),
    str: (None, "text"),
}
