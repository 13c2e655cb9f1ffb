"""What a command prints: in any encoding, with control characters made visible, and apart from what plugins print."""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn, TextIO

#: The name of the error handler that `prepare` gives to the streams.
ERRORS = "equipoise"
#: Our own signs in plain letters, for a terminal that lacks them.
_PLAIN = {
    **dict.fromkeys("─—–−", "-"),
    "│": "|",
    "·": ".",
    "…": "...",
    "±": "+/-",
    "×": "x",
    "Δ": "D",
    "▸": ">",
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "∞": "inf",
    "µ": "u",
    "’": "'",
    "“": '"',
    "”": '"',
    "⋅": ".",
    "≈": "~",
    "█": "#",
    "•": "*",
}
#: What a terminal obeys instead of showing it: control characters but tab and line feed, changes of direction, and halves of
#: characters, which no encoding has.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with control characters written out, such as \\x1b. Labels, texts and names of files may hold any."""
    return _UNSAFE.sub(lambda match: _escaped(match.group()), text)


def _escaped(sign: str) -> str:
    number = ord(sign)
    return (
        f"\\x{number:02x}"
        if number < 0x100
        else f"\\u{number:04x}"
        if number < 0x10000
        else f"\\U{number:08x}"
    )


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: characters that an encoding lacks, in plain letters or as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or _escaped(sign) for sign in lacking), error.end


codecs.register_error(ERRORS, _spelled)


def prepare() -> None:
    """Let standard output and standard error take any character, whatever their encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


class _Streams(NamedTuple):
    out: TextIO
    err: TextIO


#: The command's own streams while the standard ones are diverted.
_OWN: list[_Streams] = []


def out() -> TextIO:
    """Where the command's own words go: standard output, also while that is diverted."""
    return _OWN[0].out if _OWN else sys.stdout


def err() -> TextIO:
    """Where the command's own messages go: standard error, also while that is diverted."""
    return _OWN[0].err if _OWN else sys.stderr


def echo(text: str, *, to_err: bool = False) -> None:
    """Print a line; control characters in it are made visible."""
    _write(visible(text), err() if to_err else out())


def echo_json(text: str) -> None:
    """Print JSON. What cannot be printed is inside of strings there, where escapes of JSON stand for it."""
    stream = out()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    strange = _UNSAFE if encoding.lower().replace("-", "").startswith("utf8") else re.compile("[^\n -~]")
    _write(
        strange.sub(lambda match: json.dumps(match.group())[1:-1].replace("\x7f", "\\u007f"), text), stream
    )


def _write(text: str, stream: TextIO | None) -> None:
    # Python has no stream where the caller has closed it.
    if stream is None:
        return
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except BrokenPipeError:
        hang_up()


def hang_up() -> NoReturn:
    """End the command in order and without a word: the reader of its output has ended, as in `equipoise list | head -1`."""
    for stream in filter(None, (out(), err(), sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            # What is still buffered would be an error at exit.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    # 128 + 13, the number of SIGPIPE, as in a shell.
    raise SystemExit(141)


@contextlib.contextmanager
def plugins_apart() -> Iterator[None]:
    """What is printed inside goes to standard error, except through `out`, `err` and `echo`: plugins may print anything."""
    if _OWN or sys.stdout is None or sys.stderr is None:
        yield
        return
    own = _Streams(_duplicate(sys.stdout), _duplicate(sys.stderr))
    _OWN.append(own)
    try:
        with _printing_to(own.err):
            yield
    finally:
        _OWN.clear()
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
    if not _OWN:
        _OWN.append(_Streams(_duplicate(sys.stdout), _duplicate(sys.stderr)))
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
