"""Ctrl-C does not interrupt atomic operations, and does not reach child processes that must ignore it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from equipoise.core.signals import deferred_sigint, not_for_children

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")


def test_an_interrupt_takes_effect_when_the_work_is_done() -> None:
    done = []
    before = signal.getsignal(signal.SIGINT)

    def work() -> None:
        with deferred_sigint():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("whole")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is before
    with deferred_sigint():
        done.append("again")
    assert done == ["whole", "again"]


def test_an_error_is_not_hidden_by_an_interrupt() -> None:
    def work() -> None:
        with deferred_sigint():
            os.kill(os.getpid(), signal.SIGINT)
            raise ImportError

    with pytest.raises(ImportError):
        work()


def test_children_are_deaf_from_their_start(tmp_path: Path) -> None:
    code = "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"
    with not_for_children():
        deaf = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    hearing = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (deaf.stdout.strip(), hearing.stdout.strip()) == ("True", "False")


def test_who_is_deaf_stays_deaf() -> None:
    with not_for_children(), deferred_sigint():
        os.kill(os.getpid(), signal.SIGINT)


def test_in_another_thread_nothing_is_changed() -> None:
    seen = []

    def work() -> None:
        with deferred_sigint(), not_for_children():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
