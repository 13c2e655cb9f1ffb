"""The exception for bad input, the error for an unknown name, and any exception as one line."""

from __future__ import annotations

import difflib
import itertools
import traceback
from collections.abc import Iterable

#: Known names listed in one error, so that it stays readable, and the characters of it that they may end at. Those that catch
#: the error may put the name of a file before it.
_MOST, _NAMED = 100, 400
#: Characters of a message, and those of its end that stay where it is cut.
_MESSAGE, _END = 480, 120
#: Characters of an exception with its type that is shown as one line.
_LONGEST = 500


#: Characters of a traceback that are kept, of its begin and of its end.
_TRACE = (4000, 8000)


class EquipoiseError(ValueError):
    """Bad input; the message is one line that says what is wrong and what would be right.

    The command line prints it without a traceback and exits with code 2. Messages quote what users wrote, which may be of any
    length, so a long message loses its middle.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(cut(message))


def cut(message: str) -> str:
    """The message on one line of at most 480 characters."""
    line = " ".join(message.split()) if len(message.splitlines()) > 1 else message
    return line if len(line) <= _MESSAGE else f"{line[: _MESSAGE - _END - 3]} … {line[-_END:]}"


def shown(value: object, most: int = 60) -> str:
    """A value as Python writes it, for a message; at most `most` characters of it."""
    try:
        text = repr(value)
    except ValueError:
        # Python refuses to write an integer of more than 4300 digits.
        return "a number of thousands of digits"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def unknown(kind: str, name: str, options: Iterable[str]) -> EquipoiseError:
    """Build the error for an unknown name: it suggests the nearest known name, lists as many as fit, and counts the others."""
    known = sorted(options)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    # The name is cut after 100 characters, since anything may have been passed in its place.
    start = f"unknown {kind} {name!r:.100}{hint} (known: "
    return EquipoiseError(f"{start}{_listing(known, _NAMED - len(start))})")


def _listing(names: list[str], room: int) -> str:
    """Names in about so many characters, never a part of one; those that do not fit are counted."""
    if len(names) <= _MOST and len(text := ", ".join(names)) <= room:
        return text or "none"
    ends = itertools.accumulate(len(name) + 2 for name in names[:_MOST])
    fitting = sum(end <= room - len(f" and {len(names)} more") for end in ends)
    return (
        f"{', '.join(names[:fitting])} and {len(names) - fitting} more" if fitting else f"{len(names)} names"
    )


def one_line(error: BaseException, longest: int = _LONGEST) -> str:
    """An exception as "Type: message" on one line of at most `longest` characters; the type alone if there is no message."""
    try:
        message = " ".join(str(error).split())
    except BaseException as problem:
        # The exception of a plugin may be as faulty as its code.
        message = f"no message, since its __str__ raises {type(problem).__name__}"
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def trace_of(error: BaseException) -> str:
    """The traceback of an exception; of a long one, the begin and the end. A message may quote a whole array."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:
        # The same faulty exceptions as above.
        text = "".join(traceback.format_tb(error.__traceback__)) + one_line(error)
    first, last = _TRACE
    dropped = len(text) - first - last
    return text if dropped <= 0 else f"{text[:first]}\n… {dropped:,} characters …\n{text[-last:]}"
