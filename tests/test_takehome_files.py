"""From a file to predictions: the commands fit, predict and recipe, and what a report recommends."""

from __future__ import annotations

import csv
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import equipoise
from equipoise import metrics
from equipoise.cli.main import app
from equipoise.core.errors import EquipoiseError
from equipoise.store.store import Store
from equipoise.takehome.recipe import of_model, of_report, write_recipe
from equipoise.takehome.recipe_parts import LOSSES, NETWORKS

LABELS = ["queue", "cache", "broker"]
FILLERS = ["schema", "deploy", "latency", "naming", "retry", "index", "event", "team", "host", "plan"]
QUICK: dict[str, Any] = {"trials": 1, "folds": 2, "epochs": 12, "batch_size": 32, "device": "cpu"}


def write_mails(path: Path, n: int, seed: int) -> Path:
    """A CSV file of texts in which words say the labels, though not always; one text has a comma, one line breaks."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, 3)) < [0.5, 0.3, 0.15]).astype(int)
    shown = np.where(rng.random((n, 3)) < 0.92, Y, 1 - Y)
    texts = [
        ", ".join([*rng.choice(FILLERS, 5), *(LABELS[j] for j in range(3) if row[j])]) + "\nbye"
        for row in shown
    ]
    frame = pd.DataFrame(
        {"id": np.arange(n), "text": texts, **{label: Y[:, j] for j, label in enumerate(LABELS)}}
    )
    frame.to_csv(path, index=False)
    return path


def write_numbers(path: Path, n: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) * [1, 10, 0.1, 3] + 5
    Y = ((X - 5) / [1, 10, 0.1, 3] + rng.normal(size=(n, 4)) * 0.4 > [0, 0.5, 1, 0])[:, :3].astype(int)
    frame = pd.DataFrame(
        {**{f"x{j}": X[:, j] for j in range(4)}, **{lab: Y[:, j] for j, lab in enumerate(LABELS)}}
    )
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.csv and new.csv, and the model fitted on the first."""
    folder: Path = tmp_path_factory.mktemp("mails")
    write_mails(folder / "train.csv", 240, 1)
    write_mails(folder / "new.csv", 300, 2)
    equipoise.fit(folder / "train.csv", strategy="focal", model=folder / "model", **QUICK)
    return folder


def run(*words: Any) -> str:
    """The output of a command that must succeed."""
    found = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    assert found.exit_code == 0, (found.output, found.exception)
    return " ".join(found.output.split())


def refused(*words: Any) -> str:
    """The error of a command; one line."""
    found = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(found.exception, EquipoiseError), (found.output, found.exception)
    assert "\n" not in str(found.exception)
    return str(found.exception)


# --- fit and predict
def test_fit_and_predict_from_the_command_line(mails: Path, tmp_path: Path) -> None:
    told = run("fit", "--dataset", mails / "train.csv", "--backbone", "linear", "--strategy", "pos_weight+scut", "--trials", 1,
               "--folds", 2, "--epochs", 12, "--model", tmp_path / "m", "--device", "cpu")  # fmt: skip
    assert "pos_weight+scut on linear, fitted on 240 rows of train" in told
    assert "macro-F1" in told
    run(
        "predict",
        "--model",
        tmp_path / "m",
        "--dataset",
        mails / "new.csv",
        "--out",
        tmp_path / "p.csv",
        "--scores",
    )
    predicted, truth = pd.read_csv(tmp_path / "p.csv"), pd.read_csv(mails / "new.csv")
    assert list(predicted) == [*LABELS, *(f"{label} probability" for label in LABELS)]
    model = equipoise.load_model(tmp_path / "m")
    texts = [text.strip() for text in truth["text"]]
    assert (predicted[LABELS].to_numpy() == model.predict(texts)).all()
    assert np.allclose(predicted.to_numpy()[:, 3:], model.predict_proba(texts))
    assert metrics.macro_f1(truth[LABELS].to_numpy(), predicted[LABELS].to_numpy()) > 0.7


