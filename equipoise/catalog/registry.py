"""Strategies, datasets and backbones by name: built-in modules, entry points of installed packages, and local files.

A plugin that fails to load is listed with its error, and all others work.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from equipoise.catalog import plugins
from equipoise.core.errors import EquipoiseError, one_line, unknown
from equipoise.core.lazy import lazy
from equipoise.core.paths import is_file
from equipoise.core.signals import noted_sigint

if TYPE_CHECKING:
    from equipoise.contracts import backbone, strategy
else:
    backbone, strategy = lazy("equipoise.contracts.backbone"), lazy("equipoise.contracts.strategy")

#: Kind → the package whose modules are loaded. The entry-point group of the kind has the same name.
PACKAGES = {
    "strategy": "equipoise.strategies",
    "dataset": "equipoise.datasets",
    "backbone": "equipoise.backbones",
}


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
    plugin: plugins.Origin | None = None

    @property
    def summary(self) -> str:
        """One line about the entry: the summary of the object, or why it failed to load."""
        if self.error is not None:
            return self.error
        return str(getattr(self.obj, "summary", "") or (inspect.getdoc(self.obj) or "").split("\n")[0])


class Registry:
    """All entries of one kind. `registry(kind)` builds it once in a process."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}
        self._files: dict[Path, tuple[list[str], ModuleType]] = {}
        for module_name in built_in(PACKAGES[kind]):
            self._load(module_name, "built-in", module_name)
        for point in importlib.metadata.entry_points(group=PACKAGES[kind]):
            self._load_point(point)

    def entries(self) -> list[Entry]:
        """All entries in the order of their names, plugins that failed to load included."""
        return sorted(self._entries.values(), key=lambda e: e.name)

    def names(self) -> list[str]:
        """The names of all entries that are usable."""
        return [e.name for e in self.entries() if e.error is None]

    def get(self, name: str) -> Any:
        """The object of that name.

        Raises:
            EquipoiseError: there is none (with the nearest name), or its plugin failed to load (with its error).
        """
        entry = self._entries.get(name)
        if entry is None:
            raise unknown(self.kind, name, self.names())
        if entry.error is not None:
            raise EquipoiseError(f"{self.kind} {name!r} could not be loaded: {entry.error}")
        return entry.obj

    def add_file(self, path: str | Path) -> list[str]:
        """Load a plugin file, or load it again if it was edited; returns the names it defines.

        Raises:
            EquipoiseError: there is no such file, or it fails to load, defines nothing, or uses a name that is taken.
        """
        if not is_file(path):
            raise EquipoiseError(f"no plugin file at {path}")
        file = Path(path).resolve()
        names, before = self._files.get(file, ([], None))
        with noted_sigint() as interrupted:
            try:
                module = plugins.load(file)
            except BaseException as error:
                # Entries of an earlier version do not stay behind: they would not match the file.
                self._drop(file)
                # Whatever the file raises, `sys.exit` included, is its own error; Ctrl-C is the user's.
                if interrupted:
                    raise
                raise EquipoiseError(f"plugin {path} could not be loaded: {one_line(error)}") from error
        # Not edited: adding its names again would report them as taken by itself.
        if module is before:
            return names
        self._drop(file)
        found = list(_plugins(self.kind, module))
        if not found:
            raise EquipoiseError(f"{path} defines no {self.kind}: it needs a subclass with a `name`")
        for name, obj in found:
            origin = plugins.Origin(self.kind, name, f"file {file.name}")
            self._add(Entry(name, obj, f"file {path}", plugin=origin))
        self._files[file] = [n for n, _ in found], module
        return self._files[file][0]

    def remove_file(self, path: str | Path) -> None:
        """Forget what a plugin file defined; without effect if it was not loaded."""
        self._drop(Path(path).resolve())

    def origin(self, name: str) -> plugins.Origin | None:
        """Return which plugin a name comes from; None if it is built in or unknown."""
        entry = self._entries.get(name)
        return None if entry is None else entry.plugin

    def _drop(self, file: Path) -> None:
        """Remove the entries of a file that was edited, as in a notebook."""
        for name in self._files.pop(file, ([], None))[0]:
            self._entries.pop(name, None)

    def _load(self, label: str, origin: str, module_name: str) -> None:
        try:
            found = list(_plugins(self.kind, importlib.import_module(module_name)))
        except Exception as error:
            short = label.rsplit(".", 1)[-1]
            self._entries[short] = Entry(short, None, origin, one_line(error))
            return
        for name, obj in found:
            self._add(Entry(name, obj, origin))

    def _load_point(self, point: importlib.metadata.EntryPoint) -> None:
        origin = f"plugin {point.value}"
        try:
            # An entry point refers to a module with any number of plugins, or to one object.
            loaded = point.load()
            found = (
                list(_plugins(self.kind, loaded)) if inspect.ismodule(loaded) else [(_name(loaded), loaded)]
            )
            plugins.note(point, found)
            for name, obj in found:
                self._add(Entry(name, obj, origin, plugin=plugins.origin_of(self.kind, name, point)))
        except Exception as error:
            # A broken plugin must not replace a working entry of the same name.
            key = point.name if point.name not in self._entries else f"{point.name} ({point.value})"
            self._entries[key] = Entry(key, None, origin, one_line(error))

    def _add(self, entry: Entry) -> None:
        other = self._entries.get(entry.name)
        if other is not None:
            raise EquipoiseError(
                f"{self.kind} name {entry.name!r} of {entry.origin} is taken by {other.origin}"
            )
        self._entries[entry.name] = entry


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


def _plugins(kind: str, module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Names and objects that a module defines: not what it imports, and no base class without a name."""
    if kind == "dataset":
        for source in getattr(module, "sources", ()):
            yield source.name, source
        return
    base = _base(kind)
    for value in vars(module).values():
        own = inspect.isclass(value) and value.__module__ == module.__name__
        if own and issubclass(value, base) and not inspect.isabstract(value) and value.name:
            yield value.name, value


def _base(kind: str) -> type:
    if kind == "strategy":
        return strategy.Strategy
    return backbone.Backbone


def _name(obj: Any) -> str:
    name = getattr(obj, "name", "")
    if not isinstance(name, str) or not name:
        raise EquipoiseError(f"{obj!r} has no `name`")
    return name
