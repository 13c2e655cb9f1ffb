"""Figures show the data correctly, are readable for any number of labels, and leave no global state."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from equipoise import plots
from equipoise.core.errors import EquipoiseError

from .shared.pictures import texts


def world(labels: int, rows: int = 120) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(labels)
    Y = (rng.random((rows, labels)) < 0.5 / np.arange(1, labels + 1)).astype(np.uint8)
    return Y, rng.normal(size=Y.shape) + Y, [f"label {j}" for j in range(labels)]


def png(figure: Any) -> bytes:
    """The picture's bytes; a warning (a layout that does not fit) is an error."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


def results(strategies: tuple[str, ...] = ("none", "focal"), splits: int = 3) -> pd.DataFrame:
    rows = [
        {"dataset": d, "backbone": b, "strategy": s, "split": k, "fixed/macro_f1": 0.3 + at / 10 + k / 100}
        for d, b in (("emails", "lstm"), ("yeast", "linear"))
        for at, s in enumerate(strategies)
        for k in range(splits)
    ]
    frame = pd.DataFrame(rows)
    frame["tuned/macro_f1"] = 0.6 - frame["fixed/macro_f1"] / 2
    return frame


@pytest.mark.parametrize("labels", [1, 53, 374])
def test_every_picture_of_data_can_be_drawn(labels: int) -> None:
    Y, scores, names = world(labels)
    for figure in (
        plots.label_distribution(Y, names),
        plots.cooccurrence(Y, names),
        plots.pr_curves(Y, scores, names),
    ):
        assert png(figure).startswith(b"\x89PNG")
        assert max(figure.get_size_inches()) < 16


def test_the_distribution_names_each_label_with_its_count_most_frequent_first() -> None:
    Y = np.zeros((1500, 3))
    Y[:9, 0] = Y[:1234, 1] = 1
    figure = plots.label_distribution(Y, ["some", "many", "never"])
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["many", "some", "never"]
    assert [note for note in texts(figure) if note in ("1,234", "9", "0")] == ["1,234", "9", "0"]
    assert any("MeanIR 69.1" in note for note in texts(figure))


def test_the_heat_map_shows_conditional_shares() -> None:
    Y = np.array([[1, 0, 0]] * 6 + [[1, 1, 0]] * 2)
    figure = plots.cooccurrence(Y, ["a", "b", "never"])
    shares = figure.axes[0].images[0].get_array().filled(np.nan)
    nan = np.nan
    assert np.array_equal(shares, [[nan, 0.25, 0], [1, nan, 0], [nan, nan, nan]], equal_nan=True)
    assert {"25", "100"} <= set(texts(figure))


def test_many_labels_are_capped_with_a_note() -> None:
    Y, scores, names = world(80)
    heat = plots.cooccurrence(Y, names)
    assert heat.axes[0].images[0].get_array().shape == (60, 60)
    assert any("60 most frequent of 80 labels" in note for note in texts(heat))
    curves = plots.pr_curves(Y, scores, names, max_labels=6)
    scored = Y.any(axis=0).sum()
    assert len(curves.axes) == 6
    assert any(f"6 of {scored} labels" in note for note in texts(curves))


def test_curves_pass_through_what_the_thresholds_give() -> None:
    true, scores = np.array([[1], [0], [1], [0]]), np.array([[4.0], [3.0], [3.0], [1.0]])
    curve = plots.pr_curves(true, scores, ["a"]).axes[0].lines[0]
    recall, precision = curve.get_data(orig=True)
    assert recall == pytest.approx([0, 0.5, 1, 1])
    assert precision == pytest.approx([1, 1, 2 / 3, 1 / 2])


def test_a_sheet_of_curves_shows_what_a_figure_of_them_shows(tmp_path: Path) -> None:
    """A sheet that is reused for runs with other and more labels shows nothing of the run before."""
    from PIL import Image

    sheet, picture = plots.CurveSheet(), tmp_path / "curves.png"
    for labels, rows in ((3, 120), (3, 90), (40, 300), (3, 120)):
        Y, scores, names = world(labels, rows)
        sheet.write(picture, Y, scores, names, max_labels=6)
        shown = np.asarray(Image.open(picture).convert("L")).astype(int)
        plots.pr_curves(Y, scores, names, max_labels=6).savefig(tmp_path / "figure.png", dpi=90)
        expected = np.asarray(Image.open(tmp_path / "figure.png").convert("L")).astype(int)
        assert shown.shape == expected.shape
        assert np.mean(np.abs(shown - expected) > 30) < 0.003
        assert np.mean(expected < 225) > 0.02, "there is something to see"


def test_comparison_ranks_by_the_tuned_mean_and_shows_every_split() -> None:
    frame = results(("none", "focal", "ml_ros"))
    figure = plots.comparison(frame)
    assert len(figure.axes) == 2
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "emails · lstm"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["none", "focal", "ml_ros"]
    drawn = sum(len(marks.get_offsets()) for marks in axes.collections)
    assert drawn == 3 * (3 + 3 + 2)  # per strategy: three splits twice, and two means
    assert png(figure).startswith(b"\x89PNG")


def test_comparison_leaves_out_what_is_undefined_and_says_what_is_missing() -> None:
    frame = results()
    frame.loc[frame["strategy"] == "focal", "tuned/macro_f1"] = np.nan
    names = [tick.get_text() for tick in plots.comparison(frame).axes[0].get_yticklabels()]
    assert names == ["none"]
    with pytest.raises(EquipoiseError, match="lacks tuned/map"):
        plots.comparison(frame.rename(columns={"fixed/macro_f1": "fixed/map"}), metric="map")
    with pytest.raises(EquipoiseError, match="no row"):
        plots.comparison(frame.assign(**{"fixed/macro_f1": np.nan}))


def test_names_are_printed_as_they_are() -> None:
    Y, _, _ = world(2)
    figure = plots.label_distribution(Y, ["$5 and $6", "two\nlines " + "x" * 60])
    assert png(figure).startswith(b"\x89PNG")
    assert any(note.endswith("…") and "\n" not in note for note in texts(figure))


def test_bad_input_is_said_in_one_line() -> None:
    Y, scores, names = world(3)
    with pytest.raises(EquipoiseError, match="2 label names for 3 columns"):
        plots.cooccurrence(Y, names[:2])
    with pytest.raises(EquipoiseError, match="no curve to draw"):
        plots.pr_curves(0 * Y, scores, names)


def test_no_global_state() -> None:
    """Importing the module does not import matplotlib; drawing neither imports pyplot nor changes a setting."""
    script = """
import sys
import numpy as np
from equipoise import plots
assert "matplotlib" not in sys.modules
import matplotlib
before = dict(matplotlib.rcParams)
plots.label_distribution(np.eye(3), ["a", "b", "c"]).savefig(sys.stdout.buffer, format="png")
assert "matplotlib.pyplot" not in sys.modules
assert dict(matplotlib.rcParams) == before
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
