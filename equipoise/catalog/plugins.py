"""Plugins: files loaded together with the modules beside them, installed packages, and the identity of both.

All modules of a plugin influence its numbers. So the identity of a file covers the modules beside it that it imports, and the
identity of an installed plugin covers its distribution. The modules of a file are read into memory once, and imports inside
functions find them there, too: the code that runs is always the code that was hashed.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from equipoise.catalog.plugin_code import Listing, code, gathered, installed, listing, owner_of, package_code
from equipoise.core.code_hash import OURS, source_hash
from equipoise.core.errors import EquipoiseError

PREFIX = "equipoise_plugin_"
#: For each module of a plugin whose distribution is known, what that lists.
_LISTED: dict[str, Listing] = {}
_LOADED: dict[str, PluginFile] = {}
#: The plugin files that are being run.
_RUNNING: list[Path] = []


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from, for the rows. Of a file only the name is kept: rows are published, folders are private."""

    kind: str
    name: str
    origin: str
    distribution: str | None = None
    version: str | None = None


class PluginFile:
    """A plugin file and the modules beside it that it imports, as they were when this object was created.

    They are loaded as modules of a private package, so that two plugins may each have a module called `helper`.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._folder = path, path.parent
        # The same path gives the same package, so an edited file replaces its earlier version.
        self.package = PREFIX + hashlib.sha256(str(path).encode()).hexdigest()[:12]
        # A file may be called my-method.py, which is no name for a module.
        self._main = path.stem if path.stem.isidentifier() else re.sub(r"\W", "_", path.stem)
        self.sources = gathered([(path.name, path)], self._beside)
        self._tops = {name.partition("/")[0].removesuffix(".py") for name in self.sources}
        #: The builtins of these modules, with an `import` that finds the modules beside the file.
        self.builtins = {**vars(builtins), "__import__": self._import}

    @property
    def code(self) -> str:
        """16 hex digits over these modules and what they import; the folder and the name of the file do not count."""
        named = {"" if name == self.path.name else name: text for name, text in self.sources.items()}
        return code(named, self._tops)

    def module(self) -> ModuleType:
        """Return the module of the file; the first call runs it.

        Raises:
            Exception, SystemExit: whatever the file raises; then none of its modules stays loaded.
        """
        if _LOADED.get(self.package) is not self:
            self.unload()  # of an earlier version
            _LOADED[self.package] = self
        if _FINDER not in sys.meta_path:
            # First, so that no other finder is asked for names of the private packages.
            sys.meta_path.insert(0, _FINDER)
        _RUNNING.append(self.path)
        try:
            return importlib.import_module(f"{self.package}.{self._main}")
        # A file may also call `sys.exit`, or Ctrl-C may interrupt it.
        except BaseException:
            self.unload()
            raise
        finally:
            _RUNNING.pop()

    def unload(self) -> None:
        """Remove its modules from this process."""
        _LOADED.pop(self.package, None)
        for name in [n for n in sys.modules if n.partition(".")[0] == self.package]:
            del sys.modules[name]

    def spec(self, fullname: str) -> importlib.machinery.ModuleSpec | None:
        """Return how to load a module of the private package; None if there is no module of that name."""
        _, *parts = fullname.split(".")
        inside = "/".join(parts)
        names = [self.path.name] if inside == self._main else [f"{inside}/__init__.py", f"{inside}.py"]
        name = next((n for n in names if n in self.sources), None)
        # The private package itself has no file, nor has a folder of modules.
        if name is None and not any(source.startswith(f"{inside}/") for source in self.sources) and parts:
            return None
        loader = _FromMemory(self, name)
        package = name is None or name.endswith("/__init__.py")
        origin = None if name is None else str(self._folder / name)
        spec = importlib.machinery.ModuleSpec(fullname, loader, origin=origin, is_package=package)
        # Gives the module its `__file__`, which it may need to find files beside it.
        spec.has_location = origin is not None
        return spec

    def _beside(self, top: str) -> Path | None:
        if top in sys.stdlib_module_names or top == OURS or installed(top):
            return None
        package = self._folder / top
        places = (package / "__init__.py", self._folder / f"{top}.py")
        file = next((place for place in places if place.is_file()), None)
        # A folder of modules is a package, too, as for Python.
        return package if file is None and any(package.glob("*.py")) else file

    def _import(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] = (), level: int = 0
    ) -> ModuleType:
        """`__import__` of these modules: names of modules beside the file refer to the private package."""
        top = name.partition(".")[0]
        # Relative imports need no help: these modules lie in the private package.
        if level or top not in self._tops:
            return builtins.__import__(name, globals, locals, fromlist, level)
        inner = f"{self.package}.{name}"
        if fromlist:
            return builtins.__import__(inner, globals, locals, fromlist, 0)
        # `import a.b` binds the name `a`, so the top-level module is returned.
        importlib.import_module(inner)
        return sys.modules[f"{self.package}.{top}"]


class _FromMemory(importlib.abc.Loader):
    """Runs a source that is in memory. Bytecode is neither read, as it might be outdated, nor written."""

    def __init__(self, plugin: PluginFile, name: str | None) -> None:
        self._plugin, self._name = plugin, name

    def exec_module(self, module: ModuleType) -> None:
        if self._name is not None:
            module.__dict__["__builtins__"] = self._plugin.builtins
            code = compile(self._plugin.sources[self._name], str(module.__file__), "exec", dont_inherit=True)
            exec(code, module.__dict__)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        plugin = _LOADED.get(fullname.partition(".")[0])
        return None if plugin is None else plugin.spec(fullname)


_FINDER = _Finder()


def load(path: Path) -> ModuleType:
    """Return the module of a plugin file; it is loaded again if one of its files was edited, as in a notebook.

    Raises:
        Exception, SystemExit: whatever the file raises.
    """
    plugin = PluginFile(path)
    before = _LOADED.get(plugin.package)
    # Unchanged files are not run again, so that their classes stay the same objects.
    if before is not None and before.sources == plugin.sources:
        return before.module()
    return plugin.module()


def sources_of(path: Path) -> dict[str, bytes]:
    """Return the modules of a plugin file as they were loaded, by their paths from its folder.

    Raises:
        EquipoiseError: the file is not loaded.
    """
    found = next((plugin for plugin in _LOADED.values() if plugin.path == path), None)
    if found is None:
        raise EquipoiseError(f"plugin {path} is not loaded")
    return found.sources


def path_of(package: str) -> Path:
    """Return the file of the private package of a plugin file that is loaded."""
    if package not in _LOADED:
        raise EquipoiseError(
            "a plugin file was edited, or loaded anew, after its class was taken from it: take it once more"
        )
    return _LOADED[package].path


def loading() -> bool:
    """Whether a plugin file is being run, which may be the user's script."""
    return bool(_RUNNING)


