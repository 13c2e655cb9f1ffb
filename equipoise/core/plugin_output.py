"""Keeps what plugins print out of a command's output: it goes to standard error, or into a log of the store."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from equipoise.core import output


@contextlib.contextmanager
def plugins_apart() -> Iterator[None]:
    """What is printed inside goes to standard error, except through `out`, `err` and `echo`: plugins may print anything."""
    if output.diverted() or sys.stdout is None or sys.stderr is None:
        yield
        return
    own = (_duplicate(sys.stdout), _duplicate(sys.stderr))
    output.divert(*own)
    try:
        with _printing_to(own[1]):
            yield
    finally:
        output.restore()
        for stream in own:
            if stream not in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):
                    stream.close()


def _duplicate(stream: TextIO) -> TextIO:
    """The stream on a file descriptor of its own; the stream itself if it has none, as in tests."""
    try:
        number = os.dup(stream.fileno())
    except (OSError, ValueError):
        return stream
    return open(number, "w", encoding=stream.encoding, errors=stream.errors, buffering=1)


@contextlib.contextmanager
def _printing_to(stream: TextIO) -> Iterator[None]:
    """Send standard output and standard error to a stream: what Python prints, what C prints, and child processes."""
    with contextlib.ExitStack() as stack:
        for number, name in ((1, "stdout"), (2, "stderr")):
            if _number(getattr(sys, name)) != number:
                redirect = contextlib.redirect_stdout if number == 1 else contextlib.redirect_stderr
                stack.enter_context(redirect(stream))
        if (target := _number(stream)) is not None:
            stack.enter_context(_descriptors_to(target))
        yield


def _number(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def _descriptors_to(target: int) -> Iterator[None]:
    _flush()
    saved = {number: os.dup(number) for number in (1, 2)}
    for number in saved:
        os.dup2(target, number)
    try:
        yield
    finally:
        _flush()
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


def _flush() -> None:
    """Write out what Python and C have buffered, so that it goes where it was meant to go."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)


class _Log(NamedTuple):
    stream: TextIO
    #: the size of the file when it was last marked, in a list to be replaced
    size: list[int]


#: The log that this process prints into, if any.
_LOG: list[_Log] = []


def _log_of(folder: Path) -> _Log:
    folder.mkdir(parents=True, exist_ok=True)
    # Appending, since another sweep may have had a process of this number.
    stream = (folder / f"{os.getpid()}.txt").open(
        "a", encoding="utf-8", errors="backslashreplace", buffering=1
    )
    return _Log(stream, [os.fstat(stream.fileno()).st_size])


@contextlib.contextmanager
def into_log(folder: Path) -> Iterator[None]:
    """What is printed inside, except through `out`, `err` and `echo`, is added to a file in a folder of logs."""
    log = _log_of(folder)
    _LOG.append(log)
    try:
        with _printing_to(log.stream):
            yield
    finally:
        _LOG.remove(log)
        log.stream.close()
        tidy(folder)


def into_log_for_good(folder: Path) -> None:
    """The same until this process ends; for workers."""
    if not output.diverted():
        output.divert(_duplicate(sys.stdout), _duplicate(sys.stderr))
    log = _log_of(folder)
    _LOG.append(log)
    for number in (1, 2):
        os.dup2(log.stream.fileno(), number)


def mark(what: str) -> None:
    """Write into the log who has printed what was added since the last mark; nothing if nothing was added."""
    for log in _LOG[-1:]:
        _flush()
        number = log.stream.fileno()
        if os.fstat(number).st_size > log.size[0]:
            os.write(number, f"(printed by {what})\n".encode(errors="backslashreplace"))
        log.size[0] = os.fstat(number).st_size


def printed(folder: Path) -> int:
    """The bytes of all logs in a folder."""
    return sum(file.stat().st_size for file in folder.glob("*.txt"))


def tidy(folder: Path) -> None:
    """Remove empty logs, and their folder if it is empty."""
    with contextlib.suppress(OSError):
        for file in folder.glob("*.txt"):
            if file.stat().st_size == 0:
                file.unlink()
        folder.rmdir()
