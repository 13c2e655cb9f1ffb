"""The part of the page on many data sets: the ranking first, the diagram, and what is said below five data sets."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("baycomp", reason="needs the extra statistics")
pytest.importorskip("statsmodels", reason="needs the extra statistics")

from equipoise.page.pictures import LONGEST, dot_plot
from equipoise.page.ranking import critical_difference
from equipoise.rankings.model import Block, RankedStrategy, Ranking

Rows = Callable[..., list[dict[str, Any]]]
Make = Callable[..., str]
Parse = Callable[[str], Any]


def _ranking(ranks: dict[str, float], groups: tuple[tuple[int, int], ...], **more: Any) -> Ranking:
    blocks = tuple(Block(f"data {i}", (f"data {i} · linear",), 5) for i in range(6))
    strategies = tuple(
        RankedStrategy(name, "loss", (0.5,) * 6, (rank,) * 6, rank, 0.5, 1, len(ranks))
        for name, rank in ranks.items()
    )
    return Ranking("map", "linear", blocks, strategies, "friedman", 3.0, 0.01, 1.5, groups, **more)


def test_the_diagram_names_everything_and_joins_the_groups() -> None:
    ranks = {"first": 1.2, "second": 2.0, "third": 3.1, "fourth <b>": 4.4, "fifth": 4.6}
    drawn = str(critical_difference(_ranking(ranks, ((0, 1), (3, 4))), "r"))
    places = re.findall(r'<text class="([es])" x="([\d.]+)" y="(\d+)">([^<]*) ([\d.]+)</text>', drawn)
    assert [(side, name, rank) for side, _, _, name, rank in places if name != "critical difference"] == [
        ("e", "first", "1.2"),
        ("e", "second", "2.0"),
        ("e", "third", "3.1"),
        ("s", "fourth &lt;b&gt;", "4.4"),
        ("s", "fifth", "4.6"),
    ]
    # The best stands highest at the left and the worst at the right, so that no two lines cross.
    heights = {name: int(y) for _, _, y, name, _ in places}
    assert heights["first"] < heights["second"] < heights["third"]
    assert heights["fifth"] < heights["fourth &lt;b&gt;"]
    assert drawn.count('<path class="k"') == 3  # two groups, and the length of the critical difference
    assert "cannot be told apart" in drawn


def test_the_longest_names_are_not_cut_off_at_the_sides() -> None:
    ranks = {f"{letter * LONGEST}": 10.0 + i for i, letter in enumerate("abcdef")}
    drawn = str(critical_difference(_ranking(ranks, ()), "r"))
    width = int(re.findall(r'viewBox="0 0 (\d+) ', drawn)[0])
    for side, x, text in re.findall(
        r'<text class="([es])" x="([\d.]+)" y="\d+">([a-f]+ [\d.]+)</text>', drawn
    ):
        # A letter of these names is about 0.55 as wide as the font is high, 12 pixels.
        room = float(x) if side == "e" else width - float(x)
        assert 0.55 * 12 * len(text) <= room, text


def test_no_diagram_without_a_ranking() -> None:
    assert not critical_difference(_ranking({"a": 1.0, "b": 2.0}, (), why_not="too few"), "r")


def test_an_empty_dot_plot_says_so() -> None:
    assert "No strategy has a defined value." in dot_plot("x", "title", [], signed=True)


def test_six_data_sets_are_ranked_and_lead_the_verdict(page: Make, rows_of: Rows, parsed: Parse) -> None:
    html = page([row for i in range(6) for row in rows_of(dataset=f"data {i}")])
    found = parsed(html)
    assert found.text.index("Over data sets") < found.text.index("Next:")
    head, *rows = found.tables["ranking-1-table"]
    assert [row[0] for row in rows][::3] == ["focal", "ml_ros"]
    assert rows[0][head.index("average rank")] == "1.00"
    assert rows[0][head.index("mean Δ")].startswith("+.05")
    assert "ranking-1-cd" in html
    wins = {row[0]: row for row in found.tables["ranking-1-wins"]}
    assert wins["focal"][1:] == ["", "6", "6", "6"]
    assert all(len(row) == len(rows_[0]) for rows_ in found.tables.values() for row in rows_)


def test_two_data_sets_have_no_ranking_and_the_page_says_why(
    page: Make, rows_of: Rows, parsed: Parse
) -> None:
    found = parsed(page([*rows_of(dataset="a"), *rows_of(dataset="b")]))
    assert "there is no ranking" in found.text
    assert not [name for name in found.tables if name.startswith("ranking")]
    assert "matrix-map" in found.tables


def test_one_data_set_says_nothing_about_others(page: Make, rows_of: Rows, parsed: Parse) -> None:
    assert "nothing can be said about others" in parsed(page(rows_of())).text
