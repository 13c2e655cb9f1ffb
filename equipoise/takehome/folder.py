"""The files of a saved model: JSON for what has a name, safetensors for arrays. Nothing in them is code, and no pickle is read.

model.json            what the model is, with the SHA-256 of every other file
README.md             the same for readers (a model card)
weights.safetensors   the parameters of the networks
features.json         the feature extractor: the vocabulary, for example
features.safetensors  its arrays
decision.safetensors  thresholds, and what score maps, decisions and heads are fitted on
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
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
    if path.is_dir() and any(path.iterdir()) and not _is_model(path):
        raise EquipoiseError(f"{path} is not empty and holds no model; give another folder")
    return path


def write(folder: str | Path, contents: Contents, card: str) -> Path:
    """Write a model; a model that was there before is replaced as a whole."""
    path = check_free(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its place and moved there, so that an interrupt leaves the old model or the new one.
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        files = {CARD: card.encode(), FEATURES: _json(contents.features)}
        for group in GROUPS:
            arrays = {name: np.ascontiguousarray(a) for name, a in contents.arrays.get(group, {}).items()}
            files[f"{group}.safetensors"] = safetensors.save(arrays)
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        facts = {"format": FORMAT, **contents.facts, "files": hashes}
        files[FACTS] = _json(facts)
        for name, content in files.items():
            (draft / name).write_bytes(content)
        # `mkdtemp` makes folders that only their owner can read.
        os.chmod(draft, 0o755)
        if path.exists():
            shutil.rmtree(path)
        os.replace(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return path


def read(folder: str | Path) -> Contents:
    """Read a model's files.

    Raises:
        EquipoiseError: the folder holds no model, or one of another version, or a file is missing or damaged.
    """
    path = user_path(folder)
    if not path.is_dir() or not (path / FACTS).is_file():
        raise EquipoiseError(
            f"{path} holds no model (no {FACTS}); `equipoise fit --model {path.name or 'DIR'}` writes one"
        )
    facts = _facts(path)
    hashes = facts.get("files")
    if facts.get("format") != FORMAT or not isinstance(hashes, dict):
        raise EquipoiseError(f"{path / FACTS} is not of the format {FORMAT!r}, which this version reads")
    content = _content(path, FEATURES, hashes)
    arrays = {group: _arrays(path, f"{group}.safetensors", hashes) for group in GROUPS}
    return Contents(facts, json.loads(content), arrays)


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
    try:
        facts = json.loads((path / FACTS).read_bytes())
    except (ValueError, RecursionError) as problem:
        raise EquipoiseError(f"{path / FACTS} is damaged: {one_line(problem, 80)}") from None
    if not isinstance(facts, dict):
        raise EquipoiseError(f"{path / FACTS} is damaged: it holds no JSON object")
    return facts


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
