"""How a plugin may be written wherever a name can be: `./mine.py`, `./mine.py:Mine[gamma=1]+scut`, `package.module:Mine`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from equipoise.catalog.specs import split_parts
from equipoise.core.errors import EquipoiseError, shown
from equipoise.core.paths import is_file

#: Where the path of a plugin file may end: a class, settings, another part or nothing follows.
_END = re.compile(r"\.py(?=\s*(?:$|[:\[+]))")
_AFTER_FILE = re.compile(r"\s*(?::\s*([^\[\]:\s]+)\s*)?(\[.*\])?\s*", re.DOTALL)
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


class Place(NamedTuple):
    """Where a process that knows only names finds a plugin: the kind, and an absolute path or `package.module:Class`."""

    kind: str
    where: str


@dataclass(frozen=True)
class Part:
    """One of the parts that plus signs join.

    Attributes:
        file: the path of a plugin file as it is written; "" if the part names none.
        name: the name of a plugin, the name of its class, or `package.module:Class`; "" for the only plugin of the file.
        settings: the brackets with what stands in them; "" without.
    """

    file: str
    name: str
    settings: str = ""

    def place(self, kind: str) -> Place | None:
        """Where the plugin lies; None for a name."""
        if self.file:
            return Place(kind, str(Path(self.file).expanduser().resolve()))
        return Place(kind, self.name) if in_module(self.name) else None


def parts(text: str) -> list[Part]:
    """Split `a+./b.py:B[p=1]+c` at the plus signs outside brackets and paths.

    Raises:
        EquipoiseError: something else than a class and settings follows a file.
    """
    found, left = [], text
    while True:
        # For each part anew, since the path of a file may hold plus signs.
        file, rest = _divided(left)
        first, *others = split_parts(rest)
        found.append(_after_file(text, file, first) if file else _named(first))
        if not others:
            return found
        left = rest[len(first) + 1 :]


def only_part(text: str) -> Part:
    """The part of a text in which plus signs have no meaning, such as that of a backbone or of a data set."""
    file, rest = _divided(text)
    return _after_file(text, file, rest) if file else _named(text)


def in_module(name: str) -> bool:
    """Whether a name is that of a class in a module, `package.module:Class`."""
    return _MODULE.fullmatch(name) is not None


def beside(folder: Path, text: str) -> str:
    """The text with the paths of its plugin files, where they are relative, taken from this folder; the same text without any."""
    if not _END.search(text):
        return text
    return "+".join(
        f"{folder / Path(part.file).expanduser()}{':' * bool(part.name)}{part.name}{part.settings}"
        if part.file
        else f"{part.name}{part.settings}"
        for part in parts(text)
    )


def _divided(text: str) -> tuple[str, str]:
    """The path of a plugin file with which a text begins, "" if it begins with none, and the rest."""
    ends = [match.end() for match in _END.finditer(text)]
    # A file that exists is taken as it is, since folders may have brackets and plus signs in their names. Otherwise these
    # begin settings, which may name files, or another part.
    end = next((e for e in ends if is_file(Path(text[:e].strip()))), None)
    end = next((e for e in ends if not set(text[:e]) & set("[+")), 0) if end is None else end
    return text[:end].strip(), text[end:]


def _after_file(text: str, file: str, rest: str) -> Part:
    match = _AFTER_FILE.fullmatch(rest)
    if match is None:
        raise EquipoiseError(
            f"cannot read {shown(text)}: write {file}, {file}:Name or {file}:Name[key=value]"
        )
    return Part(file, match.group(1) or "", match.group(2) or "")


def _named(text: str) -> Part:
    name, bracket, inside = text.partition("[")
    return Part("", name.strip(), (bracket + inside).strip())
