"""What a module offers: its strategies, backbones or data sets, each examined by itself, so that one fault spoils no other."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from equipoise.core.code_hash import OURS
from equipoise.core.errors import EquipoiseError, one_line
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from equipoise.catalog import strategies
    from equipoise.contracts import backbone, dataset, strategy
else:
    backbone, strategy = lazy("equipoise.contracts.backbone"), lazy("equipoise.contracts.strategy")
    # The second asks the registry for parts by name, which asks this module.
    dataset, strategies = lazy("equipoise.contracts.dataset"), lazy("equipoise.catalog.strategies")

#: The variable of a module that holds a named composition, and the one that holds its sources of data sets.
COMBINATION, SOURCES = "COMBINATION", "sources"
#: Characters with a meaning in specs.
_SPECIAL = re.compile(r"[\s\[\]+:,=]")


@dataclass(frozen=True)
class Offer:
    """One plugin of a module.

    Attributes:
        name: its name; "" where the fault is that it has none. cls: the name of its class or variable.
        obj: a class, or a source of data; None if it cannot be used.
        error: why it cannot be used; None if it can.
    """

    name: str
    cls: str
    obj: Any
    error: str | None = None


def offers(kind: str, module: ModuleType, name: str) -> list[Offer]:
    """What a module defines: not what it imports, and no base class without a name.

    A package also offers what its `__init__` imports from its own modules.

    Args:
        name: the name of a composition that the module defines, which has none of its own.
    """
    if kind == "dataset":
        return list(_sources(module))
    found = [
        offer(kind, value)
        for value in vars(module).values()
        if inspect.isclass(value)
        and _own(module, value)
        and issubclass(value, _base(kind))
        and bool(getattr(value, "name", False))
    ]
    if kind == "strategy" and hasattr(module, COMBINATION):
        found.append(offer(kind, getattr(module, COMBINATION), name, COMBINATION))
    return found


def offer(kind: str, obj: Any, name: str = "", cls: str = "") -> Offer:
    """Examine an object that is offered as a plugin of a kind.

    Args:
        name: for a composition, and for the error. cls: the name of the variable that holds it.
    """
    cls = cls or getattr(obj, "__name__", "") or type(obj).__name__
    try:
        usable = _usable(kind, obj, name)
    except EquipoiseError as error:
        # An instance bears the name of its class, which may be that of a usable strategy.
        own = _name_of(obj) if inspect.isclass(obj) or kind == "dataset" else ""
        return Offer(own or name, cls, None, str(error))
    except Exception as error:
        # Attributes of a plugin may be properties that raise.
        return Offer(name, cls, None, one_line(error))
    return Offer(usable.name, cls, usable)


def _usable(kind: str, obj: Any, name: str) -> Any:
    base = _base(kind)
    if kind == "strategy" and isinstance(obj, base):
        # Only a composition: the settings of a single strategy would be lost where it is used by its name.
        obj = strategies.named(name, obj)
    elif kind == "dataset":
        obj = _source(obj)
    elif not inspect.isclass(obj) or not issubclass(obj, base):
        raise EquipoiseError(
            f"{_words(obj)} is no {kind}: a {kind} is a subclass of equipoise's {base.__name__}"
        )
    if not _name_of(obj):
        raise EquipoiseError(f"{_words(obj)} has no `name`")
    if _SPECIAL.search(obj.name):
        raise EquipoiseError(
            f"name {obj.name!r:.80} holds a blank or one of []+:,= which have a meaning in specs"
        )
    if kind != "dataset":
        _instance(obj)
    return obj


def _instance(cls: type[Any], **given: Any) -> Any:
    """An instance with the defaults, and with these values.

    Raises:
        EquipoiseError: a field has no default, the decorator is missing, or the class does not accept its own defaults.
    """
    if raw := [n for n, value in vars(cls).items() if isinstance(value, dataclasses.Field)]:
        raise EquipoiseError(
            f"class {cls.__name__} lacks @dataclass(frozen=True): {', '.join(raw)} is no field without"
        )
    missing = [
        f.name
        for f in dataclasses.fields(cls)
        if f.init and f.name not in given and f.default is f.default_factory is dataclasses.MISSING
    ]
    if missing:
        end = ""
        if issubclass(cls, dataset.DatasetSource) and missing == ["name"]:
            end = f'; end the file with {SOURCES} = ({cls.__name__}("name", "summary"),)'
        raise EquipoiseError(f"class {cls.__name__}: field {', '.join(missing)} has no default{end}")
    try:
        return cls(**given)
    except EquipoiseError as error:
        raise EquipoiseError(f"class {cls.__name__} refuses its own defaults: {error}") from None
    except Exception as error:
        raise EquipoiseError(f"class {cls.__name__} cannot be created: {one_line(error)}") from None


def _sources(module: ModuleType) -> Iterator[Offer]:
    """The data sources in the variable `sources`; without it, the classes whose fields all have defaults."""
    listed = getattr(module, SOURCES, None)
    if listed is None:
        classes = [v for v in vars(module).values() if inspect.isclass(v) and _own(module, v)]
        # Modules of this package hold classes for the files of users, which have a path and no name.
        if module.__name__.partition(".")[0] != OURS:
            sources = [v for v in classes if issubclass(v, dataset.DatasetSource)]
            # An abstract class with a name lacks `load`; without one, it is a base class.
            listed = [v for v in sources if not inspect.isabstract(v) or _name_of(v)]
    if listed is not None and not isinstance(listed, list | tuple):
        yield Offer("", SOURCES, None, f"`{SOURCES}` must be a list of data sources, not {_words(listed)}")
        return
    for source in listed or ():
        yield offer("dataset", source, cls=(source if inspect.isclass(source) else type(source)).__name__)


def _source(obj: Any) -> Any:
    """A source of data; an instance of it if it is a class.

    Raises:
        EquipoiseError: it is none, or `load` cannot be called with a folder.
    """
    if inspect.isclass(obj) and issubclass(obj, dataset.DatasetSource):
        if inspect.isabstract(obj):
            raise EquipoiseError(f"class {obj.__name__} does not define load(self, data_dir)")
        # Also `name = "mails"` without an annotation, as in a strategy, which sets no default of the field.
        own = vars(obj).get("name")
        obj = _instance(obj, **{"name": own} if isinstance(own, str) else {})
    if not isinstance(obj, dataset.DatasetSource):
        raise EquipoiseError(
            f"{_words(obj)} is no dataset: a dataset is an instance of equipoise's DatasetSource"
        )
    try:
        inspect.signature(obj.load).bind(None)
    except TypeError:
        taken = arguments_of(obj.load)
        raise EquipoiseError(f"{type(obj).__name__}.load must take (self, data_dir), not {taken}") from None
    return obj


def arguments_of(method: Callable[..., Any]) -> str:
    """The arguments of a bound method as they are defined, for an error: "(self, logits, targets)"."""
    names = (str(parameter).partition(":")[0] for parameter in inspect.signature(method).parameters.values())
    return f"({', '.join(['self', *names])})"


def _own(module: ModuleType, cls: type[Any]) -> bool:
    inside = hasattr(module, "__path__") and cls.__module__.startswith(f"{module.__name__}.")
    return inside or cls.__module__ == module.__name__


def _base(kind: str) -> Any:
    bases = {"strategy": strategy, "backbone": backbone, "dataset": dataset}
    return getattr(bases[kind], {"dataset": "DatasetSource"}.get(kind, kind.capitalize()))


def _name_of(obj: Any) -> str:
    name = getattr(obj, "name", "")
    return name if isinstance(name, str) else ""


def _words(obj: Any) -> str:
    """What an object is, for an error."""
    return f"class {obj.__name__}" if inspect.isclass(obj) else f"an object of type {type(obj).__name__}"
