"""Hyperparameters: fields of a frozen dataclass that declare a default and a search range in one line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Never, TypeVar

from equipoise.contracts.options import Domain, options, require_domain
from equipoise.core.errors import EquipoiseError

T = TypeVar("T")


@dataclass(frozen=True)
class Tunable:
    """The search range of one hyperparameter.

    Either `choices`, or `low` and `high` (both included). `log` searches on a logarithmic scale. An integer default makes
    an integer range.
    """

    default: Any
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] | None = None

    @property
    def continuous(self) -> bool:
        """True if the engine may pass the value to a loss as a tensor, with one value per lane."""
        return self.choices is None and isinstance(self.default, float)


def tunable(
    default: Any,
    *unnamed: Never,
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
    choices: Sequence[Any] | None = None,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Any:
    """Declare a hyperparameter with its published default, its search range, and the values that users may pin.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Focal:
    ...     gamma: float = tunable(2.0, low=0.0, high=5.0, at_least=0)

    Args:
        default: the published value; its type is the type of the hyperparameter.
        low, high, log, choices: what the search draws from, see `Tunable`.
        above, at_least, below, at_most: the bounds of the domain, outside of which the method has no meaning; a user may pin any
            value inside, whether or not the search would draw it. Without bounds, any finite number.

    Raises:
        EquipoiseError: a bound is given without its name, the range is empty or leaves the domain, or the default lies
            outside of it.
    """
    if unnamed:
        given = ", ".join(map(repr, (default, *unnamed)))
        raise EquipoiseError(f"tunable({given}): name the bounds, as in tunable({default!r}, low=…, high=…)")
    spec = Tunable(default, low, high, log, tuple(choices) if choices is not None else None)
    if spec.choices is not None:
        if default not in spec.choices:
            raise EquipoiseError(f"tunable default {default!r} is not among its choices {list(spec.choices)}")
    elif low is None or high is None or not low <= default <= high:
        raise EquipoiseError(
            f"tunable default {default!r} must lie in a range low..high, got {low!r}..{high!r}"
        )
    elif log and low <= 0:
        raise EquipoiseError(f"a logarithmic range needs low > 0, got {low!r}")
    domain = Domain(above, at_least, below, at_most)
    if domain == Domain():
        return dataclasses.field(default=default, metadata={"tunable": spec})
    if spec.choices is not None or low not in domain or high not in domain:
        raise EquipoiseError(
            f"the range {low!r}..{high!r} leaves the domain: values must {domain.words('value')}"
        )
    return dataclasses.field(default=default, metadata={"tunable": spec, "domain": domain})


@dataclass(frozen=True)
class Configurable:
    """A named frozen dataclass that a user writes with settings in brackets, such as `focal[gamma=2]`.

    Attributes:
        pinned: the fields written in brackets. The search does not change them, even if they equal the default.
    """

    name: ClassVar[str] = ""

    pinned: frozenset[str] = field(
        default=frozenset(), kw_only=True, repr=False, compare=False, metadata={"internal": True}
    )

    def __post_init__(self) -> None:
        # Also for objects made in Python, which no spec was checked for.
        for f in options(self):
            require_domain(f, getattr(self, f.name), f"{self.name}: ")

    @property
    def spec(self) -> str:
        """The name with settings in brackets: the pinned fields, and those that differ from their defaults."""
        return self._spec(without=frozenset())

    def _spec(self, without: frozenset[str]) -> str:
        shown = []
        for f in options(self):
            value = getattr(self, f.name)
            if f.name not in without and (f.name in self.pinned or value != f.default):
                shown.append(f"{f.name}={_shown(value)}")
        return f"{self.name}[{','.join(shown)}]" if shown else self.name

    @property
    def fixed(self) -> frozenset[str]:
        """Fields that the search does not change: those written in brackets, and those that differ from their defaults."""
        changed = {n for n, t in tunables(self).items() if getattr(self, n) != t.default}
        return self.pinned | changed


def tunables(obj: Any) -> dict[str, Tunable]:
    """The tunable fields of a dataclass (class or instance), in the order they are declared."""
    return {f.name: f.metadata["tunable"] for f in dataclasses.fields(obj) if "tunable" in f.metadata}


def _shown(value: Any) -> str:
    """A value as `catalog.specs` reads it."""
    # These characters would end the value or the brackets early.
    if isinstance(value, str) and set(value) & set(",[]'\""):
        return repr(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def bind(obj: T, values: Mapping[str, Any]) -> T:
    """A copy of a frozen dataclass with fields replaced, without any check."""
    # Not `dataclasses.replace`: its checks in `__post_init__` would reject the tensors that the engine puts in for numbers.
    copy = object.__new__(type(obj))
    copy.__dict__.update(obj.__dict__)
    copy.__dict__.update(values)
    return copy
