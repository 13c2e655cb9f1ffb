"""`splits = "official"`: the split that comes with the data, from suite and command line to the report."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

import equipoise
from equipoise import Dataset
from equipoise.api import choose
from equipoise.cli.main import app
from equipoise.contracts.dataset import DEV, TEST, TRAIN
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings
from equipoise.plots import comparison
from equipoise.report.comparison import compare
from equipoise.report.conclusions import conclusions
from equipoise.report.export import render
from equipoise.splits.outer import outer_split, split_hash
from equipoise.store.store import Store
from equipoise.sweep.estimate import Size, core_seconds
from equipoise.sweep.plan import make_plan
from equipoise.sweep.suite import Suite, parse_suite
from equipoise.tracking.run_fields import run_name, tags

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


@pytest.fixture(autouse=True)
def _without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow is turned off; it has its own tests."""
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set source named toy, registered as a plugin's would be."""
    from equipoise.catalog.registry import registry

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    Path("toy.py").write_text(SOURCE, encoding="utf-8")
    registry("dataset").add_file("toy.py")


def data(parts: tuple[int, int, int] = (60, 10, 30)) -> Dataset:
    rng = np.random.default_rng(0)
    n = sum(parts)
    Y = (rng.random((n, 3)) < [0.5, 0.3, 0.2]).astype(np.uint8)
    official = rng.permutation(np.repeat([TRAIN, DEV, TEST], parts))
    return Dataset("mine", rng.normal(size=(n, 4)), Y, ("a", "b", "c"), official=official)


def suite(splits: Any = "official", **settings: Any) -> Suite:
    return choose(None, ["mine"], ["linear"], ["none", "focal"], {**TINY, **settings}, splits, None)


def run(*words: str) -> str:
    found = CliRunner().invoke(app, ["run", *words], env={"COLUMNS": "160"})
    assert found.exit_code == 0, found.output
    return " ".join(found.output.split())


# --- the split


def test_development_rows_train_and_test_rows_test() -> None:
    official = np.array([TEST, TRAIN, DEV, TEST, TRAIN])
    train, test = outer_split(np.zeros((5, 1)), "official", 0, official)
    assert (train.tolist(), test.tolist()) == ([1, 2, 4], [0, 3])


@pytest.mark.parametrize(
    ("split", "official", "says"),
    [
        ("official", None, "no official split"),
        ("official", [TRAIN, DEV], "no test rows"),
        ("official", [TEST, TEST], "no training rows"),
        ("offcial", [TRAIN, TEST], "0 or more, or 'official', not 'offcial'"),
    ],
)
def test_what_is_no_split_is_one_line(split: Any, official: Any, says: str) -> None:
    with pytest.raises(EquipoiseError, match=says):
        outer_split(np.zeros((2, 1)), split, 0, official)


# --- suite and plan


def test_a_suite_asks_for_it_in_one_block() -> None:
    text = (
        'datasets = ["toy"]\nbackbones = ["linear"]\nstrategies = ["none"]\nsplits = 2\n'
        '[[blocks]]\n[[blocks]]\nsplits = "official"\n'
    )
    numbered, official = parse_suite("mine", text, "mine.toml").blocks
    assert (numbered.outer_splits, official.outer_splits) == ((0, 1), ("official",))
    with pytest.raises(EquipoiseError, match="splits must be a whole number or \"official\", got 'offcial'"):
        parse_suite("mine", text.replace('"official"', '"offcial"'), "mine.toml")


def test_the_plan_has_one_cell_a_strategy_and_numbered_ones_keep_their_keys() -> None:
    mine = data()
    official = make_plan(suite(), data={"mine": mine}).cells
    numbered = make_plan(suite(2), data={"mine": mine}).cells
    assert [cell.split for cell in official] == ["official", "official"]
    assert [cell.split for cell in numbered] == [0, 0, 1, 1]
    assert len({cell.key for cell in (*official, *numbered)}) == 6
    without = make_plan(suite(2), data={"mine": dataclasses.replace(mine, official=None)}).cells
    assert [cell.key for cell in without] == [cell.key for cell in numbered]


