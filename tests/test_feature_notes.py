"""What is unusual about fitted features is in the row and in the report."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from equipoise.api import choose
from equipoise.contracts.dataset import Dataset
from equipoise.experiment.pipeline import run_alone
from equipoise.report.export import render, to_json
from equipoise.report.words.feature_notes import features_sentence
from equipoise.sweep.plan import make_plan

WORDS = {0: "the letter was sent again", 1: "the meeting begins at noon"}
CHINESE = {0: "今天天气很好我们去公园", 1: "会议将在中午开始请准时"}
CHARACTERS = "n-grams of 1 to 4 characters"


def row_of(texts: dict[int, str]) -> dict[str, Any]:
    """The row of a short cell on texts in which the label can be read."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=60)
    X = np.array([texts[int(v)] + str(i % 7) for i, v in enumerate(y)], dtype=object)
    data = Dataset("texts", X, y[:, None].astype(np.uint8), ("a",))
    settings = {"trials": 1, "folds": 2, "epochs": 1}
    plan = make_plan(
        choose(None, ["texts"], ["linear"], ["none"], settings, 1, None), device="cpu", data={"texts": data}
    )
    return run_alone(plan.cells[0], data)[0]


@pytest.mark.parametrize(("texts", "note"), [(WORDS, ""), (CHINESE, CHARACTERS)], ids=["words", "characters"])
def test_the_row_holds_the_note_and_the_report_prints_it(texts: dict[int, str], note: str) -> None:
    row = row_of(texts)
    assert row["features"] == note
    console = Console(width=100, file=io.StringIO(), record=True, color_system=None)
    render([row], console)
    printed = console.export_text().splitlines()
    assert [line for line in printed if line.startswith("Features")] == (
        [f"Features: {note}."] if note else []
    )
    assert json.loads(to_json([row]))[0]["features"] == (f"Features: {note}." if note else "")


def rows(*notes: str | None) -> list[dict[str, Any]]:
    """Rows of splits 0, 1, …; None for a row from before the field existed."""
    return [{"split": i} | ({} if note is None else {"features": note}) for i, note in enumerate(notes)]


@pytest.mark.parametrize(
    ("notes", "sentence"),
    [
        ((None, None), ""),
        (("", ""), ""),
        ((None, "x"), "Features: x."),
        (("", "x", ""), "Features differ between splits: the usual ones (split 0, 2); x (split 1)."),
        (
            ("a", "b", "c", "d", "e"),
            "Features differ between splits: a (split 0); b (split 1); c (split 2); and 2 other kinds.",
        ),
    ],
)
def test_the_sentence(notes: tuple[str | None, ...], sentence: str) -> None:
    assert features_sentence(rows(*notes)) == sentence
