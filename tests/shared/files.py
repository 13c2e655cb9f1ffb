"""Files to read, and how reading them ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from equipoise.catalog.datasets import load_dataset
from equipoise.core.errors import EquipoiseError


def put(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def attempt(path: Path, **options: Any) -> None:
    said = ""
    try:
        load_dataset(path, **options)
    except EquipoiseError as problem:
        said = str(problem)
    assert "\n" not in said