def test_data_without_one_are_refused_with_the_names_of_those_that_have_one() -> None:
    for mine, says in (
        (dataclasses.replace(data(), official=None), "no official split"),
        (data((90, 10, 0)), "no test rows"),
    ):
        with pytest.raises(EquipoiseError) as caught:
            make_plan(suite(), data={"mine": mine})
        assert says in str(caught.value)
        assert str(caught.value).startswith("mine cannot run with splits official")
        assert "goemotions, reuters-21578, scene" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_too_few_rows_to_train_on_is_a_reason_to_skip() -> None:
    plan = make_plan(suite(folds=3), data={"mine": data((8, 3, 80))})
    assert not plan.cells
    assert "11 rows to train on; the official split with 3 inner folds needs 12" in plan.skipped[0][1]


def test_the_estimate_is_for_the_rows_that_train() -> None:
    size = Size.of(data((60, 20, 20)))
    assert size.official == 80
    cells = [Cell("d", "", "linear", "none", split, 0, Settings(), "cpu", "") for split in (0, "official")]
    assert core_seconds(cells[0], size) == core_seconds(cells[1], size)
    smaller = Size.of(data((20, 0, 80)))
    assert (core_seconds(cells[1], smaller) or 0) < (core_seconds(cells[0], smaller) or 0)


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


# --- the report


def row(strategy: str, split: Any, tuned: float, seed: int = 0) -> dict[str, Any]:
    metrics = {"fixed/macro_f1": tuned - 0.1, "tuned/macro_f1": tuned, "own/macro_f1": tuned - 0.1}
    return {
        "key": f"{strategy}-{split}-{seed}",
        "status": "ok",
        "dataset": "letters",
        "backbone": "linear",
        "strategy": strategy,
        "split": split,
        "seed": seed,
        "settings": {},
        "metrics": metrics,
    }


def printed(rows: list[dict[str, Any]]) -> str:
    console = Console(width=100, file=io.StringIO(), record=True, color_system=None)
    render(rows, console)
    return " ".join(console.export_text().split())


def test_seeds_of_the_official_split_give_a_mean_and_no_interval() -> None:
    """Five seeds that agree to the third digit would be significant if they were splits; seeds must give no interval."""
    rows = [row("none", "official", 0.5 + seed / 1000, seed) for seed in range(5)]
    rows += [row("good", "official", 0.6 + (seed % 2) / 1000, seed) for seed in range(5)]
    (one,) = compare(rows)
    found = one.ranked[0].deltas["tuned_macro_f1"]
    assert found.mean == pytest.approx(0.0984)
    assert found.pairs == 5
    assert np.isnan([found.low, found.high, found.p, found.p_holm]).all()
    said = " ".join(conclusions(one))
    assert (
        "On the official split, averaged over 5 seeds, good differs from the baseline by +.098 macro-F1"
        in said
    )
    assert "It is one split" in said
    assert "beyond what chance explains" not in said
    assert "the official split alone, so no intervals; means of 5 seeds" in printed(rows)


def test_none_that_leads_on_the_official_split_is_said_to() -> None:
    (one,) = compare([row("none", "official", 0.6), row("a", "official", 0.5), row("b", "official", 0.55)])
    assert "On the official split the baseline ranks first, followed by b with −.050" in " ".join(
        conclusions(one)
    )


def test_the_same_predictions_are_called_the_same() -> None:
    assert "same same" in printed([row("none", "official", 0.6), row("a", "official", 0.6)])


def test_official_and_numbered_rows_are_two_comparisons() -> None:
    numbered = [row(name, split, 0.5 + split / 10) for name in ("none", "a") for split in range(3)]
    official = [row(name, "official", 0.9) for name in ("none", "a")]
    one, two = compare([*numbered, *official])
    assert (one.units, one.variant, one.official) == ([(0, 0), (0, 1), (0, 2)], "", False)
    assert (two.units, two.variant, two.official) == ([(0, "official")], "official split", True)
    assert one.ranked[0].means["tuned_macro_f1"] == pytest.approx(0.6)


def test_pictures_and_mlflow_name_it() -> None:
    rows = [row(name, split, 0.5) for name in ("none", "a") for split in (0, 1, "official")]
    flat = pd.DataFrame([{**r, **r["metrics"]} for r in rows])
    titles = [axes.get_title(loc="left") for axes in comparison(flat).axes]
    assert titles == ["letters · linear", "letters, official split · linear"]
    assert run_name(rows[2]) == "none · linear #official"
    assert tags(rows[2])["split"] == "official"
