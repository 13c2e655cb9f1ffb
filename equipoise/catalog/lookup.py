"""Finds plugins by what a spec says of them, or as objects of Python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from equipoise.catalog.offers import offer
from equipoise.catalog.parts import Part, Place, in_module
from equipoise.catalog.registry import PACKAGES, registry
from equipoise.core.errors import EquipoiseError, unknown


def name_of(kind: str, part: Part) -> str:
    """The name in the registry of what a part of a spec refers to, which is loaded if it is a file or a class in a module."""
    known = registry(kind)
    if part.file:
        return known.in_file(part.file, part.name)
    return known.add_class(part.name) if in_module(part.name) else part.name


def find_plugin(part: Part) -> tuple[str, str]:
    """The kind and the name of the plugin in a file, or of the class in a module, of whatever kind it is.

    Raises:
        EquipoiseError: it cannot be loaded, there is none, or there are several and the part does not say which.
    """
    if not part.file:
        return _kind_of_class(part.name)
    known = [
        (key, (kind, name)) for kind in PACKAGES for key, name in registry(kind).load_file(part.file).items()
    ]
    if not known:
        raise EquipoiseError(
            f"{part.file} defines no {', '.join(PACKAGES)}: it needs a subclass with a `name`"
        )
    found = list(dict.fromkeys(plugin for key, plugin in known if part.name in ("", key)))
    if not found:
        raise unknown(f"plugin in {part.file}:", part.name, {key for key, _ in known})
    broken = {e.name: e.error for kind in PACKAGES for e in registry(kind).entries() if e.error is not None}
    # Names under which broken plugins are listed are no suggestions.
    usable = [(kind, name) for kind, name in found if name not in broken]
    if not usable:
        raise EquipoiseError(f"{part.file}: {broken[found[0][1]]}")
    if len(found := usable) > 1:
        names = ", ".join(f"{name} ({kind})" for kind, name in found)
        raise EquipoiseError(f"{part.file} defines {names}: say which, e.g. {part.file}:{found[0][1]}")
    return found[0]


def _kind_of_class(where: str) -> tuple[str, str]:
    errors = []
    for kind in PACKAGES:
        try:
            return kind, registry(kind).add_class(where)
        except EquipoiseError as error:
            errors.append(error)
    # All are the same where the module cannot be imported; otherwise the first says why it is no strategy.
    raise errors[0]


def load_plugins(where: Iterable[Place]) -> None:
    """Load plugins by their places, as a process does that knows none but those of its cells."""
    for kind, place in where:
        registry(kind).add(place)


def offered(kind: str, obj: Any) -> Any:
    """A class, or a source of data, that was passed as an object.

    Raises:
        EquipoiseError: it cannot be used, with the reason.
    """
    found = offer(kind, obj)
    if found.error is not None:
        raise EquipoiseError(found.error)
    return found.obj
