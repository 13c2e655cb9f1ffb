"""A published folder on disk: its files, its manifest, and the checks that it is whole and unchanged.

manifest.json     schema, commands, machine, versions, data, and the sha256 of every other file
rows.jsonl.gz     the rows
README.md         the facts, and the written finding, which alone may be edited
index.html        the page of `report --html`
*.csv             the tables
plugin/, conformance.json   of a submission only: the code, and what the conformance kit says of it
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from equipoise.core.errors import EquipoiseError, shown
from equipoise.publishing.readme import without_finding
from equipoise.publishing.rows import content_hash, parsed, read_lines
from equipoise.store.rows import Row

MANIFEST, ROWS, README, PAGE = "manifest.json", "rows.jsonl.gz", "README.md", "index.html"
PLUGIN, CONFORMANCE = "plugin", "conformance.json"
#: The layout of the folder and of its manifest; a reader refuses another one.
SCHEMA = 1
KINDS = ("published", "submitted")
#: Entries of a manifest, with the type of each.
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "kind": str,
    "published": str,
    "commands": list,
    "machine": dict,
    "versions": dict,
    "code": list,
    "cpu": list,
    "data": list,
    "rows": int,
    "rows_sha256": str,
    "core_hours": (int, float),
    "readme_sha256": str,
    "files": dict,
    "plugins": list,
}
_NUMBER = (int, float)
#: Lists of a manifest, with what each entry has.
_PARTS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "data": {"name": str},
    "plugins": {"strategies": list},
    "suites": {"name": str, "sha256": str, "blocks": list},
    "history": {"date": str, "rows": int, "rows_sha256": str, "core_hours": _NUMBER, "machine": dict},
}
_BLOCK: dict[str, type | tuple[type, ...]] = {"number": int, "datasets": list, "published": bool}


@dataclass(frozen=True)
class PublishedFolder:
    """A folder whose manifest has been read and is complete; `whole` checks the other files."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name under which it was published."""
        return str(self.manifest["name"])

    @property
    def submitted(self) -> bool:
        """Whether it holds results that somebody else has handed in."""
        return bool(self.manifest["kind"] == KINDS[1])

    @cached_property
    def rows(self) -> list[Row]:
        """The rows; EquipoiseError where the file is missing or damaged, or a line is no row."""
        return parsed(read_lines(self.path / ROWS), self.path / ROWS)

    def whole(self) -> None:
        """Check that every file is there and is what the manifest says, and that there are no others.

        Raises:
            EquipoiseError: a file is missing, was changed, or is not in the manifest.
        """
        _check_files(self.path, self.manifest["files"])
        text = text_of(self.path / README)
        if hash_of(without_finding(text).encode()) != self.manifest["readme_sha256"]:
            raise EquipoiseError(
                f"{self.path / README} was changed outside its finding: publish it again, or restore the file"
            )
        # The hash of the file shows damage; that of the content is what a citation names, whichever zlib has packed it.
        if content_hash(read_lines(self.path / ROWS)) != self.manifest["rows_sha256"]:
            raise EquipoiseError(f"{self.path / ROWS} does not hold the rows that the manifest names")
        if twice := [key for key, count in Counter(row["key"] for row in self.rows).items() if count > 1]:
            raise EquipoiseError(f"{self.path / ROWS} has more than one row with the key {twice[0]}")
        if len(self.rows) != self.manifest["rows"]:
            raise EquipoiseError(
                f"{self.path / ROWS} has {len(self.rows)} rows, the manifest says {self.manifest['rows']}"
            )


def read_folder(path: Path) -> PublishedFolder:
    """Read the manifest of a published folder.

    Raises:
        EquipoiseError: there is no such folder, it was not written by `equipoise publish` or `submit`, or its manifest is
            incomplete or of another version.
    """
    if not path.is_dir():
        killed = beside(path)[1].is_dir()
        raise EquipoiseError(
            f"no folder {path}{': publishing it was interrupted, publish it again' * killed}"
        )
    file = path / MANIFEST
    if not file.is_file():
        raise EquipoiseError(f"{path} has no {MANIFEST}: it was not written by equipoise publish or submit")
    _check_no_link(file)
    try:
        manifest = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise EquipoiseError(f"{file} is damaged: it is not JSON") from None
    if not isinstance(manifest, dict) or "schema" not in manifest:
        raise EquipoiseError(f"{file} is not a manifest of equipoise: it has no schema version")
    if manifest["schema"] != SCHEMA:
        raise EquipoiseError(
            f"{file} has schema {shown(manifest['schema'])}; this version of equipoise reads {SCHEMA}"
        )
    if why := _fault(manifest):
        raise EquipoiseError(f"{file}{why}")
    return PublishedFolder(path, manifest)


