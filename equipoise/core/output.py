"""What a command prints: in any encoding, and with control characters made visible."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import os
import re
import sys
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


def divert(own_out: TextIO, own_err: TextIO) -> None:
    """Let `out` and `err` mean these streams from now on, since the standard ones are about to lead elsewhere."""
    _OWN.append(_Streams(own_out, own_err))


def diverted() -> bool:
    """Whether the standard streams lead elsewhere."""
    return bool(_OWN)


def restore() -> None:
    """Let `out` and `err` mean the standard streams again."""
    _OWN.clear()


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
