"""The report: which strategies may be ranked, which differences are significant, and sentences that follow from the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equipoise.report.comparison import compare
from equipoise.report.export import report_frame

from .shared.reported import NOISE, make_row, printed, said, sweep


# --- who is compared with whom --------------------------------------------------------------------------------
def test_ranked_by_tuned_macro_f1() -> None:
    frame = report_frame(sweep({"a": (0.2, -0.02), "b": (0.0, 0.03)})).set_index("strategy")
    assert frame["rank"].to_dict() == {"b": 1, "none": 2, "a": 3}
    assert frame.loc["b", "delta_tuned_macro_f1"] == pytest.approx(0.03)
    assert math.isnan(frame.loc["none", "delta_tuned_macro_f1"])
    assert frame.loc["b", "rcr_support"] == 100


def test_a_strategy_with_a_failed_split_is_listed_with_its_reason_and_not_ranked() -> None:
    rows = sweep({"a": (0.1, 0.1), "b": (0.0, 0.0)})
    broken = next(row for row in rows if row["key"] == "a-3")
    broken.update(status="failed", metrics={}, error="RuntimeError: loss is NaN")
    frame = report_frame(rows).set_index("strategy")
    assert frame.loc["a", "state"] == "incomplete"
    assert np.isnan(frame.loc["a", "rank"])
    assert frame.loc["b", "splits"] == 5  # the others lose nothing by it
    assert "incomplete (4 of 5 splits) a: RuntimeError: loss is NaN" in printed(rows, 120)


def test_skipped_and_failed_strategies_are_listed_with_their_reasons() -> None:
    rows = sweep({})
    rows += [
        make_row("mlsmote", s, 0, 0, status="skipped", metrics={}, reason="needs numeric inputs")
        for s in range(5)
    ]
    rows += [
        make_row("big", s, 0, 0, status="failed", metrics={}, error="MemoryError: 12 GB") for s in range(5)
    ]
    text = printed(rows, 120)
    assert text.count("skipped mlsmote: needs numeric inputs") == 1
    assert text.count("failed big: MemoryError: 12 GB") == 1


def test_only_failures_give_a_report_and_no_ranking() -> None:
    text = printed([make_row("none", 0, 0, 0, status="failed", metrics={}, error="ValueError: no rows")])
    assert "Nothing can be ranked" in text
    assert "failed none: ValueError: no rows" in text


def test_a_sweep_under_way_does_not_make_everybody_incomplete() -> None:
    rows = [row for row in sweep({"a": (0, 0), "b": (0, 0)}) if row["split"] < 4 or row["strategy"] == "none"]
    (one,) = compare(rows)
    assert [unit[1] for unit in one.units] == [0, 1, 2, 3]
    assert {line.strategy for line in one.ranked} == {"none", "a", "b"}
    assert "split 4 left out" in printed(rows, 120)


def test_support_counts_the_splits_that_are_used() -> None:
    rows = [
        row
        for row in sweep({"a": (0.1, 0.1), "b": (0.0, 0.1)})
        if row["split"] < 4 or row["strategy"] == "none"
    ]
    (one,) = compare(rows)
    assert len(one.units) == 4
    assert one.support == 4 * 20


def test_different_settings_or_data_are_never_mixed() -> None:
    rows = sweep({"a": (0.1, 0.1)}, 2)
    other = [
        row | {"settings": {"trials": 8}, "key": row["key"] + "x"} for row in sweep({"a": (0.0, 0.0)}, 2)
    ]
    third = [row | {"dataset_sha256": "cd" * 32, "key": row["key"] + "y"} for row in sweep({}, 2)]
    found = compare(rows + other + third)
    assert [one.variant for one in found] == [
        "trials=4, data abababab",
        "trials=8, data abababab",
        "trials=4, data cdcdcdcd",
    ]
    assert found[0].results[0].deltas["tuned_macro_f1"].mean == pytest.approx(0.1 + (NOISE[1] + NOISE[2]) / 2)


def test_a_later_row_of_the_same_cell_takes_its_place_and_that_is_said() -> None:
    rows = sweep({"a": (0.0, 0.0)}, 2)
    rows.append(make_row("a", 1, 0.9, 0.95, key="a-1-new-code"))
    (one,) = compare(rows)
    assert one.superseded == 1
    best = one.ranked[0]
    assert (best.strategy, best.values["tuned_macro_f1"][0, 1]) == ("a", 0.95)
    assert "1 older row of the same cells left out" in printed(rows, 160)


def test_splits_of_two_seeds_are_different_splits() -> None:
    rows = sweep({}, 2) + [row | {"seed": 1, "key": row["key"] + "s"} for row in sweep({}, 2)]
    (one,) = compare(rows)
    assert len(one.units) == 4
    assert "4 splits over 2 seeds" in printed(rows)


# --- words ----------------------------------------------------------------------------------------------------
def test_a_real_gain_is_said_to_be_one() -> None:
    text = said(sweep({"good": (0.10, 0.08), "dull": (0.001, 0.001)}))
    assert "With tuned thresholds good (+.080 [+.073, +.087]) beats the baseline" in text
    assert "disguise" not in text


def test_a_gain_that_goes_with_tuned_thresholds_is_a_threshold_in_disguise() -> None:
    text = said(sweep({"pos_weight": (0.08, 0.002), "plain": (0.0, 0.001)}))
    assert "no strategy differs significantly from the baseline in macro-F1" in text
    assert "pos_weight +.080 → +.002: mostly a threshold in disguise" in text


def test_an_uncertain_disguise_is_not_spoken_of() -> None:
    assert "disguise" in said(sweep({"pos_weight": (0.02, 0.002)}, swing=1.0))
    assert "disguise" not in said(sweep({"pos_weight": (0.02, 0.002)}, swing=5.0))
    assert "disguise" not in said(sweep({"pos_weight": (0.08, 0.002)}, 4))  # four splits claim nothing


def test_a_real_loss_is_said() -> None:
    assert "Worse than the baseline even with tuned thresholds: bad (−.080" in said(
        sweep({"bad": (-0.1, -0.08)})
    )


def test_a_gain_alone_significant_among_many_is_not_claimed() -> None:
    names = [f"s{number}" for number in range(12)]
    lucky = sweep({"lucky": (0.012, 0.012), **dict.fromkeys(names, (0.0, 0.0001))})
    alone = sweep({"lucky": (0.012, 0.012)})
    assert "lucky (+.012" in said(alone)
    assert "beats the baseline" in said(alone)
    assert "beat" not in said(lucky)
    assert "but not after correction for all that the table compares" in said(lucky)


def test_one_split_gives_no_interval_and_says_so() -> None:
    rows = sweep({"a": (0.1, 0.1)}, 1)
    assert "One split says nothing about chance" in said(rows)
    table = printed(rows).split("▸")[0]
    assert "[" not in table
    assert "+.104" in table


def test_a_loss_is_not_called_a_gain() -> None:
    text = said(sweep({"a": (0.0, -0.001), "b": (0.0, -0.002)}))
    assert "the baseline has the highest mean; the next is a with −.001" in text
    assert "gain is" not in text


def test_few_splits_are_called_few() -> None:
    assert "With 3 splits only large differences can be significant" in said(sweep({"a": (0.0, 0.001)}, 3))


def test_without_none_nothing_is_claimed() -> None:
    rows = [row for row in sweep({"a": (0.1, 0.1)}) if row["strategy"] != "none"]
    assert "Without a complete 'none'" in said(rows)


def test_a_decision_of_its_own_is_shown_against_none_under_such_a_rule() -> None:
    rows = sweep({"scut": (0.0, 0.0), "plain": (0.01, 0.0)})
    for row in rows:
        if row["strategy"] == "scut":
            row["metrics"]["own/macro_f1"] = row["metrics"]["fixed/macro_f1"] + 0.03
    text = printed(rows)
    # Tuned thresholds take `none` to .652: an untuned baseline would make a gain of .03 of this loss of .02.
    assert "own decision scut: macro-F1 .632 (Δ none tuned: −.020" in text
    assert "own decision plain" not in text
