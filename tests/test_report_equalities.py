"""What cannot differ in a report: not counted by Holm, said in words, in the data, and used as the noise of the table."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from rich.console import Console

from equipoise.report.comparison import compare
from equipoise.report.equalities import partners, sentences
from equipoise.report.export import render, report_frame, to_json

from .shared.reported import NOISE, said

SCORES = {"map": "map", "tuned": "tuned"}


def sweep(gains: dict[str, tuple[float, float]], swing: float = 1.0) -> list[dict[str, Any]]:
    """Rows of `none` on five splits, and of strategies with these mean gains over it (at threshold .5 and tuned)."""
    rows = []
    for strategy, (fixed, tuned) in {"none": (0.0, 0.0), **gains}.items():
        for split, noise in enumerate(NOISE):
            added = 0.0 if strategy == "none" else swing * noise
            metrics = {
                "fixed/macro_f1": 0.6 + fixed + added,
                "tuned/macro_f1": 0.65 + tuned + added,
                "own/macro_f1": 0.6 + fixed + added,
                "scores/map": 0.66,
            }
            row = {
                "status": "ok",
                "dataset": "letters",
                "backbone": "linear",
                "strategy": strategy,
                "split": split,
            }
            rows.append(row | {"metrics": metrics, "settings": {}, "cost": {"seconds_total": 1.0}})
    return rows


def printed(rows: list[dict[str, Any]]) -> str:
    console = Console(width=120, file=io.StringIO(), record=True, color_system=None)
    render(rows, console)
    return console.export_text()


def declared(rows: list[dict[str, Any]], strategy: str, other: str, **columns: str) -> list[dict[str, Any]]:
    """The rows, those of one strategy with a declaration."""
    equality = {"strategy": other, "columns": columns or SCORES, "why": "it only maps scores"}
    return [
        row | {"same_as": [*row.get("same_as", ()), equality]} if row["strategy"] == strategy else row
        for row in rows
    ]


def p_holm(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Strategy → p-value after Holm's correction, at tuned thresholds."""
    (one,) = compare(rows)
    return {r.strategy: r.deltas["tuned_macro_f1"].p_holm for r in one.ranked if r.deltas}


GAINS = {"a": (0.04, 0.01), "b": (0.05, 0.008), "map_only": (0.06, 0.003)}


def test_what_cannot_differ_is_no_comparison() -> None:
    rows = sweep(GAINS)
    before, after = p_holm(rows), p_holm(declared(rows, "map_only", "none"))
    assert math.isnan(after["map_only"])
    # Of three comparisons two are left, so the smallest p-value is multiplied by 2.
    assert after["a"] == pytest.approx(before["a"] * 2 / 3)


def test_at_one_half_it_is_compared_as_before() -> None:
    rows = sweep(GAINS)
    (before,), (after,) = compare(rows), compare(declared(rows, "map_only", "none"))
    fixed = [[r.deltas["fixed_macro_f1"] for r in one.ranked if r.deltas] for one in (before, after)]
    assert fixed[0] == fixed[1]


def test_two_that_are_the_same_count_once() -> None:
    rows = declared(sweep(GAINS), "b", "a")
    found = p_holm(rows)
    assert found["b"] == found["a"] == pytest.approx(p_holm(sweep(GAINS))["a"] * 2 / 3)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_p_value_of_noise_is_adjusted_where_its_partner_has_none(sign: int) -> None:
    """`b` cannot differ from `a`, whose scores are those of `none` on every split; by chance `b` has others.

    The better of them stands for both: with a gain `b`, and with a loss `a`.
    """
    gains = {"a": (0.0, 0.0), "b": (0.0, sign * 0.02), "c": (0.0, 0.01), "d": (0.0, 0.015)}
    rows = sweep(gains)
    scores = {row["split"]: row["metrics"] for row in rows if row["strategy"] == "none"}
    rows = [row | {"metrics": scores[row["split"]]} if row["strategy"] == "a" else row for row in rows]
    free, bound = p_holm(rows), p_holm(declared(rows, "b", "a"))
    assert bound == pytest.approx(free, nan_ok=True), "three comparisons, whoever belongs together"


