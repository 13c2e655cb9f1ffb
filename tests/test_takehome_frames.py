"""Rows to predict that are frames: read by the names of their columns, as the rows of a file are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import equipoise
from equipoise.core.errors import EquipoiseError
from equipoise.takehome.model import Model
from equipoise.takehome.pyfunc import Predictor

from .shared.takehome import QUICK


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model]:
    """A file with a column of dates, one of words (some of them empty) and one of numbers, and a model fitted on it."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=120, freq="3D").strftime("%Y-%m-%d")
    colour, size = rng.choice(["red", "green", ""], 120), rng.normal(size=120)
    frame = pd.DataFrame({"day": days, "colour": colour, "size": size, "a": (colour == "red").astype(int)})
    frame["b"] = (pd.to_datetime(frame["day"]).dt.month > 6).astype(int)
    path: Path = tmp_path_factory.mktemp("table") / "t.csv"
    frame.to_csv(path, index=False)
    return path, equipoise.fit(path, **(QUICK | {"epochs": 2}))


def test_frames_with_dates_and_words_are_read_as_the_file_was(table: tuple[Path, Model]) -> None:
    path, model = table
    assert set(model.facts["table"]["dates"]) == {"day"}
    assert set(model.facts["table"]["categories"]) == {"colour"}
    data, frame = equipoise.load_dataset(path), pd.read_csv(path)[["size", "b", "colour", "day"]]
    expected = model.predict_proba(data.X)
    assert (model.predict_proba(frame) == expected).all()
    assert (Predictor(model).predict(frame, {"scores": True}).to_numpy() == expected).all()
    frame.loc[3, "colour"] = "pink"
    with pytest.raises(EquipoiseError, match=r"row 3, column 'colour'.*'pink'"):
        model.predict(frame)
    frame.loc[3, ["colour", "size"]] = ["red", np.nan]
    with pytest.raises(EquipoiseError, match=r"row 3, column 'size' is empty"):
        model.predict(frame)


@pytest.mark.parametrize("wrong", [[["a", "b"]], [[1.0, None]], [[1.0, np.inf]], [[1.0], [2.0, 3.0]], 3])
def test_rows_that_are_no_numbers_are_one_line(wrong: object, table: tuple[Path, Model]) -> None:
    with pytest.raises(EquipoiseError) as caught:
        table[1].predict(wrong)
    assert "\n" not in str(caught.value)
