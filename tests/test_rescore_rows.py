"""What a rescore does to the rows of a store."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from equipoise.core.errors import EquipoiseError
from equipoise.experiment import versions
from equipoise.experiment.pipeline import run_alone
from equipoise.store.rows import clean, fingerprint
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan
from equipoise.sweep.rescore import rescore
from equipoise.sweep.run import Watcher, sweep

from .shared import rescored
from .shared.rescored import STRATEGIES, another_metric, plan_of

_without_mlflow = rescored.without_mlflow
swept = rescored.swept
store = rescored.store


# --- rows
def test_rows_whose_metrics_are_current_are_left_alone(store: Store) -> None:
    before = store.rows_file.read_bytes()
    done = rescore(store)
    assert (done.rescored, done.current, done.problems) == (0, len(STRATEGIES), [])
    assert store.rows_file.read_bytes() == before


def test_stored_predictions_give_the_same_metrics_bit_for_bit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {row["key"]: clean({**row, "metrics_code": ""}) for row in store.rows()}
    monkeypatch.setattr(versions, "metrics_code", lambda: "f" * 16)
    assert rescore(store).rescored == len(STRATEGIES)
    assert {row["key"]: clean({**row, "metrics_code": ""}) for row in store.rows()} == before
    assert {row["metrics_code"] for row in store.rows()} == {"f" * 16}


@pytest.mark.parametrize("folds", [1, 2])
def test_a_rescored_row_is_the_row_of_a_fresh_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folds: int
) -> None:
    """With a single holdout, too, where most training rows have no out-of-fold logits."""
    plan, store = plan_of("none", "ml_ros+temperature+scut", folds=folds), Store(tmp_path / "store")
    sweep(plan, store)
    old = {row["key"]: row for row in store.rows()}
    another_metric(monkeypatch)
    assert rescore(store).rescored == 2
    for row in store.rows():
        cell = next(c for c in plan.cells if c.key == row["key"])
        fresh, _ = run_alone(cell, plan.data["numbers"])
        assert fingerprint(fresh) == fingerprint(row)
        added = set(row["metrics"]) - set(old[row["key"]]["metrics"])
        assert added == {f"{n}/predicted_per_trained" for n in ("fixed", "tuned", "own")}
        assert row["created"] == old[row["key"]]["created"]


def test_a_rescored_row_keeps_its_place_among_the_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report takes the later row of a cell: one by earlier code must not become the later one by being rescored."""
    first = store.rows()[0]
    newer = {**first, "key": "newer", "metrics_code": "f" * 16, "created": "2030-01-01T00:00:00+00:00"}
    store.append(newer, store.predictions(first["key"]))
    before = [row["key"] for row in store.rows()]
    another_metric(monkeypatch)
    done = rescore(store)
    assert (done.rescored, done.current) == (len(STRATEGIES), 1)
    assert [row["key"] for row in store.rows()] == before
    assert before[-1] == "newer"


def test_missing_damaged_and_older_predictions_are_a_line_each_and_keep_their_rows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {row["strategy"]: row for row in store.rows()}
    files = {name: store.predictions_dir / f"{row['key']}.npz" for name, row in rows.items()}
    files["none"].unlink()
    files["scut"].write_bytes(files["scut"].read_bytes()[:99])
    kept = store.predictions(rows["top_k"]["key"])
    np.savez_compressed(files["top_k"], **{n: a for n, a in kept.items() if n != "train_Y"})
    another_metric(monkeypatch)
    lines: list[str] = []
    done = rescore(store, on_problem=lines.append)
    assert (done.rescored, done.current) == (1, 0)
    assert done.problems == lines
    assert len(lines) == 3
    assert all("\n" not in line for line in lines)
    said = {n: next(line for line in lines if rows[n]["key"] in line) for n in ("none", "scut", "top_k")}
    assert "no predictions for row" in said["none"]
    assert "damaged" in said["scut"]
    assert "lack train_Y" in said["top_k"]
    now = {row["strategy"]: row for row in store.rows()}
    assert len(now) == len(rows)
    assert all(clean(now[name]) == clean(rows[name]) for name in said)
    assert "own/predicted_per_trained" in now["ml_ros+temperature"]["metrics"]


def test_failed_and_skipped_rows_are_left_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for status in ("failed", "skipped"):
        cell = {"dataset": "letters", "backbone": "linear", "strategy": "none", "split": 0}
        store.append({"key": status, "status": status, "error": "why", **cell})
    another_metric(monkeypatch)
    done = rescore(store)
    assert (done.rescored, done.problems) == (len(STRATEGIES), [])
    assert {"failed", "skipped"} <= set(store.statuses().values())


def test_a_sweep_says_when_rows_hold_metrics_of_earlier_code(
    swept: tuple[Plan, Path], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    sweep(swept[0], store, watcher=Watcher(on_problem=lines.append))
    assert lines == []
    another_metric(monkeypatch)
    sweep(swept[0], store, watcher=Watcher(on_problem=lines.append))
    assert [line.split(";")[0] for line in lines] == ["4 rows of this plan hold metrics of earlier code"]


SLOW = """
    import sys, time
    from unittest.mock import Mock
    from equipoise.experiment import versions
    from equipoise.store.store import Store
    from equipoise.sweep import rescore
    versions.metrics_code = lambda: "f" * 16
    rescore.MlflowWriter = Mock()
    rescore.rescore(Store(sys.argv[1]), on_row=lambda done, total: (print(done, flush=True), time.sleep(0.2)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_killed_in_the_middle_it_loses_nothing_and_the_next_one_does_the_rest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {row["key"]: clean({**row, "metrics_code": ""}) for row in store.rows()}
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOW), str(store.path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    with store.rows_file.open("ab") as file:
        file.write(b'{"key": "half a li')  # what a kill in the middle of a write leaves
    monkeypatch.setattr(versions, "metrics_code", lambda: "f" * 16)
    done = rescore(store)
    assert done.current >= 1
    assert done.current + done.rescored == len(before)
    assert {row["key"]: clean({**row, "metrics_code": ""}) for row in store.rows()} == before


def test_it_waits_for_no_sweep_and_makes_no_store(store: Store, tmp_path: Path) -> None:
    with pytest.raises(EquipoiseError, match="no rows in"):
        rescore(Store(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()
    other = Store(store.path)
    with other.locked(), pytest.raises(EquipoiseError, match="another run is writing"):
        rescore(store)
