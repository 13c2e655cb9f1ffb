"""`run` says in a line each what is wrong with the data, in bounded time."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise
from equipoise.contracts.dataset import Dataset
from equipoise.diagnosis import cautions as module
from equipoise.diagnosis.cautions import cautions


def data(Y: Any, X: Any = None, name: str = "letters") -> Dataset:
    Y = np.asarray(Y, dtype=np.uint8)
    X = np.random.default_rng(0).normal(size=(len(Y), 3)).astype(np.float32) if X is None else X
    return Dataset(name=name, X=X, Y=Y, labels=tuple("abcdefgh"[: Y.shape[1]]))


def labels(n: int = 60) -> np.ndarray[Any, Any]:
    return (np.random.default_rng(1).random((n, 3)) < 0.5).astype(np.uint8)


def test_sound_data_have_no_line() -> None:
    assert cautions({"letters": data(labels())}, {"letters": 3}) == []


def test_an_input_that_is_a_label_is_named() -> None:
    Y = labels()
    X = np.column_stack([np.random.default_rng(0).normal(size=60), Y[:, 1]]).astype(np.float32)
    (line,) = cautions({"letters": data(Y, X)}, {"letters": 3})
    assert line.startswith("letters: input 'column 2' is label 'b' (correlation 1.000)")


@pytest.mark.parametrize(("rows", "words"), [([0, 1, 2], "exactly one label"), ([0, 1, 3], "more than one")])
def test_data_with_a_single_label_a_row_are_named(rows: list[int], words: str) -> None:
    Y = np.eye(4, 3, dtype=np.uint8)[np.resize(rows, 60)][:, : 3 if 2 in rows else 2]
    (line,) = cautions({"letters": data(Y)}, {"letters": 3})
    assert words in line


def test_labels_too_rare_for_the_folds_are_in_one_line() -> None:
    Y = np.column_stack([labels(), np.zeros((60, 2), dtype=np.uint8)])
    Y[0, 3], Y[:3, 4] = 1, 1
    (line,) = cautions({"letters": data(Y)}, {"letters": 3})
    assert "in one row: d" in line
    assert "in too few rows for the test folds: e" in line


def test_many_rows_are_thinned_and_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def leaks(found: Dataset) -> dict[str, Any]:
        seen.append(found.n_rows)
        return {"features": []}

    monkeypatch.setattr(module, "leaks_section", leaks)
    large = data(labels(12_001))
    assert cautions({"letters": large}, {"letters": 3}) == []
    assert seen == [4001]
    monkeypatch.setattr(module, "MOST_SECONDS", 0.0)
    (line,) = cautions({"letters": large, "words": large}, {"letters": 3, "words": 3})
    assert line.startswith("letters, words: not searched for inputs that reveal a label")
    assert seen == [4001]


@pytest.fixture
def small(tmp_path: Path) -> dict[str, Any]:
    return {
        "backbone": "linear",
        "strategy": "none",
        "splits": 2,
        "trials": 1,
        "folds": 2,
        "epochs": 1,
        "results": tmp_path,
    }


@pytest.mark.usefixtures("without_mlflow")
def test_python_warns_as_the_command_does(small: dict[str, Any]) -> None:
    single = data(np.eye(3, dtype=np.uint8)[np.resize([0, 1, 2], 60)])
    with pytest.warns(UserWarning, match="letters: every row has exactly one label") as told:
        frame = equipoise.run(dataset=single, **small)
    assert set(frame["status"]) == {"ok"}
    # Where the caller stands, and not somewhere in the package.
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        equipoise.run(dataset=single, **small)  # nothing is left to run
