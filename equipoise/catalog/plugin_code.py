"""The identity of a plugin: a hash over the modules it consists of and imports, found without running them."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from equipoise.core import code_hash
from equipoise.core.code_meaning import meaning
from equipoise.core.errors import EquipoiseError

#: Compiled modules, which are hashed byte by byte.
COMPILED = (".so", ".pyd")
Sources = dict[str, bytes]
#: What folders of installed packages are called.
_PACKAGE_FOLDERS = frozenset({"site-packages", "dist-packages"})


def gathered(files: Iterable[tuple[str, Path]], find: Callable[[str], Path | None]) -> Sources:
    """Read files, and the modules they import for which `find` returns a file, directly or indirectly."""
    found: Sources = {}
    waiting = list(files)
    while waiting:
        name, path = waiting.pop()
        if name not in found:
            found[name] = path.read_bytes()
            # Only top-level names matter: a package is hashed with all its modules.
            for top in _tops(found[name], name.count("/")):
                place = find(top)
                waiting += [] if place is None else _whole(place)
    return found


def _whole(place: Path) -> list[tuple[str, Path]]:
    """Return the file of a module, or all modules of a package, each with its path from the folder of the top-level name.

    Args:
        place: the file of a module or package, or the folder of a namespace package.
    """
    if place.is_dir():
        return _modules(place)
    if place.name != "__init__.py":
        return [(place.name, place)]
    return _modules(place.parent)


def _modules(folder: Path) -> list[tuple[str, Path]]:
    files = (f for f in sorted(folder.rglob("*")) if f.suffix in (".py", *COMPILED))
    return [(f.relative_to(folder.parent).as_posix(), f) for f in files]


def _tops(source: bytes, depth: int) -> Iterator[str]:
    """Yield the top-level names that a module imports. A relative import counts if it leads out of the top-level package."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # a compiled module, or an error that loading will report
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        # Level 0 is an absolute import; level depth + 1 refers to the folder that holds the top-level module or package.
        elif isinstance(node, ast.ImportFrom) and node.level in (0, depth + 1):
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (name.partition(".")[0] for name in names)


@dataclass(frozen=True)
class Listing:
    """What the distribution of a module lists; nothing if it is unknown, as for an editable install.

    Attributes:
        tops: its top-level names. modules: the modules below that of the module, by their paths.
    """

    tops: frozenset[str] = frozenset()
    modules: tuple[tuple[str, Path], ...] = ()


def listing(dist: importlib.metadata.Distribution | None, module: str) -> Listing:
    """Return what a distribution lists for one of its modules."""
    files = [f for f in (dist.files if dist is not None else None) or () if f.suffix in (".py", *COMPILED)]
    tops = frozenset(file.parts[0].removesuffix(".py") for file in files if file.suffix == ".py")
    top = module.partition(".")[0]
    # That of an editable install lists a helper, which holds the path of this machine's checkout.
    if top not in tops:
        return Listing()
    own = ((file.as_posix(), Path(str(file.locate()))) for file in files if file.parts[0] == top)
    return Listing(tops, tuple((name, path) for name, path in own if path.is_file()))


def owner_of(module: ModuleType) -> importlib.metadata.Distribution | None:
    """Return the distribution that lists a module; None if there is none, as for a module beside a script."""
    file = getattr(module, "__file__", None)
    if file is None or _depth(module) >= len(Path(file).parents):
        return None
    root = Path(file).parents[_depth(module)]
    line = f"\n{Path(file).relative_to(root).as_posix()},"
    # As texts: parsing the lists of a whole environment takes seconds.
    for record in root.glob("*.dist-info/RECORD"):
        if line in "\n" + record.read_text(encoding="utf-8", errors="replace"):
            return importlib.metadata.Distribution.at(record.parent)
    return None


def _depth(module: ModuleType) -> int:
    """How many folders above that of its file the top-level name of a module lies."""
    return module.__name__.count(".") + hasattr(module, "__path__")


def package_code(module: ModuleType, listed: Listing) -> str:
    """Hash an installed plugin: all modules of the distribution of a module, and what they import."""
    top = module.__name__.partition(".")[0]
    own = listed.tops | {top}
    files = [start for file in map(file_of, sorted(own)) if file is not None for start in _whole(file)]
    if file_of(top) is None:
        # A namespace package has no file, and other distributions may share its folder.
        files += listed.modules or _portion(module)
    return code(gathered(files, lambda name: file_of(name) if name in own else None), own)


