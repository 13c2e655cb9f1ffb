"""The guarantees of the pipeline: no leaks, equal budgets, paired splits, rows that do not depend on how a sweep is run."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from equipoise import load_dataset
from equipoise.api import choose
from equipoise.contracts.dataset import Dataset
from equipoise.experiment import cell as cell_module
from equipoise.experiment import decision
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import run_alone
from equipoise.splits import outer as splits
from equipoise.store.rows import fingerprint
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import Watcher, sweep

EMAILS = "design-emails[rows=120]"
TINY = {"trials": 2, "folds": 2, "epochs": 2}

FAILING = """
from dataclasses import dataclass
from pathlib import Path
from equipoise.contracts.strategy import Strategy, bce

@dataclass(frozen=True)
class Fragile(Strategy):
    "Fails while a file lies beside it."
    name = "fragile"

    def loss(self, logits, targets, ctx):
        if (Path(__file__).parent / "broken").exists():
            raise RuntimeError("two\\nlines")
        return bce(logits, targets)
"""


@pytest.fixture(autouse=True)
def _without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow is turned off; it has its own tests."""
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


@pytest.fixture(autouse=True)
def _own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins that a test loads are removed after it."""
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})


def numbers(n_labels: int = 3, rows: int = 120) -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(rows, 6)).astype(np.float32)
    Y = (X[:, :n_labels] + rng.normal(size=(rows, n_labels)) > 0.8).astype(np.uint8)
    return Dataset("numbers", X, Y, tuple(f"l{j}" for j in range(n_labels)))


def plan_of(
    strategies: Sequence[str],
    data: str | Dataset = EMAILS,
    backbone: str = "linear",
    split_count: int = 1,
    **settings: Any,
) -> Plan:
    name = data if isinstance(data, str) else data.name
    chosen = choose(None, [name], [backbone], strategies, {**TINY, **settings}, split_count, None)
    return make_plan(chosen, device="cpu", data={} if isinstance(data, str) else {name: data})


def prints(store: Store) -> dict[str, str]:
    return {row["key"]: fingerprint(row) for row in store.rows()}


def by_strategy(plan: Plan, folder: Path) -> dict[str, dict[str, Any]]:
    sweep(plan, Store(folder))
    return {row["strategy"]: row for row in Store(folder).rows()}


# --- what a cell may see


@pytest.mark.parametrize(
    ("data", "backbone", "strategy"),
    [
        (EMAILS, "linear", "ml_ros+focal+scut"),
        (EMAILS, "lstm[hidden=6,embedding=6]", "balanced_sampling"),
        (numbers(), "mlp[hidden=8]", "binary_relevance+global_threshold"),
    ],
    ids=["linear", "lstm", "mlp"],
)
def test_nothing_of_the_test_rows_is_seen_before_everything_is_chosen(
    monkeypatch: pytest.MonkeyPatch, data: str | Dataset, backbone: str, strategy: str
) -> None:
    plan = plan_of([strategy], data, backbone)
    cell, clean = plan.cells[0], next(iter(plan.data.values()))
    train, test = splits.outer_split(clean.Y, cell.split, cell.seed)
    X, Y = clean.X.copy(), clean.Y.copy()
    X[test] = "zebra giraffe okapi" * 9 if clean.kind == "text" else 1e6
    Y[test] = 1 - Y[test]
    fitted = []
    original = decision.fit_decision_rule

    def noting(*args: Any) -> Any:
        fitted.append(original(*args))
        return fitted[-1]

    monkeypatch.setattr(splits, "outer_split", lambda *_: (train, test))
    monkeypatch.setattr(decision, "fit_decision_rule", noting)
    row, kept = run_alone(cell, clean)
    decider = fitted[-1]
    dirty_row, dirty_kept = run_alone(cell, dataclasses.replace(clean, X=X, Y=Y))
    for field in ("params", "objective", "trials", "audit", "split_sha256"):
        assert dirty_row[field] == row[field], field
    for name in ("oof_rows", "oof_logits", "oof_Y", "oof_folds"):
        assert np.array_equal(dirty_kept[name], kept[name]), name
    grid = np.repeat(np.linspace(-6, 6, 4001, dtype=np.float32)[:, None], clean.n_labels, 1)
    clean_maps, dirty_maps = decider.all(grid), fitted[-1].all(grid)
    for name, decided in clean_maps.items():
        assert np.array_equal(decided, dirty_maps[name]), f"the map to {name} differs"
    assert not np.array_equal(dirty_kept["test_logits"], kept["test_logits"]), "the poison must act"
    assert set(kept["oof_rows"]) <= set(train)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(clean.n_rows))


def test_equal_budgets_the_first_trial_being_the_defaults(tmp_path: Path) -> None:
    names = ["none", "pos_weight", "ml_ros+focal[gamma=1.0]"]
    rows = by_strategy(plan_of(names, numbers(), "mlp[hidden=8]", trials=3), tmp_path)
    assert {len(row["trials"]) for row in rows.values()} == {3}
    shared = {"lr": 6e-2, "C": 2.0, "mlp.dropout": 0.2}
    assert rows["none"]["trials"][0]["params"] == shared
    assert rows["pos_weight"]["trials"][0]["params"] == {**shared, "pos_weight.power": 1.0}
    composed = rows["ml_ros+focal[gamma=1.0]"]
    assert composed["trials"][0]["params"] == {**shared, "ml_ros.p": 0.25, "focal.alpha": 0.5}
    assert all("focal.gamma" not in trial["params"] for trial in composed["trials"]), (
        "pinned, so not searched"
    )
    for row in rows.values():
        best = max(row["trials"], key=lambda trial: trial["value"])
        assert (row["params"], row["objective"]) == (best["params"], best["value"])
        assert 0 < row["settled"] <= 1
        assert {name.rsplit(" ", 1)[0] for name in row["edges"]} <= set(row["params"])
        assert len({json.dumps(t["params"]) for t in row["trials"]}) == 3


def test_strategies_are_paired(tmp_path: Path) -> None:
    rows = by_strategy(plan_of(["none", "pos_weight[power=0.0]", "focal", "scut"]), tmp_path)
    store = Store(tmp_path)
    kept = {name: store.predictions(row["key"]) for name, row in rows.items()}
    assert len({row["split_sha256"] for row in rows.values()}) == 1
    for name in ("oof_rows", "oof_folds", "test_rows"):
        assert all(np.array_equal(k[name], kept["none"][name]) for k in kept.values())
    off, none = rows["pos_weight[power=0.0]"], rows["none"]
    assert off["metrics"] == none["metrics"]
    assert np.array_equal(kept["pos_weight[power=0.0]"]["test_logits"], kept["none"]["test_logits"])
    assert rows["focal"]["metrics"] != none["metrics"]
    assert np.array_equal(kept["scut"]["test_own"], kept["scut"]["test_tuned"])


def test_metrics_are_those_of_the_predictions_that_are_kept(tmp_path: Path) -> None:
    from equipoise import metrics

    row = by_strategy(plan_of(["focal"]), tmp_path)["focal"]
    kept = Store(tmp_path).predictions(row["key"])
    assert row["metrics"]["tuned/macro_f1"] == metrics.macro_f1(
        kept["test_Y"], kept["test_tuned"].astype(bool)
    )
    assert np.array_equal(kept["test_fixed"], kept["test_logits"] > 0)
    assert row["metrics"]["fixed/macro_f1"] == metrics.macro_f1(kept["test_Y"], kept["test_logits"] > 0)


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


def fragile(folder: Path) -> str:
    (folder / "fragile.py").write_text(FAILING, encoding="utf-8")
    (folder / "broken").touch()
    return str(folder / "fragile.py")


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


COMMAND = [
    "run",
    "--dataset",
    EMAILS,
    "--backbone",
    "linear",
    "--trials",
    "2",
    "--folds",
    "2",
    "--epochs",
    "2",
]
STRATEGIES = ["none", "focal"]


def test_features_are_fitted_once_for_all_strategies_of_a_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells give the same rows as with separately computed features; one set is held at a time, and none after the sweep."""
    import gc

    from equipoise.contracts.features import TfIdf
    from equipoise.experiment.prepared import Prepared

    def held() -> int:
        gc.collect()
        return sum(type(thing) is Prepared for thing in gc.get_objects())

    plan = plan_of(["none", "focal", "ml_ros"], split_count=2)
    data = plan.data[EMAILS]
    fitted: list[int] = []
    original = TfIdf.fit

    def noting(self: TfIdf, X: Any, nominal: Any = None) -> TfIdf:
        fitted.append(held())
        return original(self, X, nominal)

    monkeypatch.setattr(TfIdf, "fit", noting)
    sweep(plan, Store(tmp_path))
    assert fitted == [0, 0], "one for each split, the one before gone"
    assert held() == 0
    shared = prints(Store(tmp_path))
    for cell in plan.cells:
        row, _ = run_alone(cell, data)
        assert fingerprint(row) == shared[cell.key]
    assert len(fitted) == 2 + len(plan.cells)


