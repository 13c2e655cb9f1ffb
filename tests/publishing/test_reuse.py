"""`equipoise run --reuse`: rows of a published folder count as done on another machine, and the rest is computed."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

import equipoise
from equipoise.experiment.settings import Settings
from equipoise.publishing.readme import UNWRITTEN
from equipoise.publishing.reuse import _reason
from equipoise.store.store import Store
from equipoise.sweep.rescore import rescore

Say = Callable[..., Any]
Edit = Callable[..., None]
#: What the fixture `swept` has run, and one strategy more.
RUN = [
    *("run", "--dataset", "design-emails[rows=120]", "--dataset", "design-emails[rows=120,seed=1]"),
    *("--backbone", "linear", "--strategy", "none", "--strategy", "focal", "--strategy", "scut"),
    *("--trials", "1", "--folds", "2", "--epochs", "2", "--splits", "2", "--workers", "1", "--device", "cpu"),
    *("--results", "store"),
]


def rows_of(folder: Path) -> list[bytes]:
    return gzip.decompress((folder / "rows.jsonl.gz").read_bytes()).splitlines()


def test_only_what_is_missing_is_computed(say: Say, folder: Path, tmp_path: Path) -> None:
    before = rows_of(folder)
    planned = say(*RUN, "--strategy", "asl", "--reuse", str(folder), "--dry-run")
    assert planned.code == 0, planned
    assert "12 of 12 rows are used" in planned.out
    assert "16 cells (12 there already)" in planned.out
    assert not (tmp_path / "store").exists(), "a dry run writes nothing"
    done = say(*RUN, "--strategy", "asl", "--reuse", str(folder))
    assert done.code == 0, done
    store = Store(tmp_path / "store")
    rows = store.rows()
    assert len(rows) == 16
    assert len(store.without_predictions(row["key"] for row in rows)) == 12
    again = say(*RUN, "--strategy", "asl", "--reuse", str(folder))
    assert "0 of 12 rows are used, 12 are in the store already" in again.out
    assert "the predictions of 12 rows of this plan are missing" in again.err + again.out
    assert len(store.rows()) == 16
    # Published again with what was computed here, the rows from there are the same bytes.
    assert say("publish", "more-2026-11", "--results", "store", "--into", "out").code == 0
    assert set(before) < set(rows_of(tmp_path / "out" / "more-2026-11"))


def test_rows_that_do_not_fit_are_counted_and_computed(
    say: Say, folder: Path, forge: Edit, tmp_path: Path
) -> None:
    def change(row: dict[str, Any]) -> None:
        if row["strategy"] == "focal":
            row["code"], row["key"] = "0123/4567/89ab", f"k{row['key'][1:]}"
        if row["strategy"] == "scut" and row["split"] == 0:
            row["dataset_sha256"], row["key"] = "0" * 64, f"k{row['key'][1:]}"
        row["cpu"] = "AVX9"

    forge(folder, change)
    planned = say(*RUN, "--reuse", str(folder), "--dry-run")
    assert planned.code == 0, planned
    # Long lines are wrapped.
    said = " ".join(planned.out.split())
    assert (
        "6 of 12 rows are used, 4 are of other code or libraries (engine, backbone's code, strategy's code)"
        in said
    )
    assert "2 are of another content of the data set" in said
    assert "12 cells (6 there already)" in said
    assert "CPU capability AVX9, and this machine has" in said
    other = say(*[word if word != "2" else "3" for word in RUN], "--reuse", str(folder), "--dry-run")
    assert "of other settings" in other.out
    few = say(*RUN[:3], *RUN[5:], "--reuse", str(folder), "--dry-run")
    assert "of cells that are not planned" in few.out


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: shutil.rmtree(folder), "no folder"),
        (lambda folder: (folder / "manifest.json").unlink(), "was not written by equipoise publish"),
        (lambda folder: (folder / "rows.jsonl.gz").write_bytes(b"x"), "was changed after it was published"),
        (lambda folder: (folder / "means.csv").unlink(), "is incomplete"),
    ],
)
def test_a_wrong_or_damaged_folder_is_one_line(damage: Any, said: str, say: Say, folder: Path) -> None:
    damage(folder)
    refused = say(*RUN, "--reuse", str(folder), "--dry-run")
    assert (refused.code, refused.err.count("\n")) == (2, 1), refused
    assert said in refused.err


def test_a_cell_that_two_blocks_plan_is_compared_with_the_one_of_its_settings() -> None:
    cells = [
        SimpleNamespace(
            key=str(n),
            dataset_sha256="d",
            settings=Settings(trials=n),
            code="e/b/s",
            external="",
            device="cpu",
        )
        for n in (1, 2)
    ]
    names = ("data", "linear", "none", 0, 0)
    row = dict(zip(("dataset", "backbone_identity", "strategy", "split", "seed"), names, strict=True))
    row |= {"key": "k", "dataset_sha256": "d", "code": "e/b/other", "device": "cpu"}
    for trials in (1, 2):
        row["settings"] = asdict(Settings(trials=trials))
        assert _reason(row, {names: cells}) == "of other code or libraries (strategy's code)"  # type: ignore[dict-item]
    row["settings"] = asdict(Settings(trials=3))
    assert _reason(row, {names: cells}) == "of other settings"  # type: ignore[dict-item]


def test_what_is_withdrawn_is_not_reused(say: Say, folder: Path) -> None:
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8").replace(UNWRITTEN, "Withdrawn: the data were wrong.")
    readme.write_text(text, encoding="utf-8")
    refused = say(*RUN, "--reuse", str(folder), "--dry-run")
    assert (refused.code, refused.err.count("\n")) == (2, 1), refused
    assert "is withdrawn" in refused.err


def test_all_anew_and_reuse_contradict_each_other(say: Say, folder: Path) -> None:
    refused = say(*RUN, "--reuse", str(folder), "--redo", "all", "--dry-run")
    assert (refused.code, refused.err.count("\n")) == (2, 1), refused
    assert "--redo all" in refused.err


def test_from_python_and_rescored_in_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    monkeypatch.setattr("equipoise.sweep.rescore.MlflowWriter", Mock())
    frame = equipoise.run(
        dataset=["design-emails[rows=120]", "design-emails[rows=120,seed=1]"],
        backbone="linear",
        strategy=["none", "focal", "scut"],
        splits=2,
        trials=1,
        folds=2,
        epochs=2,
        reuse=folder,
        device="cpu",
        results=tmp_path / "store",
    )
    assert len(frame) == 12
    store = Store(tmp_path / "store")
    assert {row["key"] for row in store.rows()} == {json.loads(line)["key"] for line in rows_of(folder)}
    monkeypatch.setattr("equipoise.experiment.versions.metrics_code", lambda: "other")
    problems: list[str] = []
    done = rescore(store, on_problem=problems.append)
    assert (done.rescored, done.failed) == (0, 12)
    assert problems == done.problems
    (problem,) = problems
    assert problem.startswith("12 rows keep their metrics")
