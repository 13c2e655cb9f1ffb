"""The rows of a sweep do not depend on how it is run: in which order, in how many processes, or killed and continued."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import numpy as np
import pytest

from equipoise.store.store import Store
from equipoise.sweep.run import Watcher, sweep

from .shared.pipeline import STRATEGIES, command, fragile, lines_of, plan_of, prints, wait_for

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")


# --- the same rows, however they are made
def test_two_sweeps_write_the_same_rows_in_any_order(tmp_path: Path) -> None:
    plan = plan_of(["none", "ml_ros+focal", "binary_relevance"], split_count=2)
    backwards = dataclasses.replace(plan, cells=plan.cells[::-1])
    sweep(plan, Store(tmp_path / "a"))
    sweep(backwards, Store(tmp_path / "b"))
    first, second = prints(Store(tmp_path / "a")), prints(Store(tmp_path / "b"))
    assert len(first) == 6
    assert first == second
    for key in first:
        one, two = (Store(tmp_path / name).predictions(key) for name in "ab")
        assert all(np.array_equal(one[name], two[name]) for name in one)


def test_what_is_there_is_not_run_again(tmp_path: Path) -> None:
    plan = plan_of(["none", "focal"])
    ran: list[str] = []
    watch = Watcher(on_row=lambda cell, row: ran.append(cell.strategy))
    sweep(dataclasses.replace(plan, cells=plan.cells[:1]), Store(tmp_path), watcher=watch)
    sweep(plan, Store(tmp_path), watcher=watch)
    sweep(plan, Store(tmp_path), watcher=watch)
    assert ran == ["none", "focal"]
    sweep(plan, Store(tmp_path), redo="all", watcher=watch)
    assert ran == ["none", "focal"] * 2
    assert len(Store(tmp_path).rows()) == 2


def test_a_failure_is_a_row_and_is_redone_alone(tmp_path: Path) -> None:
    plan = plan_of([fragile(tmp_path), "none"])
    store = Store(tmp_path / "store")
    ran: list[str] = []
    watch = Watcher(on_row=lambda cell, row: ran.append(f"{cell.strategy} {row['status']}"))
    sweep(plan, store, watcher=watch)
    assert ran == ["fragile failed", "none ok"]
    failed = store.rows()[0]
    assert failed["error"] == "RuntimeError: two lines"
    assert "fragile.py" in failed["traceback"]
    sweep(plan, store, watcher=watch)
    assert len(ran) == 2, "a failed cell is not tried again unasked"
    (tmp_path / "broken").unlink()
    sweep(plan, store, redo="failed", watcher=watch)
    assert ran[2:] == ["fragile ok"]
    assert {row["status"] for row in store.rows()} == {"ok"}
    metrics = {row["strategy"]: row["metrics"] for row in store.rows()}
    assert metrics["fragile"] == metrics["none"]


def test_two_workers_write_the_rows_of_one_failures_too(tmp_path: Path) -> None:
    plan = plan_of(["none", fragile(tmp_path), "ml_ros+focal", "scut"])
    sweep(plan, Store(tmp_path / "one"))
    sweep(plan, Store(tmp_path / "two"), workers=2)
    first = prints(Store(tmp_path / "one"))
    assert first == prints(Store(tmp_path / "two"))
    assert len(first) == 4


@pytest.mark.slow
def test_killed_outright_and_started_again_a_sweep_has_the_rows_of_a_straight_one(tmp_path: Path) -> None:
    plan = plan_of(STRATEGIES, split_count=4)
    sweep(plan, Store(tmp_path / "straight"))
    folder = tmp_path / "killed"
    running = command(folder, 4, 1)
    wait_for(lambda: lines_of(folder) >= 2 or running.poll() is not None)
    running.kill()
    output = running.communicate()[0]
    done = lines_of(folder)
    assert running.returncode == -signal.SIGKILL, output
    assert 2 <= done < len(plan.cells), "killed in the middle, or this tests nothing"
    with (folder / "rows.jsonl").open("ab") as file:
        file.write(b'{"key": "half a li')  # what a kill in the middle of a write leaves
    running = command(folder, 4, 1)
    output = running.communicate(timeout=240)[0]
    assert running.returncode == 0, output
    assert f"{len(plan.cells)} cells ({done} there already)" in output
    assert "half a line" in " ".join(output.split())
    assert prints(Store(folder)) == prints(Store(tmp_path / "straight"))
    assert lines_of(folder) == len(plan.cells), "nothing twice"