@pytest.mark.parametrize("columns", [["text"], ["broker", "note", "text"], ["text", *LABELS, "id"]])
def test_columns_in_any_order_and_without_labels(columns: list[str], mails: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(mails / "new.csv").assign(note="seen")
    frame[columns].to_csv(tmp_path / "some.csv", index=False)
    outs = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for file, out in zip((mails / "new.csv", tmp_path / "some.csv"), outs, strict=True):
        run("predict", "--model", mails / "model", "--dataset", file, "--out", out)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    with outs[0].open(newline="") as lines:
        assert sum(1 for _ in csv.reader(lines)) == 301


def test_jsonl_and_parquet_and_tsv_are_read_too(mails: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(mails / "new.csv")[["text"]]
    frame.to_json(tmp_path / "new.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "new.parquet")
    frame.to_csv(tmp_path / "new.tsv", sep="\t", index=False)
    for name in ("new.jsonl", "new.parquet", "new.tsv"):
        run(
            "predict",
            "--model",
            mails / "model",
            "--dataset",
            tmp_path / name,
            "--out",
            tmp_path / f"{name}.out",
        )
    contents = {(tmp_path / f"new.{kind}.out").read_bytes() for kind in ("jsonl", "parquet", "tsv")}
    assert len(contents) == 1


def test_words_as_categories_are_coded_as_in_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], 120)
    frame = pd.DataFrame(
        {"colour": colour, "size": rng.normal(size=120), "a": (colour == "red").astype(int), "b": 0}
    )
    frame["b"] = (frame["size"] > 0).astype(int)
    frame.to_csv(tmp_path / "t.csv", index=False)
    model = equipoise.fit(tmp_path / "t.csv", model=tmp_path / "m", **QUICK)
    pd.DataFrame({"size": [3.0, -3.0], "colour": ["red", "blue"]}).to_csv(tmp_path / "n.csv", index=False)
    run("predict", "--model", tmp_path / "m", "--dataset", tmp_path / "n.csv", "--out", tmp_path / "p.csv")
    assert pd.read_csv(tmp_path / "p.csv").to_numpy().tolist() == [[1, 1], [0, 0]]
    assert model.facts["table"]["categories"] == {"colour": ["blue", "green", "red"]}
    pd.DataFrame({"size": [1.0], "colour": ["pink"]}).to_csv(tmp_path / "n.csv", index=False)
    assert "'pink'" in refused("predict", "--model", tmp_path / "m", "--dataset", tmp_path / "n.csv")


def test_mistakes_are_one_line(mails: Path, tmp_path: Path) -> None:
    fit = ["fit", "--dataset", mails / "train.csv", "--model", tmp_path / "m"]
    (tmp_path / "bad.csv").write_text("id,body\n1,hello\n")
    (tmp_path / "empty.csv").write_text("text\n")
    predict = ["predict", "--model", mails / "model", "--dataset"]
    assert "bad.csv has no column 'text', an input of the model" in refused(*predict, tmp_path / "bad.csv")
    assert "no rows" in refused(*predict, tmp_path / "empty.csv")
    assert "no folder" in refused(*predict, mails / "new.csv", "--out", tmp_path / "none" / "p.csv")
    assert "holds no model" in refused("predict", "--model", tmp_path, "--dataset", mails / "new.csv")
    assert "--from-report" in refused(*fit)
    assert "leave out" in refused(*fit, "--from-report", "--backbone", "linear")
    assert "decision must be" in refused(
        *fit, "--backbone", "linear", "--strategy", "none", "--decision", "best"
    )
    assert "interpolates" in refused(*fit, "--backbone", "linear", "--strategy", "mlsmote")
    assert not (tmp_path / "m").exists()


# --- what the report recommends
@pytest.fixture(scope="module")
def store(mails: Path) -> Path:
    """A store with two strategies and backbones on the training file."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("equipoise.sweep.run.MlflowWriter", Mock())
        equipoise.run(dataset=str(mails / "train.csv"), backbone=["linear", "mlp[hidden=8]"], strategy=["none", "pos_weight"],
                      splits=3, results=mails / "results", device="cpu", trials=2, folds=2, epochs=6, batch_size=32)  # fmt: skip
    return mails / "results"


def test_fit_from_the_report(mails: Path, store: Path, tmp_path: Path) -> None:
    run(
        "fit",
        "--dataset",
        mails / "train.csv",
        "--from-report",
        "--results",
        store,
        "--model",
        tmp_path / "m",
    )
    facts = equipoise.load_model(tmp_path / "m").facts
    rows = [r for r in Store(store).rows()
            if (r["strategy"], r["backbone"]) == (facts["strategy"], facts["backbone"])]  # fmt: skip
    assert len(rows) == 3
    assert facts["params"] in [row["params"] for row in rows]
    mean = np.mean([row["metrics"]["scores/map"] for row in rows])
    assert facts["expected"]["scores"]["map"] == pytest.approx(mean)
    assert "3 splits" in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")


def test_trials_search_anew(mails: Path, store: Path) -> None:
    model = equipoise.fit(mails / "train.csv", from_report=store, trials=1, device="cpu")
    lr = model.backbone.lr.default
    assert model.facts["params"]["lr"] == lr, "trial 0 is the defaults"
    assert model.facts["settings"]["epochs"] == 6, "all other settings are those of the report"


def test_a_report_on_other_data_is_refused(mails: Path, store: Path, tmp_path: Path) -> None:
    other = write_mails(tmp_path / "other.csv", 60, 9)
    with pytest.raises(EquipoiseError, match=r"no results for these data.*it has results for"):
        equipoise.fit(other, from_report=store)
    with pytest.raises(EquipoiseError, match="run `none`"):
        equipoise.fit(other, from_report=tmp_path / "nothing")


# --- recipes
def reached(script: str, folder: Path, tmp_path: Path) -> float:
    """The macro-F1 on new.csv of a recipe that was run by itself, without equipoise on its path."""
    (tmp_path / "recipe.py").write_text(script, encoding="utf-8")
    words = [
        sys.executable,
        "-I",
        tmp_path / "recipe.py",
        folder / "train.csv",
        folder / "new.csv",
        tmp_path / "p.csv",
    ]
    subprocess.run(words, check=True, timeout=300)
    truth = pd.read_csv(folder / "new.csv")[LABELS].to_numpy()
    return float(metrics.macro_f1(truth, pd.read_csv(tmp_path / "p.csv")[LABELS].to_numpy()))


def compared(folder: Path, backbone: str, strategy: str, tmp_path: Path) -> tuple[float, float]:
    """The macro-F1 of a model on new.csv, and that of its recipe."""
    model = equipoise.fit(folder / "train.csv", backbone=backbone, strategy=strategy, **QUICK)
    new = equipoise.load_dataset(folder / "new.csv")
    return float(metrics.macro_f1(new.Y, model.predict(new.X))), reached(
        write_recipe(of_model(model)), folder, tmp_path
    )


def test_a_recipe_reaches_the_scores_of_the_model(mails: Path, tmp_path: Path) -> None:
    script = write_recipe(of_model(equipoise.load_model(mails / "model")))
    assert "equipoise" not in script.partition('"""\nimport')[2]
    model, new = equipoise.load_model(mails / "model"), equipoise.load_dataset(mails / "new.csv")
    assert reached(script, mails, tmp_path) == pytest.approx(
        metrics.macro_f1(new.Y, model.predict(new.X)), abs=0.02
    )


def test_a_recipe_for_numbers(tmp_path: Path) -> None:
    write_numbers(tmp_path / "train.csv", 240, 1)
    write_numbers(tmp_path / "new.csv", 300, 2)
    model, recipe = compared(tmp_path, "mlp[hidden=16]", "none", tmp_path)
    assert model > 0.75
    assert recipe == pytest.approx(model, abs=0.04)


def test_a_recipe_from_the_report(mails: Path, store: Path, tmp_path: Path) -> None:
    run("recipe", "--results", store, "--dataset", mails / "train.csv", "--out", tmp_path / "r.py")
    script = (tmp_path / "r.py").read_text(encoding="utf-8")
    assert "in split" in script
    assert reached(script, mails, tmp_path) > 0.7
    assert of_report(store, str(mails / "train.csv")).thresholds is not None


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "strategy"), [
    *itertools.product(["linear"], [n for n in LOSSES if " " not in n]),
    *itertools.product(["linear"], ["focal[alpha=-1]", "asl[focus_gradient=false]", "balanced_sampling"]),
    ("linear", "sqrt_sampling+asl+scut"),
    *itertools.product([n for n in NETWORKS if n != "linear"], ["none", "focal", "scut", "asl"]),
])  # fmt: skip
def test_every_recipe_reaches_the_scores_of_its_model(
    backbone: str, strategy: str, mails: Path, tmp_path: Path
) -> None:
    model, recipe = compared(mails, backbone, strategy, tmp_path)
    # A network of another start differs by so much.
    assert recipe == pytest.approx(model, abs=0.08)


@pytest.mark.parametrize(("backbone", "strategy", "says"), [
    ("linear", "ml_ros", "it can for: none, pos_weight"), ("linear", "classifier_chain", "strategy 'classifier_chain'"),
    ("linear", "platt", "strategy 'platt'"), ("linear", "top_k", "decision 'top_k'"),
])  # fmt: skip
def test_what_a_recipe_cannot_say_is_refused_in_one_line(
    backbone: str, strategy: str, says: str, mails: Path
) -> None:
    model = equipoise.fit(mails / "train.csv", backbone=backbone, strategy=strategy, **{**QUICK, "epochs": 1})
    with pytest.raises(EquipoiseError, match=says) as caught:
        write_recipe(of_model(model))
    assert "\n" not in str(caught.value)