def test_what_strategies_share_cannot_be_written_to() -> None:
    from equipoise.catalog.backbones import get_backbone
    from equipoise.experiment.prepared import Preparations

    for data in (numbers(), load_dataset(EMAILS)):
        plan, preparations = plan_of(["none"], data), Preparations()
        made = preparations.of(plan.cells[0], data, get_backbone("linear"))
        array = made.feature_array if data.kind == "numeric" else made.feature_array.data
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7.0
        assert preparations.of(plan.cells[0], data, get_backbone("linear")) is made
        other = preparations.of(plan.cells[0], dataclasses.replace(data), get_backbone("linear"))
        assert other is not made, "a copy of the data may hold anything"


def command(folder: Path, split_count: int, workers: int) -> subprocess.Popen[str]:
    names = [word for name in STRATEGIES for word in ("--strategy", name)]
    more = ["--splits", str(split_count), "--workers", str(workers), "--results", str(folder)]
    line = [
        sys.executable,
        "-c",
        "from equipoise.cli import main; main()",
        *COMMAND,
        *names,
        *more,
        "--device",
        "cpu",
    ]
    folder.parent.mkdir(exist_ok=True)
    env = {**os.environ, "TMPDIR": str(folder.parent)}
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def wait_for(what: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "that took too long"
        time.sleep(0.02)


def lines_of(folder: Path) -> int:
    file = folder / "rows.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


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


def descendants(pid: int) -> list[int]:
    """The descendants of a process; workers are forked by a child process that does nothing else."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found + [deeper for child in found for deeper in descendants(child)]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_workers_do_not_outlive_a_killed_sweep(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    running = command(folder, 20, 2)
    wait_for(lambda: lines_of(folder) >= 1 or running.poll() is not None)
    workers = descendants(running.pid)
    assert list(tmp_path.glob("equipoise-*/*.pickle")), "the data that workers read"
    running.kill()
    running.wait()
    assert len(workers) >= 4, "two workers, what they are forked from, and Python's tracker of semaphores"
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 20)
    assert list(tmp_path.glob("equipoise-*")) == []
    done = lines_of(folder)
    sweep(plan_of(STRATEGIES, split_count=1), Store(folder))  # the lock is free again
    assert done >= 1


KILLER = """
import os, signal
from dataclasses import dataclass
from equipoise.contracts.strategy import Strategy

@dataclass(frozen=True)
class Killer(Strategy):
    "Kills its process."
    name = "killer"

    def weights(self, Y, ctx):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_cell_whose_worker_dies_twice_becomes_a_failed_row_and_harms_no_other(tmp_path: Path) -> None:
    (tmp_path / "killer.py").write_text(KILLER, encoding="utf-8")
    plan = plan_of(["none", str(tmp_path / "killer.py"), "focal", "ml_ros"], epochs=20)
    sweep(plan, Store(tmp_path / "store"), workers=2)
    rows = Store(tmp_path / "store").rows()
    assert len(rows) == 4
    assert {r["strategy"] for r in rows if r["status"] == "failed"} == {"killer"}
    assert all("died, twice" in r["error"] for r in rows if r["status"] == "failed")
    assert sum(r["status"] == "ok" for r in rows) == 3


UNGUARDED = """
import equipoise

equipoise.run(
    dataset="design-emails[rows=120]", backbone="linear", strategy=["none", "focal"], splits=1, trials=2, workers=2, results="out"
)
"""


def test_workers_that_cannot_start_end_the_sweep_with_one_message(tmp_path: Path) -> None:
    """A script without a guard runs again in each worker, which dies of it: the sweep must not start workers for ever."""
    (tmp_path / "unguarded.py").write_text(UNGUARDED, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "unguarded.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].endswith("or run with workers=1")
    assert "worker processes cannot start" in done.stderr


# --- what does not fit


@pytest.mark.parametrize(
    ("data", "backbone", "strategy", "reason"),
    [
        (numbers(), "lstm", "none", "lstm reads text; numbers has numeric inputs"),
        (numbers(1), "linear", "inverse_frequency_softmax", "needs two labels or more; numbers has one"),
        (
            numbers(rows=12),
            "linear",
            "none",
            "numbers has 12 rows; an outer split with 3 inner folds needs 15",
        ),
    ],
)
def test_a_pair_that_does_not_fit_is_a_row_with_its_reason(
    tmp_path: Path, data: Dataset, backbone: str, strategy: str, reason: str
) -> None:
    plan = plan_of([strategy], data, backbone, folds=3)
    assert plan.cells == ()
    sweep(plan, Store(tmp_path))
    sweep(plan, Store(tmp_path))
    (row,) = Store(tmp_path).rows()
    assert row["status"] == "skipped"
    assert reason in row["reason"]
    assert lines_of(tmp_path) == 1


# --- the key: everything that decides a row, and nothing else


def key_of(strategy: str = "focal", **settings: Any) -> str:
    return plan_of([strategy], numbers(), **settings).cells[0].key


def test_settings_and_versions_change_the_key_and_the_name_of_the_data_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = key_of()
    changed = [
        key_of(**{name: value})
        for name, value in (("trials", 3), ("folds", 3), ("epochs", 3), ("batch_size", 32))
    ]
    changed += [key_of(objective="map"), key_of(trial_batch=1), key_of("focal[gamma=1.0]"), key_of("none")]
    changed += [key_of(backbone="mlp"), key_of(backbone="linear[max_features=9]")]
    assert len({key, *changed}) == 11
    assert key_of() == key
    renamed = dataclasses.replace(numbers(), name="others")
    assert plan_of(["focal"], renamed).cells[0].key == key
    relabelled = dataclasses.replace(numbers(), Y=1 - numbers().Y)
    assert plan_of(["focal"], relabelled).cells[0].key != key
    found = cell_module.versions()
    monkeypatch.setattr(cell_module, "versions", lambda: {**found, "torch": "9.9"})
    assert key_of() != key


def test_code_changes_the_key_and_comments_do_not(tmp_path: Path) -> None:
    file = tmp_path / "fragile.py"
    file.write_text(FAILING, encoding="utf-8")
    key = key_of(str(file))
    told = FAILING.replace('"Fails', '"It fails').replace("        if", "        # a note\n\n        if")
    file.write_text(told, encoding="utf-8")
    assert key_of(str(file)) == key
    file.write_text(FAILING.replace("return bce", "return 2 * bce"), encoding="utf-8")
    assert key_of(str(file)) != key


def test_a_plugin_that_was_edited_runs_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "fragile.py"
    file.write_text(FAILING, encoding="utf-8")
    before = by_strategy(plan_of([str(file)]), tmp_path / "a")["fragile"]
    file.write_text(FAILING.replace("return bce(", "return 3 * targets * bce("), encoding="utf-8")
    after = by_strategy(plan_of([str(file)]), tmp_path / "b")["fragile"]
    assert after["key"] != before["key"]
    assert after["metrics"] != before["metrics"]


def test_where_a_plugin_lies_does_not_change_the_key() -> None:
    cell: Cell = plan_of(["none"], numbers()).cells[0]
    assert dataclasses.replace(cell, plugin="/elsewhere/mine.py", dataset="renamed").key == cell.key
    assert dataclasses.replace(cell, split=1).key != cell.key
    assert dataclasses.replace(cell, device="cuda").key != cell.key


# --- from Python


def test_run_takes_objects_and_gives_a_line_for_each_cell(tmp_path: Path) -> None:
    from equipoise import run

    frame = run(
        dataset=[load_dataset(EMAILS), numbers()],
        backbone=["linear", "lstm"],
        strategy="none",
        splits=1,
        results=tmp_path,
        device="cpu",
        **{**TINY, "epochs": 1},
    )
    assert len(frame) == 4
    assert frame["status"].value_counts().to_dict() == {"ok": 3, "skipped": 1}
    assert {"fixed/macro_f1", "tuned/macro_f1", "param/lr", "cost/seconds_total"} <= set(frame.columns)
    assert os.path.exists(tmp_path / "rows.jsonl")
