"""Paths as users write them."""

from __future__ import annotations

from pathlib import Path

from equipoise.core.errors import EquipoiseError, shown


def user_path(path: str | Path) -> Path:
    """The path with ~ and ~user replaced by a home folder.

    Raises:
        EquipoiseError: there is no such user, or none that has a home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user = Path(path).parts[0]
        raise EquipoiseError(
            f"{shown(str(path))}: {user:.60} has no home folder here; write the path in full"
        ) from None


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; False, too, for what cannot be a path or cannot be looked at."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # no permission, a name too long for the file system, a zero byte
        return False
