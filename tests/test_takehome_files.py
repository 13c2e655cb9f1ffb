"""From a file to predictions: the commands fit and predict, and what a report recommends."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import equipoise
from equipoise import metrics
from equipoise.core.errors import EquipoiseError
from equipoise.store.store import Store
from equipoise.takehome.choice import recommended

from .shared.takehome import LABELS, QUICK, benchmarked, fitted, refused, run, write_mails


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted(tmp_path_factory.mktemp("mails"))


@pytest.fixture(scope="module")
def store(mails: Path) -> Path:
    return benchmarked(mails)


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
    own = mails / "new.csv"
    before = own.read_bytes()
    assert "is the file that is read" in refused(*predict, own, "--out", mails / "." / "new.csv")
    assert own.read_bytes() == before
    assert "is the folder of the model" in refused(*predict, own, "--out", mails / "model" / "model.json")
    assert "is a folder" in refused(*predict, own, "--out", tmp_path)
    assert "is a folder" in refused("recipe", "--model", mails / "model", "--out", tmp_path)
    assert "can be made in" in refused(
        *fit[:-1], tmp_path / "bad.csv" / "m", "--backbone", "linear", "--strategy", "none"
    )
    assert "holds no model" in refused("predict", "--model", tmp_path, "--dataset", mails / "new.csv")
    assert "--from-report" in refused(*fit)
    assert "leave out" in refused(*fit, "--from-report", "--backbone", "linear")
    assert "decision must be" in refused(
        *fit, "--backbone", "linear", "--strategy", "none", "--decision", "best"
    )
    assert "interpolates" in refused(*fit, "--backbone", "linear", "--strategy", "mlsmote")
    assert not (tmp_path / "m").exists()


# --- what the report recommends
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


def test_the_settings_are_those_of_the_table_that_the_advice_rests_on(store: Path, tmp_path: Path) -> None:
    """The same cells with other settings, worse and on more splits, change nothing."""
    rows, more = Store(store).rows(), Store(tmp_path / "more")
    worse = {"scores/map": 0.01, "tuned/macro_f1": 0.01}
    with more.locked():
        for number, row in enumerate([*rows, *rows, *(row for row in rows if row["split"] == 0)]):
            seed, old = number // len(rows) - 1, number < len(rows)
            other = {
                "settings": row["settings"] | {"epochs": 7},
                "metrics": row["metrics"] | worse,
                "seed": seed,
            }
            more.append(row | {"key": f"k{number}"} | ({} if old else other))
    choice = recommended(more.path, None, "", {})
    assert choice.settings.epochs == 6
    assert {row["settings"]["epochs"] for row in choice.rows} == {6}


def test_what_to_expect_is_that_of_the_decision_and_the_settings(store: Path) -> None:
    choice = recommended(store, None, "", {"trials": 9})
    assert choice.measured
    for decision in ("tuned", "fixed"):
        for name in ("macro_f1", "micro_f1"):
            of_splits = [row["metrics"][f"{decision}/{name}"] for row in choice.rows]
            assert choice.scores(decision)[name] == pytest.approx(np.mean(of_splits))
    choice.rows[0]["metrics"]["tuned/macro_f1"] = np.nan
    rest = [row["metrics"]["tuned/macro_f1"] for row in choice.rows[1:]]
    assert choice.scores("tuned")["macro_f1"] == pytest.approx(np.mean(rest)), "as in the report"
    assert not recommended(store, None, "", {"epochs": 3}).measured


def test_a_model_by_probability_one_half_says_what_that_decision_scores(mails: Path, store: Path) -> None:
    model = equipoise.fit(mails / "train.csv", from_report=store, decision="fixed", trials=1, device="cpu")
    expected = model.facts["expected"]
    assert "F1 at probability 0.5" in expected["source"]
    fixed = recommended(store, None, "", {}).scores("fixed")
    assert expected["scores"]["macro_f1"] == pytest.approx(fixed["macro_f1"])
    other = equipoise.fit(mails / "train.csv", from_report=store, trials=1, epochs=3, device="cpu")
    assert "inner folds" in other.facts["expected"]["source"], "no split of the report had 3 epochs"


# --- frames
def test_a_frame_is_read_by_the_names_of_its_columns(mails: Path) -> None:
    model = equipoise.load_model(mails / "model")
    frame = pd.read_csv(mails / "new.csv")
    assert (model.predict(frame) == model.predict([text.strip() for text in frame["text"]])).all()
    with pytest.raises(EquipoiseError, match="no column 'text'"):
        model.predict(frame[["id"]])
    for wrong in ({"text": ["a"]}, {"a", "b"}):
        with pytest.raises(EquipoiseError, match="a list, an array or a frame"):
            model.predict(wrong)
