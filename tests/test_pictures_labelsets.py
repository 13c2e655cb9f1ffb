"""Figures of labelsets and imbalance show the data correctly, for any number of labels."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest

from equipoise import plots
from equipoise.core.errors import EquipoiseError
from equipoise.plots.ordering import side_by_side

from .shared.pictures import texts


@pytest.mark.parametrize("labels", [1, 53, 374])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_every_picture_can_be_drawn(labels: int, share: float) -> None:
    Y = np.random.default_rng(labels).random((80, labels)) < share / np.arange(1, labels + 1) ** 0.5
    names = [f"label {j}" for j in range(labels)]
    for draw in (plots.imbalance_ratios, plots.labelset_upset, plots.labelset_spectrum):
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            draw(Y, names).savefig(buffer, format="png", dpi=30)
        assert buffer.getvalue().startswith(b"\x89PNG")


def test_upset_counts_the_commonest_labelsets() -> None:
    Y = np.array([[1, 0, 0]] * 5 + [[1, 1, 0]] * 3 + [[0, 0, 0]] * 2 + [[0, 0, 1]])
    figure = plots.labelset_upset(Y, ["a", "b", "c"], most=3)
    bars, dots = figure.axes
    assert [bar.get_height() for bar in bars.patches] == [5, 3, 2]
    assert [tick.get_text() for tick in dots.get_yticklabels()] == ["a", "b"]  # c is in none of the three
    assert any("91% of the rows; 1 rarer" in note for note in texts(figure))
    assert "no label" in texts(figure)


def test_the_spectrum_groups_labelsets_by_count() -> None:
    Y = np.array([[1, 0, 0]] * 4 + [[0, 1, 0]] * 3 + [[1, 1, 0], [0, 0, 1]])
    axes = plots.labelset_spectrum(Y, list("abc")).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "3–4"]
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([0.5, 0, 0.5, 2 / 9, 0, 7 / 9])


def test_imbalance_marks_the_labels_above_the_mean() -> None:
    Y = np.zeros((20, 4))
    Y[:16, 0] = Y[:8, 1] = Y[:2, 2] = 1
    figure = plots.imbalance_ratios(Y, ["most", "some", "rare", "never"])
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["most", "some", "rare"]
    assert {"1.0", "2.0", "8.0", "minority: IRLbl above MeanIR (1)", "MeanIR 3.7"} <= set(texts(figure))
    assert any("1 without any row" in note for note in texts(figure))


def test_labels_that_go_together_stand_side_by_side() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 2, (2, 100))
    noise = rng.random((100, 4)) < 0.05
    Y = np.column_stack([one, two, one, two]) ^ noise
    order = side_by_side(np.column_stack([Y[:, :2], np.zeros(100), Y[:, 2:]])).tolist()
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert order[-1] == 2  # never varies
    assert {frozenset(order[:2]), frozenset(order[2:4])} == {frozenset({0, 3}), frozenset({1, 4})}
    names = list("abcde")
    shown = plots.cooccurrence(Y[:, [0, 1, 2, 3]], names[:4], clustered=True).axes[0].get_yticklabels()
    assert {shown[0].get_text(), shown[1].get_text()} in ({"a", "c"}, {"b", "d"})


def test_without_rows_there_are_no_labelsets_to_draw() -> None:
    for draw in (plots.labelset_upset, plots.labelset_spectrum):
        with pytest.raises(EquipoiseError, match="labelset"):
            draw(np.zeros((0, 3), dtype=bool), list("abc"))
    with pytest.raises(EquipoiseError, match="at most 0 of them shown"):
        plots.labelset_upset(np.ones((4, 1)), ["a"], most=0)
