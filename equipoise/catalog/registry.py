"""Strategies, datasets and backbones by name: built-in modules, entry points of installed packages, and local files.

A plugin that fails to load is listed with its error, and all others work.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import sys
from pathlib import Path
from typing import Any

from equipoise.catalog import plugins
from equipoise.catalog.entries import Entries, Entry, PluginEntries, guarded
from equipoise.catalog.offers import offer, offers
from equipoise.catalog.parts import in_module
from equipoise.core.errors import EquipoiseError, one_line, unknown
from equipoise.core.paths import is_file

#: Kind → the package whose modules are loaded. The entry-point group of the kind has the same name.
PACKAGES = {
    "strategy": "equipoise.strategies",
    "dataset": "equipoise.datasets",
    "backbone": "equipoise.backbones",
}


class Registry:
    """All entries of one kind. `registry(kind)` builds it once in a process.

    Installed plugins are loaded when a name is asked for that is not built in, one after the other until it is found: the
    composition of one plugin may have parts of another.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries = Entries(kind)
        self._files: dict[Path, PluginEntries] = {}
        self._waiting = list(importlib.metadata.entry_points(group=PACKAGES[kind]))
        for module_name in built_in(PACKAGES[kind]):
            self._load(module_name)

    def entries(self) -> list[Entry]:
        """All entries in the order of their names, plugins that failed to load included."""
        self._find("")
        return sorted(self._entries.values(), key=lambda e: e.name)

    def names(self) -> list[str]:
        """The names of all entries that are usable."""
        return [e.name for e in self.entries() if e.error is None]

    def get(self, name: str) -> Any:
        """The object of that name.

        Raises:
            EquipoiseError: there is none (with the nearest name), or its plugin failed to load (with its error).
        """
        entry = self._find(name)
        if entry is None:
            raise self._entries.unknown(name)
        if entry.error is not None:
            raise EquipoiseError(f"{self.kind} {name!r} could not be loaded: {entry.error}")
        return entry.obj

    def unknown(self, name: str) -> EquipoiseError:
        """The error for a name that no entry has."""
        self._find("")
        return self._entries.unknown(name)

    def load_file(self, path: str | Path) -> dict[str, str]:
        """Load a plugin file, or load it again if it was edited.

        Returns:
            The name of an entry, for the names of all entries of this kind in the file and for those of their classes.

        Raises:
            EquipoiseError: there is no such file, or it fails to load.
        """
        if not is_file(path):
            raise EquipoiseError(f"no plugin file at {path}")
        file = Path(path).resolve()
        before = self._files.get(file)
        try:
            module = guarded(f"plugin {path} could not be loaded: ", lambda: plugins.load(file))
        except BaseException:
            # Entries of an earlier version do not stay behind: they would not match the file.
            self._drop(file)
            raise
        # Not edited: adding its names again would report them as taken by itself.
        if before is None or module is not before.module:
            self._drop(file)
            # A name that another plugin has is found now, and not when it depends on what was asked for before.
            self._find("")
            self._files[file] = self._entries.take_file(file, f"file {path}", module)
        return self._files[file].classes

    def add_file(self, path: str | Path) -> list[str]:
        """Load a plugin file; returns the names it defines, without those that cannot be used.

        Raises:
            EquipoiseError: what `load_file` raises, or the file defines nothing that can be used.
        """
        if not self.load_file(path):
            raise EquipoiseError(f"{path} defines no {self.kind}: it needs {self._needed}")
        found = [self._entries[name] for name in self._files[Path(path).resolve()].names]
        usable = [entry.name for entry in found if entry.error is None]
        if not usable:
            raise EquipoiseError(f"{path}: {found[0].error}")
        return usable

    def in_file(self, path: str | Path, name: str = "") -> str:
        """Load a plugin file; returns the name of one of its entries, which may be asked for by its class.

        Args:
            name: of the entry or its class; "" for the only one that the file defines.

        Raises:
            EquipoiseError: what `add_file` raises, or there is no such entry, or there are several and no name.
        """
        usable = self.add_file(path)
        found = self._files[Path(path).resolve()]
        if name:
            if name not in found.classes:
                raise unknown(f"{self.kind} in {path}:", name, found.classes)
            return found.classes[name]
        if len(found.names) > 1:
            listed = ", ".join(usable)
            raise EquipoiseError(f"{path} defines {listed}: say which, e.g. {path}:{usable[0]}")
        return found.names[0]

    def all_in(self, path: str | Path) -> tuple[str, ...]:
        """The names of all entries of a plugin file that is loaded.

        Raises:
            EquipoiseError: one of them cannot be used.
        """
        names = self._files[Path(path).resolve()].names
        for name in names:
            if (error := self._entries[name].error) is not None:
                raise EquipoiseError(f"{path}: {error}")
        return names

    def add_class(self, where: str) -> str:
        """Import `package.module:Class` and add the class; returns its name.

        Raises:
            EquipoiseError: it cannot be imported, is no plugin of this kind, or its name is taken.
        """
        point = importlib.metadata.EntryPoint(where, where, PACKAGES[self.kind])
        loaded = guarded(f"plugin {where} could not be loaded: ", point.load)
        found = offer(self.kind, loaded, cls=where)
        if found.error is not None:
            raise EquipoiseError(f"plugin {where}: {found.error}")
        other = self._entries.get(found.name)
        if other is not None and (other.obj, other.origin) == (found.obj, f"plugin {where}"):
            return found.name
        # A class that was defined anew, as in a notebook, replaces its earlier version.
        if other is not None and (other.obj is found.obj or other.origin == f"plugin {where}"):
            del self._entries[found.name]
        origin = plugins.origin_of_module(self.kind, found.name, where)
        self._entries.add(Entry(found.name, found.obj, f"plugin {where}", plugin=origin))
        return found.name

    def add(self, where: str) -> None:
        """Add a plugin by its place: a file, or `package.module:Class`."""
        if in_module(where):
            self.add_class(where)
        else:
            self.add_file(where)

    def remove_file(self, path: str | Path) -> None:
        """Forget what a plugin file defined; without effect if it was not loaded."""
        self._drop(Path(path).resolve())

    def origin(self, name: str) -> plugins.Origin | None:
        """Return which plugin a name comes from; None if it is built in or unknown."""
        entry = self._find(name)
        return None if entry is None else entry.plugin

    def _find(self, name: str) -> Entry | None:
        """The entry of that name; without one, all plugins are loaded."""
        postponed = []
        while name not in self._entries and self._waiting:
            # Taken out first: while it is loaded, its compositions may ask for names of others.
            point = self._waiting.pop(0)
            module = sys.modules.get(point.module)
            # A user's program is importing it, and the rest of it is not there yet.
            if getattr(getattr(module, "__spec__", None), "_initializing", False):
                postponed.append(point)
            else:
                self._load_point(point)
        self._waiting += postponed
        return self._entries.get(name)

    def _drop(self, file: Path) -> None:
        """Remove the entries of a file that was edited, as in a notebook."""
        if (gone := self._files.pop(file, None)) is not None:
            for name in (*gone.names, *gone.brought):
                self._entries.pop(name, None)

    @property
    def _needed(self) -> str:
        return (
            "a subclass with a `name`"
            if self.kind != "dataset"
            else "`sources`, or a subclass of DatasetSource"
        )

    def _load(self, module_name: str) -> None:
        try:
            found = offers(self.kind, importlib.import_module(module_name), "")
        except Exception as error:
            self._entries.refuse(module_name.rsplit(".", 1)[-1], "built-in", one_line(error))
            return
        for one in found:
            self._entries.take(one, "built-in", None)

    def _load_point(self, point: importlib.metadata.EntryPoint) -> None:
        origin = f"plugin {point.value}"
        try:
            # An entry point refers to a module with any number of plugins, or to one object.
            loaded = guarded("", point.load)
            module = inspect.ismodule(loaded)
            found = (
                offers(self.kind, loaded, point.name) if module else [offer(self.kind, loaded, point.name)]
            )
            if not found:
                raise EquipoiseError(f"it defines no {self.kind}: it needs {self._needed}")
            plugins.note(point, [(one.name, one.obj) for one in found if one.error is None])
        except Exception as error:
            message = str(error) if isinstance(error, EquipoiseError) else one_line(error)
            self._entries.refuse(point.name, origin, message)
            return
        for one in found:
            self._entries.take(one, origin, plugins.origin_of(self.kind, one.name, point))


# Built on demand: loading all plugins takes time, and most commands need only one or two kinds.
_REGISTRIES: dict[str, Registry] = {}


def registry(kind: str) -> Registry:
    """The registry of a kind: "strategy", "dataset" or "backbone". Built on the first call."""
    if kind not in _REGISTRIES:
        _REGISTRIES[kind] = Registry(kind)
    return _REGISTRIES[kind]


def built_in(package_name: str) -> list[str]:
    """The public modules of a package of strategies, datasets or backbones."""
    package = importlib.import_module(package_name)
    # `equipoise.strategies.testing` is the conformance kit, not a strategy.
    infos = pkgutil.iter_modules(package.__path__)
    return sorted(
        f"{package_name}.{m.name}" for m in infos if not m.name.startswith("_") and m.name != "testing"
    )
