"""The files of a saved model: JSON for what has a name, safetensors for arrays. Nothing in them is code, and no pickle is read.

model.json            what the model is, with the SHA-256 of every other file
README.md             the same for readers (a model card)
weights.safetensors   the parameters of the networks
features.json         the feature extractor: the vocabulary, for example
features.safetensors  its arrays
decision.safetensors  thresholds, and what score maps, decisions and heads are fitted on

No system replaces one folder that holds files by another in a single step. So the new model is written beside the old one, the
old one is moved aside, and the new one takes its place. A process that is killed between these two moves leaves the old model
aside, whole; `read` finds it there, and the next `write` moves it back first.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.core.errors import EquipoiseError, one_line
from equipoise.core.lazy import lazy
from equipoise.core.paths import user_path

if TYPE_CHECKING:
    from safetensors import numpy as safetensors
else:
    safetensors = lazy("safetensors.numpy")

#: What `model.json` says it is. The number changes when older folders can no longer be read.
FORMAT = "equipoise model 1"
FACTS, CARD, FEATURES = "model.json", "README.md", "features.json"
#: The groups of arrays, each with a file of its own.
GROUPS = ("weights", "features", "decision")
#: All files of a model.
FILES = frozenset({FACTS, CARD, FEATURES, *(f"{group}.safetensors" for group in GROUPS)})
#: Seconds after which a draft that nobody moved to its place is one of a killed process. Writing a model takes less.
_STALE = 3600

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Contents:
    """What a folder holds: plain facts for JSON, those of the feature extractor, and arrays by group and name."""

    facts: dict[str, Any]
    features: dict[str, Any]
    arrays: Mapping[str, Arrays]


def check_free(folder: str | Path) -> Path:
    """The folder to write a model to, before anything is trained for it.

    Raises:
        EquipoiseError: it is a file, or holds something else than a model.
    """
    path = user_path(folder)
    if path.exists() and not path.is_dir():
        raise EquipoiseError(f"{path} is a file; give the folder for the model")
    # The folder that is there already, of those that would be made.
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise EquipoiseError(f"no folder {path.name} can be made in {above}; give another one")
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if names and not _is_model(path):
        raise EquipoiseError(f"{path} is not empty and holds no model; give another folder")
    # The folder is replaced as a whole, so that a file of the user's in it would be lost.
    if others := sorted(names - FILES):
        raise EquipoiseError(
            f"{path} holds a model and {others[0]!r}, which is no file of it; move that, or give another folder"
        )
    return path


def write(folder: str | Path, contents: Contents, card: str) -> Path:
    """Write a model; a model that was there before is replaced as a whole.

    Raises:
        EquipoiseError: see `check_free`; or another process is writing to the same folder.
    """
    path = check_free(folder)
    # A link stays, and what it points to is replaced.
    place = path.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    _tidy(place)
    draft = Path(tempfile.mkdtemp(prefix=f".{place.name}.new-", dir=place.parent))
    try:
        for name, content in _files(contents, card).items():
            (draft / name).write_bytes(content)
        # `mkdtemp` makes folders that only their owner can read.
        os.chmod(draft, 0o755)
        _exchange(draft, place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return path


def _files(contents: Contents, card: str) -> dict[str, bytes]:
    """The content of each file, by its name."""
    files = {CARD: card.encode(), FEATURES: _json(contents.features)}
    for group in GROUPS:
        arrays = {name: np.ascontiguousarray(a) for name, a in contents.arrays.get(group, {}).items()}
        files[f"{group}.safetensors"] = safetensors.save(arrays)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return {**files, FACTS: _json({"format": FORMAT, **contents.facts, "files": hashes})}


def _exchange(draft: Path, place: Path) -> None:
    """Move a draft to its place, and remove the model that was there."""
    old = _aside(place)
    try:
        if place.exists():
            os.rename(place, old)
        os.rename(draft, place)
    except OSError as problem:
        # Two processes write to one folder, and the other one has moved something since `_tidy`.
        raise EquipoiseError(
            f"{place} cannot be replaced: {problem.strerror} ({problem.filename2}); is another process writing to it?"
        ) from None
    finally:
        # An interrupt after the first move: the old model goes back. A kill leaves that to `_tidy`.
        if old.exists() and not place.exists():
            os.rename(old, place)
    shutil.rmtree(old, ignore_errors=True)


def _aside(place: Path) -> Path:
    """Where the old model is while the new one takes its place."""
    return place.parent / f".{place.name}.old"


def _tidy(place: Path) -> None:
    """Undo what a killed process has left: move the old model back, or remove what is left of it, and its drafts."""
    old = _aside(place)
    # A folder of that name that holds anything else is not of our making.
    if old.is_dir() and {entry.name for entry in old.iterdir()} <= FILES:
        if _is_model(old) and not place.exists():
            os.rename(old, place)
        else:
            shutil.rmtree(old)
    for draft in place.parent.glob(f".{glob.escape(place.name)}.new-*"):
        # A younger one may be that of a process at work.
        if time.time() - draft.stat().st_mtime > _STALE:
            shutil.rmtree(draft, ignore_errors=True)


def find(folder: str | Path) -> Path:
    """The folder that a model is in: the one given, or where a killed process has left the old model of that folder."""
    path = user_path(folder)
    old = _aside(path.resolve())
    return old if not path.exists() and _is_model(old) else path


def read(folder: str | Path) -> Contents:
    """Read a model's files.

    Raises:
        EquipoiseError: the folder holds no model, or one of another version, or a file is missing or damaged.
    """
    path = find(folder)
    if not path.is_dir() or not (path / FACTS).is_file():
        raise EquipoiseError(
            f"{path} holds no model (no {FACTS}); `equipoise fit --model {path.name or 'DIR'}` writes one"
        )
    facts = _facts(path)
    hashes = facts.get("files")
    if facts.get("format") != FORMAT or not isinstance(hashes, dict):
        raise EquipoiseError(f"{path / FACTS} is not of the format {FORMAT!r}, which this version reads")
    features = _object(path / FEATURES, _content(path, FEATURES, hashes))
    arrays = {group: _arrays(path, f"{group}.safetensors", hashes) for group in GROUPS}
    return Contents(facts, features, arrays)


def _json(facts: Mapping[str, Any]) -> bytes:
    # A lone surrogate is legal in texts that come from JSON, and may be a word of the vocabulary.
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "surrogatepass")


def _is_model(path: Path) -> bool:
    try:
        return str(_facts(path).get("format", "")).startswith("equipoise model ")
    except (EquipoiseError, OSError):
        return False


def _facts(path: Path) -> dict[str, Any]:
    return _object(path / FACTS, (path / FACTS).read_bytes())


def _object(file: Path, content: bytes) -> dict[str, Any]:
    """The JSON object that a file holds. A hash that fits says nothing: whoever wrote the file wrote the hash as well."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise EquipoiseError(f"{file} is damaged: {one_line(problem, 80)}") from None
    if not isinstance(found, dict):
        raise EquipoiseError(f"{file} is damaged: it holds no JSON object")
    return found


def _content(path: Path, name: str, hashes: Mapping[str, Any]) -> bytes:
    try:
        content = (path / name).read_bytes()
    except OSError as problem:
        raise EquipoiseError(f"{path / name} cannot be read: {problem.strerror}") from None
    if hashlib.sha256(content).hexdigest() != hashes.get(name):
        raise EquipoiseError(f"{path / name} is damaged: its content is not what {FACTS} says")
    return content


def _arrays(path: Path, name: str, hashes: Mapping[str, Any]) -> Arrays:
    try:
        arrays: Arrays = safetensors.load(_content(path, name, hashes))
    except EquipoiseError:
        raise
    except Exception as problem:  # the library raises errors of its own
        raise EquipoiseError(f"{path / name} is damaged: {one_line(problem, 80)}") from None
    return arrays
