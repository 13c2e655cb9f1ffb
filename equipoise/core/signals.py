"""Ctrl-C (SIGINT): ignored by child processes, delayed until a step is complete, or told from an exception of a plugin."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def not_for_children() -> Iterator[None]:
    """Processes started inside ignore Ctrl-C from their first instruction: their parent handles it."""
    with _handled_by(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def deferred_sigint() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block. For imports: a module imported halfway would stay broken."""
    # A process that ignores Ctrl-C must go on ignoring it: a worker leaves it to its parent.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    came: list[int] = []
    with _handled_by(lambda number, frame: came.append(number)):
        yield
    if came:
        raise KeyboardInterrupt


@contextlib.contextmanager
def noted_sigint() -> Iterator[list[int]]:
    """Ctrl-C acts in the block as outside it, and leaves its signal number in the list that the block gets.

    So a `KeyboardInterrupt` that a plugin raises differs from the user's, even where the plugin catches the user's.
    """
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    # A process that ignores Ctrl-C has nothing to note.
    if not callable(before):
        yield came
        return

    def note(number: int, frame: Any) -> None:
        came.append(number)
        before(number, frame)

    with _handled_by(note):
        yield came


@contextlib.contextmanager
def _handled_by(handler: signal._HANDLER) -> Iterator[None]:
    # Only the main thread may set handlers, and only the main thread is interrupted.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
