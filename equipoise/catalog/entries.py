"""The entries of a registry by name, plugins that failed to load included; and running the code of plugins."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from equipoise.catalog.offers import Offer, offers
from equipoise.catalog.plugins import PREFIX, Origin, origin_of_file
from equipoise.core.errors import EquipoiseError, one_line, unknown
from equipoise.core.signals import noted_sigint


@dataclass(frozen=True)
class Entry:
    """A strategy or backbone class, a dataset source, or a plugin that failed to load.

    Attributes:
        origin: where it comes from, in words: "built-in", "plugin package.module", "file ./mine.py".
        error: why it failed to load; None if `obj` is usable.
    """

    name: str
    obj: Any
    origin: str
    error: str | None = None
    plugin: Origin | None = None

    @property
    def summary(self) -> str:
        """One line about the entry: the summary of the object, or why it failed to load."""
        if self.error is not None:
            return self.error
        return str(getattr(self.obj, "summary", "") or (inspect.getdoc(self.obj) or "").split("\n")[0])


@dataclass(frozen=True)
class PluginEntries:
    """What a plugin file defines.

    Attributes:
        module: by which an edited file is told. names: of its entries.
        classes: the name of an entry, for the names of all entries and for those of their classes.
        brought: the names of entries for classes of other modules that are parts of its composition.
    """

    module: ModuleType
    names: tuple[str, ...]
    classes: dict[str, str]
    brought: tuple[str, ...] = ()


class Entries(dict[str, Entry]):
    """The entries of one kind; a broken one never replaces one that works."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def take(self, found: Offer, origin: str, plugin: Origin | None) -> Entry:
        """Add what a module offers, or list it as broken; the other names of the module stay usable."""
        if found.error is not None:
            return self.refuse(found.name or found.cls, origin, found.error)
        try:
            return self.add(Entry(found.name, found.obj, origin, plugin=plugin))
        except EquipoiseError as error:
            return self.refuse(found.name, origin, str(error))

    def take_file(self, file: Path, origin: str, module: ModuleType) -> PluginEntries:
        """Add what the module of a plugin file defines."""
        names: list[str] = []
        classes: dict[str, str] = {}
        brought: list[str] = []
        for found in offers(self.kind, module, file.stem):
            plugin = origin_of_file(self.kind, found.name, file, module)
            entry = self.take(found, origin, plugin)
            # Classes of modules beside the file: other processes look up the parts of a composition by name.
            for part in getattr(found.obj, "members", ()):
                if type(part).__module__.startswith(PREFIX) and part.name not in self:
                    own = replace(plugin, name=part.name)
                    brought.append(self.add(Entry(part.name, type(part), origin, plugin=own)).name)
            names.append(entry.name)
            classes |= {found.cls: entry.name, found.name or found.cls: entry.name}
        return PluginEntries(module, tuple(names), classes, tuple(brought))

    def refuse(self, name: str, origin: str, error: str) -> Entry:
        """List a plugin as broken."""
        # A second plugin of a name must not hide the first, and both are listed.
        key = name if name not in self else f"{name} ({origin.partition(' ')[2] or origin})"
        self[key] = Entry(key, None, origin, error)
        return self[key]

    def add(self, entry: Entry) -> Entry:
        """Add an entry.

        Raises:
            EquipoiseError: its name is taken, also if by the same file, which is installed.
        """
        other = self.get(entry.name)
        # Two entry points may lead to one class.
        if other is not None and (other.obj is not entry.obj or other.error is not None):
            if module := _installed_from_same_file(entry.obj, other.obj):
                raise EquipoiseError(f"this file is installed as {module}: use the name {entry.name}")
            raise EquipoiseError(
                f"{self.kind} name {entry.name!r} of {entry.origin} is taken by {other.origin}"
            )
        return self.setdefault(entry.name, entry)

    def unknown(self, name: str) -> EquipoiseError:
        """The error for an unknown name. It mentions plugins that failed to load, any of which may have that name."""
        return unknown_name(self.kind, name, list(self.values()))


def _installed_from_same_file(obj: Any, other: Any) -> str:
    """The module that a file is installed as, if both objects are from that file; "" if they are not."""
    mine, its = (sys.modules.get((o if inspect.isclass(o) else type(o)).__module__) for o in (obj, other))
    files = [getattr(module, "__file__", None) for module in (mine, its)]
    if mine is None or its is None or not all(files):
        return ""
    # A module may also define a name twice, which is another mistake.
    if not mine.__name__.startswith(PREFIX) or its.__name__.startswith(PREFIX):
        return ""
    same = Path(str(files[0])).resolve() == Path(str(files[1])).resolve()
    return its.__name__ if same else ""


def unknown_name(
    kind: str, name: str, entries: Iterable[Entry], others: Iterable[str] = ()
) -> EquipoiseError:
    """The error for a name that no entry has, nor is among others; it mentions plugins that failed to load."""
    entries = list(entries)
    problem = unknown(kind, name, {e.name for e in entries if e.error is None} | set(others))
    broken = sorted(e.name for e in entries if e.error is not None)
    if not broken:
        return problem
    more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    return EquipoiseError(f"{problem}; failed to load: {broken[0]:.40}{more}, see equipoise list")


def guarded(words: str, load: Callable[[], Any]) -> Any:
    """Run the code of a plugin.

    Raises:
        EquipoiseError: whatever it raises, `sys.exit` included, in one line that begins with `words`. Ctrl-C is the user's.
    """
    with noted_sigint() as interrupted:
        try:
            return load()
        except BaseException as error:
            if interrupted:
                raise
            # Errors that say what to do need no type before them.
            plain = isinstance(error, EquipoiseError)
            raise EquipoiseError(f"{words}{error if plain else one_line(error)}") from error
