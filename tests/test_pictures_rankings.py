"""The critical-difference diagram, and cost beside quality."""

from __future__ import annotations

import math
from typing import Any

import pytest

from equipoise import plots
from equipoise.core.errors import EquipoiseError

NAMES = ["a", "none", "c", "d"]


def texts(figure: Any) -> list[str]:
    return [text.get_text().strip() for text in figure.axes[0].texts]


def test_every_strategy_stands_at_its_rank() -> None:
    figure = plots.critical_difference(NAMES, [1.25, 2, 3, 3.75], [(0, 1), (1, 3)], 1.8, "by mAP")
    lines = {tuple(line.get_xdata()) for line in figure.axes[0].lines}
    starts = {line[0] for line in lines if len(line) == 3}
    assert starts == {1.25, 2, 3, 3.75}
    shown = texts(figure)
    assert "a  1.25" in shown
    assert "3.75  d" in shown
    assert "critical difference 1.80" in shown


def test_a_bar_joins_each_group_and_bars_do_not_overlap() -> None:
    figure = plots.critical_difference(NAMES, [1, 2, 3, 4], [(0, 2), (1, 3)], 2.1)
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() > 3]
    spans = sorted((round(x[0]), round(x[1])) for x in (bar.get_xdata() for bar in bars))
    assert spans == [(1, 3), (2, 4)]
    assert len({bar.get_ydata()[0] for bar in bars}) == 2


@pytest.mark.parametrize(
    ("names", "ranks", "message"),
    [
        (["a"], [1.0], "two strategies or more"),
        (["a", "b"], [1.0], "two strategies or more"),
        (["a", "b"], [2.0, 1.0], "ascending order"),
    ],
)
def test_ranks_that_cannot_be_drawn(names: list[str], ranks: list[float], message: str) -> None:
    with pytest.raises(EquipoiseError, match=message):
        plots.critical_difference(names, ranks, [])


def test_the_front_is_joined_and_what_has_no_cost_is_left_out() -> None:
    figure = plots.cost_quality(
        [*NAMES, "$new$", "new"],
        [2, 1, 4, 3, math.nan, math.inf],
        [0.6, 0.5, 0.7, 0.4, 0.9, 0.9],
        [True, True, True, False, False, False],
    )
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    (front,) = axes.lines
    assert list(front.get_xdata()) == [1, 2, 4]
    assert sorted(texts(figure)[:4]) == sorted(NAMES)
    assert not [text for text in texts(figure) if "new" in text]
    with pytest.raises(EquipoiseError, match="no strategy has a cost"):
        plots.cost_quality(["a"], [math.nan], [0.5], [False])


def test_same_ranks_everywhere_and_many_strategies_are_drawn(tmp_path: Any) -> None:
    many = [f"strategy_{i}" for i in range(40)]
    figure = plots.critical_difference(many, [20.5] * 40, [(0, 39)], 15.0, "40 equal strategies")
    figure.savefig(tmp_path / "many.svg")
    assert (tmp_path / "many.svg").stat().st_size > 1000
