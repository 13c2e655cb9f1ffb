"""What there is: built-ins by scanning our own packages, other people's by entry points, a local file by its path.

A broken plugin becomes an entry with its error and stops nobody else.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from equipoise.core.errors import EquipoiseError, unknown
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from equipoise.contracts import backbone, strategy
else:
    backbone, strategy = lazy("equipoise.contracts.backbone"), lazy("equipoise.contracts.strategy")

#: kind → the package that is scanned; the entry-point group has the same name.
PACKAGES = {
    "strategy": "equipoise.strategies",
    "dataset": "equipoise.datasets",
    "backbone": "equipoise.backbones",
}


@dataclass(frozen=True)
class Entry:
    """What was found: a strategy or backbone class, a dataset source, or a plugin that failed to load."""

    name: str
    obj: Any
    origin: str
    error: str | None = None

    @property
    def summary(self) -> str:
        """One line on what it is."""
        if self.error is not None:
            return self.error
        return str(getattr(self.obj, "summary", "") or (inspect.getdoc(self.obj) or "").split("\n")[0])


class Registry:
    """The entries of one kind. Build it once with `registry(kind)`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}
        self._files: dict[Path, tuple[list[str], bytes]] = {}
        for module_name in built_in(PACKAGES[kind]):
            self._load(module_name, "built-in", module_name)
        for point in importlib.metadata.entry_points(group=PACKAGES[kind]):
            self._load_point(point)

    def entries(self) -> list[Entry]:
        """Everything found, broken plugins included, by name."""
        return sorted(self._entries.values(), key=lambda e: e.name)

    def names(self) -> list[str]:
        """The names that can be used."""
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
        """Load a local plugin file; returns the names it defines.

        Raises:
            EquipoiseError: no such file, it does not load, defines nothing, or takes a name that is taken.
        """
        file = Path(path).resolve()
        if not file.is_file():
            raise EquipoiseError(f"no plugin file at {path}")
        content = file.read_bytes()
        names, loaded = self._files.get(file, ([], b""))
        if names and loaded == content:
            return names
        for name in names:  # edited since it was loaded, as in a notebook
            self._entries.pop(name, None)
        self._files.pop(file, None)
        found = list(_things(self.kind, _executed(path, file, content)))
        if not found:
            raise EquipoiseError(
                f"{path} defines no {self.kind}: a subclass with a `name` is what is looked for"
            )
        for name, obj in found:
            self._add(Entry(name, obj, f"file {path}"))
        self._files[file] = [n for n, _ in found], content
        return self._files[file][0]

    def _load(self, label: str, origin: str, module_name: str) -> None:
        try:
            found = list(_things(self.kind, importlib.import_module(module_name)))
        except Exception as error:
            short = label.rsplit(".", 1)[-1]
            self._entries[short] = Entry(short, None, origin, _one_line(error))
            return
        for name, obj in found:
            self._add(Entry(name, obj, origin))

    def _load_point(self, point: importlib.metadata.EntryPoint) -> None:
        origin = f"plugin {point.value}"
        try:
            loaded = point.load()
            found = (
                list(_things(self.kind, loaded)) if inspect.ismodule(loaded) else [(_name(loaded), loaded)]
            )
            for name, obj in found:
                self._add(Entry(name, obj, origin))
        except Exception as error:
            key = point.name if point.name not in self._entries else f"{point.name} ({point.value})"
            self._entries[key] = Entry(key, None, origin, _one_line(error))

    def _add(self, entry: Entry) -> None:
        other = self._entries.get(entry.name)
        if other is not None:
            raise EquipoiseError(
                f"{self.kind} name {entry.name!r} of {entry.origin} is taken by {other.origin}"
            )
        self._entries[entry.name] = entry


_REGISTRIES: dict[str, Registry] = {}


def registry(kind: str) -> Registry:
    """The registry of "strategy", "dataset" or "backbone", scanned once a process."""
    if kind not in _REGISTRIES:
        _REGISTRIES[kind] = Registry(kind)
    return _REGISTRIES[kind]


def _executed(path: str | Path, file: Path, content: bytes) -> ModuleType:
    """A file's module. Read once: what runs is what is hashed, and no cached bytecode of an earlier text."""
    module = ModuleType(f"equipoise_plugin_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    try:
        module.__dict__["__equipoise_source__"] = importlib.util.decode_source(content)
        exec(compile(content, str(file), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise EquipoiseError(f"plugin {path} could not be loaded: {_one_line(error)}") from error
    return module


def built_in(package_name: str) -> list[str]:
    """The modules of one of our packages that hold strategies, datasets or backbones."""
    package = importlib.import_module(package_name)
    infos = pkgutil.iter_modules(package.__path__)
    return sorted(
        f"{package_name}.{m.name}" for m in infos if not m.name.startswith("_") and m.name != "testing"
    )


def _things(kind: str, module: ModuleType) -> Iterator[tuple[str, Any]]:
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


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
