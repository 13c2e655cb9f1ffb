"""The process that writes MLflow during a sweep writes every row once, never delays training, and ends with the sweep."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from equipoise.api import choose
from equipoise.store.store import Store
from equipoise.sweep import run as sweep
from equipoise.sweep.plan import Plan, make_plan
from equipoise.tracking import writer
from equipoise.tracking.database import runs_by_tag
from equipoise.tracking.tracker import KEY, VERSION
from equipoise.tracking.writer import MlflowWriter

BUDGET = {"trials": 1, "folds": 2, "epochs": 1}


def a_row(key: str = "k0", **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "status": "failed",
        "dataset": "letters",
        "backbone": "linear",
        "strategy": "none",
        "split": 0,
        "error": "RuntimeError: no",
        "created": "2026-05-04T10:00:00+00:00",
        **more,
    }


def plan() -> Plan:
    chosen = choose(None, ["design-emails[rows=60]"], ["linear"], ["none", "focal"], BUDGET, 1, None)
    return make_plan(chosen, device="cpu")


def keys(store: Store) -> list[str]:
    """The row keys of the finished runs, without those above the cells."""
    found = runs_by_tag(store.path / "mlflow.db", KEY, VERSION)
    return sorted(key for key, _, version in found if version and "-" not in key)


def test_a_sweep_leaves_every_row_in_mlflow_and_needs_none_when_nothing_is_new(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(template, tmp_path / "mlflow.db")
    monkeypatch.setattr(sweep, "SYNC_EVERY", 0.0)
    told: list[str] = []
    watch, store = sweep.Watcher(on_problem=told.append), Store(tmp_path)
    sweep.sweep(plan(), store, watcher=watch)
    assert told == []
    assert keys(store) == sorted(store.statuses())
    assert len(keys(store)) == 2
    monkeypatch.setattr(MlflowWriter, "_start", None)
    sweep.sweep(plan(), store, watcher=watch)
    store.append(a_row())
    with pytest.raises(TypeError, match="NoneType"):
        sweep.sweep(plan(), store, watcher=watch)


def test_problems_are_told_once_in_a_line_each(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(a_row())
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    told: list[str] = []
    writer = MlflowWriter(store, told.append)
    writer.notify()
    writer.notify()
    writer.close()
    (line,) = told
    assert "has been made again from the rows" in line
    assert "\n" not in line


def test_a_process_that_dies_or_cannot_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.append(a_row())
    for attribute, value, words in (
        ("_START", "raise SystemExit(3)", "ended with code 3"),
        ("_START", "import os; os.kill(os.getpid(), 9)", "ended with code -9"),
    ):
        told: list[str] = []
        monkeypatch.setattr(writer, attribute, value)
        MlflowWriter(store, told.append).close()
        assert len(told) == 1
        assert words in told[0]
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-such-python"))
    told = []
    MlflowWriter(store, told.append).close()
    assert "No such file" in told[0]


def test_without_the_last_word_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a sweep was killed, another may hold the store, so nothing more may be written for the first."""
    synced: list[int] = []

    class Counting:
        def __init__(self, store: Store) -> None: ...

        def sync(self) -> Any:
            synced.append(1)
            return type("Done", (), {"problems": ["the same"]})

        def summarize(self) -> list[str]:
            return []

    monkeypatch.setattr("equipoise.tracking.tracker.Tracker", Counting)
    answers = io.StringIO()
    writer._serve(Store(tmp_path), io.StringIO("news\nnews\n"), answers)
    assert len(synced) == 2
    assert [json.loads(line) for line in answers.getvalue().splitlines()] == [["the same"], []]
    writer._serve(Store(tmp_path), io.StringIO("end\nnews\n"), io.StringIO())
    assert len(synced) == 3


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_does_not_reach_it_and_it_ends_with_its_sweep(tmp_path: Path, template: Path) -> None:
    shutil.copyfile(template, tmp_path / "mlflow.db")
    Store(tmp_path).append(a_row())
    code = (
        "import sys, time\nfrom equipoise.tracking.writer import MlflowWriter\nfrom equipoise.store.store import Store\n"
        f"writer = MlflowWriter(Store({str(tmp_path)!r}), print)\nwriter.notify()\nprint(writer._process.pid, flush=True)\n"
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    writer.close()\n    print('finished')\n"
    )
    start = {"stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    first = subprocess.Popen([sys.executable, "-c", code], **start)  # type: ignore[call-overload]
    first.stdout.readline()
    time.sleep(0.3)
    os.killpg(first.pid, signal.SIGINT)  # the terminal sends it to all
    assert first.communicate(timeout=120)[0] == "finished\n"
    assert keys(Store(tmp_path)) == ["k0"]
    second = subprocess.Popen([sys.executable, "-c", code], **start)  # type: ignore[call-overload]
    second.stdout.readline()
    second.kill()
    assert second.communicate(timeout=120)[0] == ""  # its end closes the pipe: so the process has gone, too
    end = time.monotonic() + 60
    while subprocess.run(["pgrep", "-g", str(second.pid)], capture_output=True, check=False).stdout:
        assert time.monotonic() < end
        time.sleep(0.1)
