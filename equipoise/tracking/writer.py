"""The process that writes MLflow during a sweep, so that no training waits for it.

MLflow takes seconds to import and to create its database, and a tenth of a second per run. The process reads the rows of
the store from the disk when it is notified of new ones. While the sweep holds the lock of the store, no other process writes
the database. The process runs at a lower priority than the training, and it ends with the sweep, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO

from equipoise.core.signals import not_for_children
from equipoise.store.store import Store

NICE = 5
_START = "import sys; sys.path[:] = {path!r}; from equipoise.tracking.writer import main; main({folder!r})"
_NEWS, _END = "news\n", "end\n"


class MlflowWriter:
    """Brings MLflow up to date with a store; a problem is reported in one line and never loses a row."""

    def __init__(self, store: Store, on_problem: Callable[[str], None]) -> None:
        self._store, self._on_problem = store, on_problem
        self._process: subprocess.Popen[str] | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def notify(self) -> None:
        """Have new rows written; returns at once."""
        self._say(_NEWS)

    def close(self) -> None:
        """Write all rows that MLflow lacks, those of earlier sweeps too, and wait until they are written."""
        if self._process is None and not self._lacking():
            return
        self._say(_END)
        if self._process is None:
            return
        try:
            code = self._process.wait()
        except BaseException:  # a second Ctrl-C
            self._process.kill()
            self._process.wait()
            raise
        self._listener.join()
        if code != 0:
            self._on_problem(
                f"MLflow was not written (its process ended with code {code}); the rows are safe"
            )

    def _lacking(self) -> bool:
        """Whether there is anything to start a process for."""
        from equipoise.tracking.tracker import Tracker

        try:
            return self._store.rows_file.exists() and Tracker(self._store).lacks()
        except Exception:
            return True  # the process will report what is wrong

    def _say(self, word: str) -> None:
        if self._process is None:
            self._start()
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):  # the process has ended: `close` will report it
                self._process.stdin.write(word)
                self._process.stdin.flush()

    def _start(self) -> None:
        code = _START.format(path=sys.path, folder=str(self._store.path.resolve()))
        try:
            with not_for_children():
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
    """Run in the process: sync once for each line on standard input, and answer it with a JSON list of problems.

    If the input ends without the last word, the sweep was killed: another one may have begun, so this process writes no more.
    """
    if hasattr(os, "nice"):
        os.nice(NICE)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # so that what a library prints is not taken for an answer
    _serve(Store(folder), sys.stdin, answers)


def _serve(store: Store, words: IO[str], answers: IO[str]) -> None:
    from equipoise.tracking.tracker import Tracker

    tracker, told = Tracker(store), set()
    for word in words:
        problems = tracker.sync().problems
        answers.write(json.dumps([p for p in problems if p not in told]) + "\n")
        answers.flush()
        told.update(problems)
        if word == _END:
            return