def code_of(cls: type[Any]) -> str:
    """Return 16 hex digits over the code of a strategy or backbone, and over all modules of its plugin.

    Raises:
        EquipoiseError: an installed plugin was edited after it was loaded, so the code in memory is not the code on disk.
    """
    top = cls.__module__.partition(".")[0]
    if top == OURS:
        return source_hash(cls)
    if top in _LOADED:
        # From the sources in memory: the file may have been edited since it was loaded.
        return _LOADED[top].code
    module = sys.modules[cls.__module__]
    if module.__name__ not in _LISTED:
        _LISTED[module.__name__] = listing(owner_of(module), module.__name__)
    found = package_code(module, _LISTED[module.__name__])
    # Kept in the module, so that the first hash disappears together with the code it describes.
    if module.__dict__.setdefault("__equipoise_code__", found) != found:
        raise EquipoiseError(f"plugin {top} was edited after this process had loaded it: start again")
    return found


def note(point: importlib.metadata.EntryPoint, found: Sequence[tuple[str, Any]]) -> None:
    """Remember the distribution of an entry point, and the hash of its code right after it was loaded."""
    for _, obj in found:
        # The parts of a composition, which has no code of its own.
        for part in getattr(obj() if isinstance(obj, type) else obj, "parts", (obj,)):
            cls = part if isinstance(part, type) else type(part)
            if cls.__module__.partition(".")[0] == point.module.partition(".")[0]:
                _LISTED[cls.__module__] = listing(point.dist, cls.__module__)
            code_of(cls)


def origin_of(kind: str, name: str, point: importlib.metadata.EntryPoint) -> Origin:
    """Return where the object of an entry point comes from."""
    dist = point.dist
    metadata = (None, None) if dist is None else (dist.name, dist.version)
    return Origin(kind, name, f"plugin {point.value}", *metadata)


def origin_of_file(kind: str, name: str, file: Path, module: ModuleType) -> Origin:
    """Return where a plugin of a file comes from. Of the path only the last part is kept; the version is `__version__`."""
    version = getattr(module, "__version__", None)
    return Origin(kind, name, f"file {file.name}", None, version if isinstance(version, str) else None)


def origin_of_module(kind: str, name: str, where: str) -> Origin:
    """Return where the class `package.module:Class` comes from."""
    dist = owner_of(sys.modules[where.partition(":")[0]])
    metadata = (None, None) if dist is None else (dist.name, dist.version)
    return Origin(kind, name, f"plugin {where}", *metadata)