def _portion(module: ModuleType) -> list[tuple[str, Path]]:
    """Return all modules of a namespace package in the folder on the path from which this module comes."""
    file = getattr(module, "__file__", None)
    if file is None:
        raise EquipoiseError(
            f"the code of {module.__name__} is in no file, so it cannot be told from another version"
        )
    root = Path(file).parents[_depth(module)]
    below = root / module.__name__.partition(".")[0]
    # A module may have got its file in another way than by its name.
    inside = below.is_dir() and below in Path(file).parents
    return _modules(below) if inside else _whole(Path(file))


def code(sources: Sources, own: Iterable[str]) -> str:
    """Return 16 hex digits over the modules of a plugin and what they import, except the engine and installed packages.

    Args:
        own: the top-level names of the modules in `sources`.
    """
    every = {**_elsewhere(sources, frozenset(own)), **sources}
    needs = [need for text in every.values() for need in _needs(text)]
    # The engine is left out, since its hash is in every key already.
    ours = code_hash.texts(needs, frozenset(code_hash.engine_modules()))
    return code_hash.digest({**{name: _meant(text) for name, text in every.items()}, **ours})


def installed(top: str) -> bool:
    """Whether a top-level name is that of an installed package, in a folder of this environment or any other on the path."""
    file = file_of(top) or namespace_of(top)
    if file is None:
        return False
    # A `.pth` file may add another environment's folder, as in environments built on one another.
    named = any(part in _PACKAGE_FOLDERS for part in file.parts)
    if named or any(file.is_relative_to(site) for site in _site_folders()):
        return True
    return top in _recorded(file.parent.parent if file.name == "__init__.py" else file.parent)


def file_of(top: str) -> Path | None:
    """Return the file of a top-level module; None if it is not found or is not Python source."""
    try:
        spec = importlib.util.find_spec(top)
    # `find_spec` raises ValueError for a module without a spec, such as `__main__`.
    except (ImportError, ValueError):
        return None
    origin = None if spec is None else spec.origin
    # Compiled and built-in modules have an origin, too, but no imports that can be read.
    return Path(origin) if origin and origin.endswith(".py") else None


def namespace_of(top: str) -> Path | None:
    """Return the first folder of a namespace package, which has no file; None if it is no such package."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    portions = list(spec.submodule_search_locations or ()) if spec is not None and spec.origin is None else []
    return Path(portions[0]) if portions else None


def _elsewhere(sources: Sources, own: frozenset[str]) -> Sources:
    """Read the modules that a plugin imports from elsewhere on the path: not its own, not installed, not Python's."""

    def find(top: str) -> Path | None:
        # Modules of equipoise are hashed by `code_hash.texts`, which counts only the statements in use.
        foreign = top in own or top in sys.stdlib_module_names or top == code_hash.OURS or installed(top)
        return None if foreign else file_of(top) or namespace_of(top)

    tops = sorted({top for name, text in sources.items() for top in _tops(text, name.count("/"))})
    return gathered([start for top in tops if (place := find(top)) for start in _whole(place)], find)


def _needs(content: bytes) -> list[code_hash.Need]:
    try:
        return code_hash.needs_of(importlib.util.decode_source(content))
    except (SyntaxError, ValueError):
        return []


def _meant(content: bytes) -> str:
    try:
        return meaning(importlib.util.decode_source(content))
    except (SyntaxError, ValueError):  # a compiled module, or source for another version of Python
        return hashlib.sha256(content).hexdigest()


@cache
def _recorded(folder: Path) -> frozenset[str]:
    """The top-level names of the packages that an installer has recorded in a folder.

    PYTHONPATH may name any folder (`pip install --target`, modules of a cluster), and hashing PyTorch takes minutes.
    """
    names: set[str] = set()
    for record in folder.glob("*.dist-info/RECORD"):
        for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
            names.add(line.partition(",")[0].partition("/")[0].removesuffix(".py"))
    return frozenset(names)


@cache
def _site_folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    named = [paths["purelib"], paths["platlib"], *site.getsitepackages(), site.getusersitepackages()]
    return tuple(dict.fromkeys(Path(name) for name in named))
