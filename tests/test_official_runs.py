"""Runs on the official split, from the command line and from Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import equipoise
from equipoise.cli.main import app
from equipoise.core.errors import EquipoiseError
from equipoise.splits.outer import split_hash
from equipoise.store.store import Store

from .shared.official import data

pytestmark = pytest.mark.usefixtures("without_mlflow")

TINY = {"trials": 1, "folds": 2, "epochs": 1}

SOURCE = '''
from dataclasses import dataclass

import numpy as np

from equipoise import Dataset
from equipoise.contracts.dataset import DatasetSource


@dataclass(frozen=True)
class Toy(DatasetSource):
    """A hundred rows; the last thirty are the test rows of the official split."""

    official: bool = True

    def load(self, data_dir):
        rng = np.random.default_rng(0)
        Y = (rng.random((100, 3)) < [0.5, 0.3, 0.2]).astype(np.uint8)
        X = Y @ rng.normal(size=(3, 4)) + rng.normal(size=(100, 4))
        part = np.repeat([0, 1, 2], [60, 10, 30]) if self.official else None
        return Dataset("toy", X, Y, ("a", "b", "c"), official=part)


sources = (Toy("toy", "made up"),)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set source named toy, registered as a plugin's would be."""
    from equipoise.catalog.registry import registry

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    Path("toy.py").write_text(SOURCE, encoding="utf-8")
    registry("dataset").add_file("toy.py")


def run(*words: str) -> str:
    found = CliRunner().invoke(app, ["run", *words], env={"COLUMNS": "160"})
    assert found.exit_code == 0, found.output
    return " ".join(found.output.split())


# --- from end to end
def test_run_from_the_command_line(toy: None) -> None:
    words = ["--dataset", "toy", "--backbone", "linear", "--strategy", "none", "--strategy", "focal"]
    words += ["--trials", "1", "--folds", "2", "--epochs", "1", "--workers", "1", "--device", "cpu"]
    words += ["--results", "results"]
    dry = run(*words, "--splits", "official", "--dry-run")
    assert "toy · linear · focal · official split" in dry
    assert "toy: the official split, 70 rows to train and tune on, 30 to test on" in dry
    said = run(*words, "--splits", "official")
    assert "2/2 toy · linear · focal · official split" in said
    assert "the official split alone, so no intervals" in said
    rows = Store("results").rows()
    assert [(row["status"], row["split"]) for row in rows] == [("ok", "official")] * 2
    predictions = Store("results").predictions(rows[0]["key"])
    assert predictions["test_rows"].tolist() == list(range(70, 100))
    assert predictions["oof_rows"].max() < 70
    assert rows[0]["split_sha256"] == split_hash(np.arange(70), np.arange(70, 100))
    assert "2 cells (2 there already)" in run(*words, "--splits", "official")
    assert "4 cells (0 there already)" in run(*words, "--splits", "2")
    told = CliRunner().invoke(app, ["report", "--results", "results", "--json"]).output
    assert [len(one["splits"]) for one in json.loads(told)] == [1, 2], "two comparisons, never one mean"
    assert [one["official"] for one in json.loads(told)] == [True, False]


def test_a_suite_file_runs_and_its_report_is_of_its_rows(toy: None) -> None:
    text = (
        'datasets = ["toy"]\nbackbones = ["linear"]\nstrategies = ["none"]\nsplits = "official"\n'
        "[settings]\ntrials = 1\nfolds = 2\nepochs = 1\n"
    )
    Path("mine.toml").write_text(text, encoding="utf-8")
    run("mine.toml", "--workers", "1", "--device", "cpu", "--results", "results")
    run("mine.toml", "--workers", "1", "--device", "cpu", "--results", "results", "--splits", "1")
    told = CliRunner().invoke(app, ["report", "mine.toml", "--results", "results", "--json"]).output
    assert [one["splits"] for one in json.loads(told)] == [[{"seed": 0, "split": "official"}]]


def test_no_official_split_is_one_line_on_the_command_line(toy: None) -> None:
    words = ["run", "--dataset", "toy[official=false]", "--backbone", "linear", "--strategy", "none"]
    for splits, says in (
        ("official", "no official split"),
        ("few", "a number from 1, or official; got 'few'"),
    ):
        found = CliRunner().invoke(app, [*words, "--splits", splits])
        assert isinstance(found.exception, EquipoiseError)
        assert says in str(found.exception)
    assert not Path("results").exists()


def test_run_from_python(tmp_path: Path) -> None:
    frame = equipoise.run(
        dataset=data(), backbone="linear", strategy=["none", "focal"], splits="official", seed=1, device="cpu",
        results=tmp_path, **TINY,
    )  # fmt: skip
    assert frame["split"].tolist() == ["official", "official"]
    assert frame["seed"].tolist() == [1, 1]
    assert frame["split_sha256"].nunique() == 1


def test_a_published_split_runs(data_dir: Path, tmp_path: Path) -> None:
    """scene has 1211 training and 1196 test rows, as MULAN publishes it."""
    frame = equipoise.run(
        dataset="scene", backbone="linear", strategy="none", splits="official", device="cpu",
        results=tmp_path, data_dir=data_dir, **TINY,
    )  # fmt: skip
    row = frame.iloc[0]
    assert row["split_sha256"] == split_hash(np.arange(1211), np.arange(1211, 2407))
    assert row["tuned/macro_f1"] > 0.5


def test_info_says_its_sizes() -> None:
    words = " ".join(CliRunner().invoke(app, ["info", "goemotions"], env={"COLUMNS": "200"}).stdout.split())
    assert "48836 training rows (5426 of them published as development rows), 5427 test rows" in words
    assert "--splits official" in words
    record = json.loads(CliRunner().invoke(app, ["info", "scene", "--json"]).stdout)
    assert record["official split"].startswith("1211 training rows, 1196 test rows")
    assert "official split" not in json.loads(CliRunner().invoke(app, ["info", "yeast", "--json"]).stdout)