def _fault(manifest: Mapping[str, Any]) -> str:
    """What is wrong with a manifest of this schema, as the end of a sentence; "" if its readers can rely on its types."""
    # A manifest comes with folders of strangers: a wrong type must be one line here, and no traceback further on.
    for name, kind in _FIELDS.items():
        if not isinstance(manifest.get(name), kind):
            return f" is incomplete: {name} is missing or has a wrong type"
    # Fields that earlier versions did not write may be missing.
    for name, parts in _PARTS.items():
        listed = manifest.get(name, [])
        if not isinstance(listed, list) or not all(_has(one, parts) for one in listed):
            return f": {name} must be a list whose entries have {' and '.join(parts)}"
    if not all(_has(block, _BLOCK) for suite in manifest.get("suites", ()) for block in suite["blocks"]):
        return f": blocks of suites must have {' and '.join(_BLOCK)}"
    if manifest["kind"] not in KINDS:
        return f": kind must be {' or '.join(KINDS)}, got {shown(manifest['kind'])}"
    if bool(manifest["plugins"]) != (manifest["kind"] == KINDS[1]):
        return f": a {manifest['kind']} folder has {'no ' * (manifest['kind'] == KINDS[0])}plugins"
    return ""


def _has(entry: Any, parts: Mapping[str, type | tuple[type, ...]]) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in parts.items())


def beside(path: Path) -> tuple[Path, Path]:
    """Where the new and the old folder lie for the moment in which one replaces the other."""
    return path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")


def hash_of(content: bytes) -> str:
    """The sha256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """A manifest as it is written: JSON in a fixed order."""
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return as_bytes(text)


def as_bytes(text: str) -> bytes:
    """A text in UTF-8; halves of characters, which the names of files may hold, have no encoding and become "?"."""
    return text.encode("utf-8", errors="replace")


def files_in(path: Path) -> list[str]:
    """The files of a folder by their paths inside it, without the manifest and the README.

    Raises:
        EquipoiseError: the folder holds a link, or something else than files and folders.
    """
    found = []
    for file in path.rglob("*"):
        # What a link leads to lies elsewhere: it is not published, and may be anything.
        _check_no_link(file)
        if file.is_dir() or _left_by_python(file):
            continue
        if not file.is_file():
            raise EquipoiseError(f"{path} holds {file.relative_to(path).as_posix()}, which is not a file")
        found.append(file.relative_to(path).as_posix())
    return sorted(name for name in found if name not in (MANIFEST, README))


def _left_by_python(file: Path) -> bool:
    """Whether Python may have left a file beside a plugin that was run. Plugins are never loaded from such files."""
    return file.suffix == ".pyc" and file.parent.name == "__pycache__"


def _check_no_link(file: Path) -> None:
    if file.is_symlink():
        raise EquipoiseError(f"{file.parent} holds {file.name}, which is a link; a published folder has none")


def _check_files(path: Path, files: Mapping[str, Any]) -> None:
    """Compare the files of a folder with the hashes of its manifest.

    Only files that a walk through the folder has found are opened, so no name in a manifest leads anywhere else.
    """
    there = files_in(path)
    for name, expected in files.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise EquipoiseError(f"{path / MANIFEST} names a file outside the folder: {shown(name)}")
        if name not in there:
            raise EquipoiseError(f"{path} is incomplete: {name:.80} is missing")
        if hash_of((path / name).read_bytes()) != expected:
            raise EquipoiseError(
                f"{path / name} was changed after it was published: its sha256 is another one"
            )
    if others := [name for name in there if name not in files]:
        raise EquipoiseError(f"{path} holds {others[0]}, which its manifest does not name")


def text_of(file: Path) -> str:
    """The text of a file of a published folder.

    Raises:
        EquipoiseError: it is missing, is a link or no file, or is not UTF-8.
    """
    _check_no_link(file)
    # Reading a pipe, which a stranger's folder may hold, would never end.
    if file.exists() and not file.is_file():
        raise EquipoiseError(f"{file} is not a file")
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise EquipoiseError(f"{file} is missing: the folder is incomplete") from None
    except UnicodeDecodeError:
        raise EquipoiseError(f"{file} is damaged: it is not UTF-8 text") from None
