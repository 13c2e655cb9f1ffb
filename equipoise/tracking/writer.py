"""Writes MLflow during a sweep, in a separate process, so that training never waits for it.

MLflow takes seconds to import and to create its database, and a tenth of a second per run. The process reads the store's rows
from disk and is notified when there are new ones. It is the only one to use the database, as long as the sweep holds the
store's lock. It has a lower priority than training, and it ends with the sweep, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO

from equipoise.core.signals import not_for_children
from equipoise.store.store import Store

NICE = 5  # how much the process lowers its priority
# The path of imports is passed on, so that the child finds the same packages and plugins.
_START = "import sys; sys.path[:] = {path!r}; from equipoise.tracking.writer import main; main({folder!r})"
#: Seconds between two updates of the summaries while cells run, and how many times longer than such an update it must be.
SUMMARY_EVERY, TIMES = 60.0, 20.0
#: The messages to the process: there are new rows; and this is the last sync.
_NEWS, _END = "news\n", "end\n"


class MlflowWriter:
    """Keeps MLflow up to date with a store; problems are reported as single lines, and no row is ever lost."""

    def __init__(self, store: Store, on_problem: Callable[[str], None]) -> None:
        self._store, self._on_problem = store, on_problem
        self._process: subprocess.Popen[str] | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def notify(self) -> None:
        """Tell the process that there are new rows. Does not wait for it."""
        self._send(_NEWS)

    def close(self, before: Callable[[], None] = lambda: None) -> None:
        """Let the process write everything that MLflow lacks, including rows of earlier sweeps, and wait for its end.

        `before` is called if there is anything to write.
        """
        if self._process is None and not self._lacking():
            return
        before()
        self._send(_END)
        if self._process is None:
            return
        try:
            code = self._process.wait()
        except BaseException:  # e.g. a second Ctrl-C: the user does not want to wait
            self._process.kill()
            self._process.wait()
            raise
        self._listener.join()
        if code != 0:
            self._on_problem(
                f"MLflow was not written (its process ended with code {code}); the rows are safe"
            )

    def _lacking(self) -> bool:
        """Whether MLflow lacks anything, so that it is worth starting a process."""
        from equipoise.tracking.tracker import Tracker

        try:
            return self._store.rows_file.exists() and Tracker(self._store).lacks()
        except Exception:
            return True  # the process will report what is wrong

    def _send(self, message: str) -> None:
        if self._process is None:
            self._start()
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):  # the process has died; `close` reports that
                self._process.stdin.write(message)
                self._process.stdin.flush()

    def _start(self) -> None:
        code = _START.format(path=sys.path, folder=str(self._store.path.resolve()))
        try:
            with (
                not_for_children()
            ):  # Ctrl-C must reach the sweep only, which then closes this process in order
                self._process = subprocess.Popen(
                    [sys.executable, "-c", code],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
        except OSError as error:
            self._on_problem(f"MLflow is not written ({error}); the rows are safe")
            return
        self._listener.start()

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            for problem in json.loads(line):
                self._on_problem(problem)


def main(folder: str) -> None:
    """The process: syncs once for each message on standard input, and answers with a JSON list of problems.

    If standard input closes without the last message, the sweep was killed. Another sweep may then start at once, so this
    process ends without touching the database again.
    """
    if hasattr(os, "nice"):
        os.nice(NICE)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    _serve(Store(folder), sys.stdin, answers)


def _serve(store: Store, messages: IO[str], answers: IO[str]) -> None:
    from equipoise.tracking.tracker import Tracker

    tracker, reported = Tracker(store), set()
    due = time.monotonic() + SUMMARY_EVERY
    for message in messages:
        problems = tracker.sync().problems
        # They change with every row, so that a short sweep has them written once, at its end.
        if message == _END or time.monotonic() >= due:
            began = time.monotonic()
            problems += tracker.summarize()
            due = time.monotonic() + max(SUMMARY_EVERY, TIMES * (time.monotonic() - began))
        answers.write(json.dumps([p for p in problems if p not in reported]) + "\n")
        answers.flush()
        reported.update(problems)  # the same problem recurs at every sync and is reported once
        if message == _END:
            return
