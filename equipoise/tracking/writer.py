"""Who writes MLflow during a sweep: a process of its own, so that no training waits for it.

MLflow takes seconds to import and to make its database, and a tenth of a second a run. The process reads the store's rows
from the disk; it is told when there are new ones, and it is alone with the database as long as the sweep holds the store's
lock. It costs a lower priority than what trains, and it ends with the sweep, however that ends.
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
    """Brings MLflow up to date with a store; problems are told in one line each, and lose no row."""

    def __init__(self, store: Store, on_problem: Callable[[str], None]) -> None:
        self._store, self._on_problem = store, on_problem
        self._process: subprocess.Popen[str] | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def notify(self) -> None:
        """There are new rows. Returns at once."""
        self._say(_NEWS)

    def close(self) -> None:
        """Write what MLflow lacks of the store, be it from an earlier sweep, and wait until that is done."""
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
        """Whether it is worth starting a process."""
        from equipoise.tracking.tracker import Tracker

        try:
            return self._store.rows_file.exists() and Tracker(self._store).lacks()
        except Exception:
            return True  # the process will say what is wrong

    def _say(self, word: str) -> None:
        if self._process is None:
            self._start()
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it has ended: `finish` will tell
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
    """The process: a sync for each word on standard input, a JSON list of problems for each on standard output.

    Without the last word the sweep was killed. Then another one may begin, and this process leaves the database to it.
    """
    if hasattr(os, "nice"):
        os.nice(NICE)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
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
