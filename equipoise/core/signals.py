"""Ctrl-C at the wrong moment: kept from processes that start, or put off until what must not be torn is whole."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def not_for_children() -> Iterator[None]:
    """Processes that start meanwhile are deaf to Ctrl-C from their first instruction: it is their parent's to handle."""
    with _handled_by(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def deferred_sigint() -> Iterator[None]:
    """Ctrl-C takes effect at the end: for an import, of which half would be left for the rest of the process."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    came: list[int] = []
    with _handled_by(lambda number, frame: came.append(number)):
        yield
    if came:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _handled_by(handler: signal._HANDLER) -> Iterator[None]:
    if (
        threading.current_thread() is not threading.main_thread()
    ):  # the only one that may set handlers, or is interrupted
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