def test_a_link_need_not_be_in_the_table() -> None:
    rows = declared(declared(sweep(GAINS), "a", "label_powerset"), "b", "label_powerset")
    (one,) = compare(rows)
    by_name = {r.strategy: r.same_as for r in one.ranked}
    assert by_name["b"] == {"tuned_macro_f1": "a", "map": "a"}
    assert by_name["a"] == by_name["map_only"] == {}


def test_an_own_decision_may_be_another_ones_tuned_one() -> None:
    equality = {"strategy": "none", "columns": {"own": "tuned", "fixed": "fixed"}}
    found = partners({"scut": [equality], "scut2": [equality]}, "none")
    # It is compared with the baseline's tuned thresholds, which it cannot differ from.
    same = {"fixed_macro_f1": "none", "own_macro_f1": "none"}
    assert found["scut"] == found["scut2"] == same


def test_it_is_said_with_the_size_of_the_noise() -> None:
    text = said(declared(sweep(GAINS), "map_only", "none"))
    assert "map_only cannot differ from the baseline with tuned thresholds or in mAP here." in text
    assert "measured up to .003 macro-F1 with tuned thresholds apart" in text
    assert "noise of the training and the search" in text


def test_without_noise_nothing_is_said_of_it() -> None:
    rows = declared(sweep({"a": (0.04, 0.01), "map_only": (0.06, 0.0)}, swing=0.0), "map_only", "none")
    text = said(rows)
    assert "map_only cannot differ from the baseline" in text
    assert "apart" not in text


def test_it_is_never_the_largest_gain_nor_a_winner() -> None:
    rows = declared(sweep({"a": (0.0, 0.001), "map_only": (0.06, 0.03)}, swing=0.1), "map_only", "none")
    text = said(rows)
    assert "map_only (" not in text
    assert "the largest gain is that of a" in text or "a (+.001" in text


def test_a_table_of_nothing_else_claims_nothing() -> None:
    text = said(declared(sweep({"map_only": (0.0, 0.0)}), "map_only", "none"))
    assert text.startswith("map_only cannot differ from the baseline")
    assert "significant" not in text


def test_the_table_shows_noise_without_interval_or_star() -> None:
    rows = declared(sweep({"map_only": (0.0, 0.03)}, swing=0.1), "map_only", "none")
    line = next(line for line in printed(rows).splitlines() if line.startswith("map_only"))
    assert "+.030 " in line
    assert "+.030*" not in line
    assert line.count("[") == 1


def test_data_hold_it() -> None:
    rows = declared(sweep(GAINS), "map_only", "none")
    frame = report_frame(rows).set_index("strategy")
    assert frame.loc["map_only", "same_as_tuned_macro_f1"] == "none"
    assert "same_as_fixed_macro_f1" not in frame
    assert frame["noise_tuned_macro_f1"].tolist() == pytest.approx([0.003] * len(frame))
    (comparison,) = json.loads(to_json(rows))
    records = {record["strategy"]: record for record in comparison["strategies"]}
    assert records["map_only"]["same_as_map"] == "none"
    assert "same_as_map" not in records["a"]


def test_rows_that_disagree_declare_nothing() -> None:
    """As where some splits were run with an earlier version of the strategy."""
    rows = declared(sweep(GAINS), "map_only", "none")
    next(row for row in rows if row["strategy"] == "map_only").pop("same_as")
    (one,) = compare(rows)
    assert all(r.same_as == {} for r in one.results)


def test_without_the_baseline_only_others_are_named() -> None:
    rows = [row for row in declared(sweep(GAINS), "map_only", "none") if row["strategy"] != "none"]
    (one,) = compare(rows)
    assert all(r.same_as == {} for r in one.results)


def test_strategies_that_are_equal_in_the_same_places_share_a_sentence() -> None:
    places = {"tuned_macro_f1": "none", "map": "none"}
    assert sentences({"none": {}, "a": places, "b": places, "c": {"map": "a"}}, "none") == [
        "a and b cannot differ from the baseline with tuned thresholds or in mAP here.",
        "c cannot differ from a in mAP here.",
    ]
