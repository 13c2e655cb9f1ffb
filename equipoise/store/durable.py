"""Writes that are on the disk when they return, and that leave nothing half done to readers when the process is killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


def append_line(file: Path, line: bytes, aside: Path, readable: Callable[[bytes], bool]) -> None:
    """Append a line; half a line at the end of the file, from a write that was interrupted, is moved away first.

    Args:
        file: made if it does not exist. line: with its newline. aside: the file to which half a line is moved.
        readable: whether a last line without a newline is complete; then only its newline is added.
    """
    fresh = not file.exists()
    with file.open("ab+") as handle:
        line = _repair(handle, aside, readable) + line
        handle.write(line)
        handle.flush()
        os.fsync(handle.fileno())
    if fresh:
        sync_folder(file.parent)


def save_arrays(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays into a compressed .npz file; until all of them are on the disk, readers see the earlier file or none."""
    part = file.with_suffix(".part")  # with one writer, a .part of a killed one can be overwritten
    with part.open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)
        handle.flush()
        os.fsync(handle.fileno())
    # A reader sees the earlier file or the whole new one, never a part of it.
    os.replace(part, file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or a new file durable: on POSIX a folder needs its own fsync."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _repair(handle: IO[bytes], aside: Path, readable: Callable[[bytes], bool]) -> bytes:
    """Make the file end with a complete line; return what has to be written before the next one."""
    tail = _tail(handle)
    if not tail:
        return b""
    if readable(tail):  # only the newline is missing
        return b"\n"
    with aside.open("ab") as kept:
        kept.write(tail + b"\n")
        kept.flush()
        os.fsync(kept.fileno())
    # Only now: a kill in between leaves the half line in both files, never in none.
    handle.truncate(handle.seek(0, os.SEEK_END) - len(tail))
    return b""


def _tail(handle: IO[bytes], block: int = 1 << 16) -> bytes:
    """Return what follows the last newline, reading backwards so that the length of the file does not matter."""
    tail, position = b"", handle.seek(0, os.SEEK_END)
    while position and b"\n" not in tail:
        step = min(block, position)
        position = handle.seek(position - step)
        tail = handle.read(step) + tail
    return tail.rsplit(b"\n", 1)[-1]
