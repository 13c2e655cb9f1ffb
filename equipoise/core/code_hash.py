"""Hash what code computes: a stored row is reused only while the code that made it computes the same.

`ENGINE` and `LEFT_OUT` list what counts in the key of a row. A hash starts at whole modules or at single definitions, and covers
everything in this package that they use. Modules of the engine count as a whole. Of other modules only the definitions that are
used count, so a new metric beside an old one changes no hash.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import time
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from equipoise.core.code_meaning import tree_of
from equipoise.core.errors import EquipoiseError

OURS = "equipoise"
#: The packages and modules that make predictions. They count as a whole, and every key holds one hash of them all.
ENGINE = ("ops", "contracts", "splits", "resampling", "thresholds", "engine", "experiment")
#: Modules that do not influence predictions although modules of the engine import them, each with the reason.
LEFT_OUT = MappingProxyType(
    {
        "core.errors": "messages",
        "core.lazy": "delays imports",
        "core.paths": "finds files; what is read from them has a hash of its own",
        "core.signals": "delays interrupts",
        "core.system": "measures CPUs and memory",
        "core.code_hash": "computes hashes",
        "core.code_meaning": "computes hashes",
        "catalog.registry": "finds classes; their code is hashed by itself",
        "catalog.entries": "finds classes; their code is hashed by itself",
        "catalog.lookup": "finds classes; their code is hashed by itself",
        "catalog.offers": "finds classes; their code is hashed by itself",
        "catalog.parts": "reads where plugins lie; what it finds there is in the key",
        "catalog.plugins": "finds classes; their code is hashed by itself",
        "catalog.plugin_code": "computes hashes",
        "datasets._external_file": "reads rows that have a hash of their own in the key",
        "contracts.equality": "declares what cannot differ, for the report",
        "catalog.equalities": "declares what cannot differ, for the report",
        "resampling.audit": "describes a resampling in the row",
        "experiment.budget": "says where a range or the number of steps binds",
        "experiment.cell": "describes a cell",
        "experiment.versions": "computes hashes",
        "experiment.record": "assembles rows",
        "experiment.evaluation": "computes metrics, which have a version of their own",
    }
)
#: A definition in a module, ("equipoise.metrics.decision", "macro_f1"), or a whole module, ("equipoise.thresholds", None).
Need = tuple[str, str | None]
#: When this process imported this module, in ns since the epoch; and the files read here with their modification times.
_BEGAN = time.time_ns()
_READ: dict[str, tuple[Path, int]] = {}


def source_hash(cls: type[Any]) -> str:
    """Return 16 hex digits over a class of this package and what it uses outside of the engine."""
    return digest(texts([(cls.__module__, cls.__qualname__.partition(".")[0])], frozenset(engine_modules())))


def engine_hash() -> str:
    """Return 16 hex digits over the modules of `ENGINE` and what they use."""
    return digest(texts((name, None) for name in engine_modules()))


def digest(parts: Any) -> str:
    """Return 16 hex digits over a value with a complete `repr`; the order of a mapping does not matter."""
    ordered = sorted(parts.items()) if isinstance(parts, dict) else parts
    # Strings in source code may hold lone surrogates, which plain UTF-8 refuses.
    return hashlib.sha256(repr(ordered).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def texts(needs: Iterable[Need], without: frozenset[str] = frozenset()) -> dict[str, list[str]]:
    """Return the text to hash: for each module of this package the statements in use, found by following imports.

    Args:
        needs: where to start. without: modules that another hash covers.
    """
    skipped = without | {f"{OURS}.{name}" for name in LEFT_OUT}
    waiting = list(needs)
    done: set[Need] = set()
    needed: dict[str, set[int]] = {}
    while waiting:
        need = waiting.pop()
        module = None if need in done else _module(need[0])
        done.add(need)
        if module is not None:
            places, further = module.reached(need[1])
            needed.setdefault(need[0], set()).update(places)
            waiting += [n for n in further if n[0] not in skipped]
    return {name: [_module(name).texts[i] for i in sorted(own)] for name, own in needed.items()}  # type: ignore[union-attr]


def needs_of(source: str) -> list[Need]:
    """Return what the source of a plugin uses of other modules."""
    return _Module(source, "").reached(None)[1]


@cache
def engine_modules() -> tuple[str, ...]:
    """Return the names of the modules of `ENGINE`, except those in `LEFT_OUT`."""
    found: list[str] = []
    for room in ENGINE:
        file = file_of(f"{OURS}.{room}")
        assert file is not None, room
        inside = sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else []
        below = [f.relative_to(file.parent).with_suffix("").parts for f in inside if f != file]
        found += [room, *(".".join((room, *p)).removesuffix(".__init__") for p in below)]
    return tuple(f"{OURS}.{name}" for name in found if name not in LEFT_OUT)


@cache
def file_of(name: str) -> Path | None:
    """Return the file of a module of this package without importing it; None if there is no such module."""
    top, *below = name.split(".")
    if top != OURS or not below:
        return None
    # Not simply a path below this package: `strategies` and others lie in folders of their own.
    spec = importlib.util.find_spec(f"{top}.{below[0]}")
    if spec is None or spec.origin is None:
        return None
    place = Path(spec.origin)
    for part in below[1:]:
        if place.name != "__init__.py":
            return None
        inner = place.parent / part
        place = inner / "__init__.py" if inner.is_dir() else inner.with_suffix(".py")
    return place if place.is_file() else None


@cache
def _module(name: str) -> _Module | None:
    file = file_of(name)
    if file is None:
        return None
    changed = file.stat().st_mtime_ns
    # An earlier version may be loaded. A time in the future says nothing: the clocks of file servers differ.
    if name in sys.modules and _BEGAN < changed < time.time_ns():
        raise EquipoiseError(f"{file} was edited after this process had started: start again")
    _READ[name] = file, changed
    return _Module(file.read_text(encoding="utf-8"), name)


def edited() -> tuple[str, ...]:
    """Return the modules whose files now compute something else than when they were read here."""
    return tuple(name for name, (file, then) in _READ.items() if _differs(name, file, then))


def _differs(name: str, file: Path, then: int) -> bool:
    if not file.is_file():
        return True
    if file.stat().st_mtime_ns == then:
        return False
    # An unchanged time makes parsing unnecessary; a changed one may be a mere touch or a new comment.
    module = _module(name)
    return module is None or module.texts != _Module(file.read_text(encoding="utf-8"), name).texts


class _Module:
    """A parsed module: which of its statements a definition uses, and what those use of other modules."""

    def __init__(self, source: str, name: str) -> None:
        statements = [single for statement in tree_of(source).body for single in _singles(statement)]
        #: Every top-level statement as text; the trees would take five times the memory.
        self.texts = [ast.dump(statement) for statement in statements]
        self._uses = [_Uses(statement, name) for statement in statements]
        self._where: dict[str, list[int]] = {}
        self._always: list[int] = []  # statements with effects at import, which always count
        for place, statement in enumerate(statements):
            names = list(_defined(statement))
            for defined in names:
                self._where.setdefault(defined, []).append(place)
            if not names and not isinstance(statement, ast.Import | ast.ImportFrom):
                self._always.append(place)

    def reached(self, name: str | None) -> tuple[set[int], list[Need]]:
        """Return the positions of the statements that a definition uses (None: all), and what they use of other modules."""
        places: set[int] = set()
        waiting = [*range(len(self.texts))] if name is None else [*self._always, *self._where.get(name, [])]
        while waiting:
            place = waiting.pop()
            if place not in places:
                places.add(place)
                waiting += [p for used in self._uses[place].names for p in self._where.get(used, [])]
        return places, [need for place in sorted(places) for need in self._elsewhere(place, places)]

    def _elsewhere(self, place: int, places: set[int]) -> Iterator[Need]:
        """Yield the definitions that one statement imports; of an imported module, those read as its attributes."""
        for alias, target in self._uses[place].imports:
            # Not a module, so it is `from module import name`.
            if file_of(target) is None:
                module, _, attribute = target.rpartition(".")
                yield module, attribute
                continue
            read = (self._uses[p].attributes for p in places)
            used = {attribute for own in read for owner, attribute in own if owner == alias}
            whole: list[str | None] = [None]
            yield from ((target, attribute) for attribute in sorted(used) or whole)


def _singles(statement: ast.stmt) -> Iterator[ast.stmt]:
    """Split an import of several names, so that each name counts only where it is used."""
    if isinstance(statement, ast.Import):
        yield from (ast.Import([alias]) for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        yield from (ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names)
    else:
        yield statement


class _Uses:
    """The names, attributes of names and imports that a statement uses, the statements inside it included."""

    def __init__(self, statement: ast.stmt, module: str) -> None:
        self.names: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.imports: list[tuple[str, str]] = []
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                self.names.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                self.attributes.add((node.value.id, node.attr))
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.imports += imported(node, module)


def imported(node: ast.Import | ast.ImportFrom, module: str) -> list[tuple[str, str]]:
    """Return each name that an import binds, with the full name it refers to: ("focal", "equipoise.strategies.focal").

    `module` is the name of the importing module, which relative imports refer to.
    """
    start = ""
    if isinstance(node, ast.ImportFrom):
        base = ".".join(module.split(".")[: -node.level]) if node.level else ""
        start = ".".join(filter(None, (base, node.module or ""))) + "."
    return [(alias.asname or alias.name, start + alias.name) for alias in node.names]


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a top-level statement binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        yield from (t.id for target in statement.targets for t in ast.walk(target) if isinstance(t, ast.Name))
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in statement.names)
