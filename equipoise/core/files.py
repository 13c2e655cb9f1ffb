"""Writes files that somebody has asked for by name."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from equipoise.core.errors import EquipoiseError


def write_whole(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole: if that fails, as on a full disk, or is killed, the earlier file stays as it was.

    Raises:
        EquipoiseError: the file cannot be written.
    """
    # Halves of characters, which file names may hold, have no encoding.
    content = text.encode("utf-8", errors="replace")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # a pipe or a device cannot be replaced
        else:
            # Beside what a link leads to, so that the link stays one.
            _replace(path.resolve(), content)
    except OSError as problem:
        raise EquipoiseError(f"cannot write {path}: {problem.strerror}") from None


def _replace(path: Path, content: bytes) -> None:
    # `mkstemp` makes a file that only its owner can read.
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, draft = tempfile.mkstemp(prefix=f".{path.name[:100]}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.chmod(draft, mode)
        os.replace(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)
