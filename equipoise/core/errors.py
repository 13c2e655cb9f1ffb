"""The one exception users are meant to see, and how it words itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST = 100


class EquipoiseError(ValueError):
    """Bad input, in one line that says what is wrong and what would be right.

    The command line prints it without a traceback and leaves with exit code 2.
    """


def unknown(kind: str, name: str, options: Iterable[str]) -> EquipoiseError:
    """Build the error for a name that is not known, with the nearest known one and the list, of 100 at most."""
    known = sorted(options)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    more = f" and {len(known) - _MOST} more" if len(known) > _MOST else ""
    listing = ", ".join(known[:_MOST]) + more if known else "none"
    return EquipoiseError(f"unknown {kind} {name!r:.100}{hint} (known: {listing})")
