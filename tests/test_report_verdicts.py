"""Sentences and states of a table that a reader could take for more than the data say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from equipoise.report.comparison import compare
from equipoise.report.moderation import moderated
from equipoise.report.power import detectable
from equipoise.report.significance import Difference, holm, paired
from equipoise.report.words.numbers import interval
from equipoise.resampling.audit import sentence

from .shared.reported import BASE, NOISE, make_row, printed, said, sweep


def with_map(scores: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Rows with these values of mAP on each split."""
    return [
        make_row(name, s, 0.5, 0.6)
        | {"metrics": {**make_row(name, s, 0.5, 0.6)["metrics"], "scores/map": value}}
        for name, values in scores.items()
        for s, value in enumerate(values)
    ]


def test_a_strategy_without_a_score_on_hard_splits_does_not_lead() -> None:
    """Its mean is over the easy splits alone: .85 beside .58, although it is worse by .05 where both have a score."""
    nan = math.nan
    rows = with_map({"none": [0.9, 0.91, 0.89, 0.1, 0.1], "a": [0.85, 0.86, 0.84, nan, nan]})
    (one,) = compare(rows)
    (found,) = (result for result in one.results if result.strategy == "a")
    assert (found.state, found.splits, found.why) == ("incomplete", 3, "score undefined on split 3, 4")
    assert [result.strategy for result in one.ranked] == ["none"]
    assert "incomplete (3 of 5 splits) a: score undefined on split 3, 4" in printed(rows, 120)


def test_a_score_that_is_undefined_for_none_as_well_makes_nobody_incomplete() -> None:
    rows = with_map({"none": [0.9, 0.91, math.nan], "a": [0.85, 0.86, math.nan]})
    assert len(compare(rows)[0].ranked) == 2


def test_rounding_is_no_difference() -> None:
    assert not paired({0: 0.1 + 0.2, 1: 0.5}, {0: 0.3, 1: 0.5}).any()
    speck = [value + 2.3e-16 for value in BASE]
    rows = with_map({"none": list(BASE), "a": speck, "b": list(np.array(BASE) + NOISE)})
    (one,) = compare(rows)
    by_name = {result.strategy: result.deltas["map"] for result in one.ranked if result.deltas}
    assert by_name["a"].identical
    (alone,) = compare([row for row in rows if row["strategy"] != "a"])
    (b,) = (result for result in alone.ranked if result.strategy == "b")
    assert by_name["b"].error == b.deltas["map"].error


def test_what_would_usually_be_starred_is_starred_in_two_tables_of_three() -> None:
    """Seven strategies of equal noise on five splits: roughly two tables in three star a gain of the printed size (SE 2 %)."""
    rng = np.random.default_rng(0)
    stars = []
    for _ in range(60):
        null = moderated({str(i): rng.normal(0, 0.01, 5) for i in range(7)}, 0.0)
        size = float(np.median([one.detectable(7) for one in null.values()]))
        for _ in range(8):
            table = {str(i): rng.normal(size * (i == 0), 0.01, 5) for i in range(7)}
            stars.append(holm(moderated(table, 0.0))["0"].significant)
    assert 0.57 <= np.mean(stars) <= 0.78


def test_the_power_sentence_promises_no_exact_rate() -> None:
    rows = sweep({"a": (0.0, 0.001), "b": (0.0, -0.002)})
    size = detectable(compare(rows)[0], "tuned_macro_f1")
    assert (
        f"A true difference of about .{round(size * 1000):03d} macro-F1 with tuned thresholds would usually"
        in said(rows)
    )
    assert "roughly two tables in three" in said(rows)
    assert "80 %" not in said(rows)


def test_an_interval_shows_on_which_side_of_zero_it_is() -> None:
    assert interval(Difference(0.006, 0.0003, 0.012)) == "[+.0003, +.012]"
    assert interval(Difference(0.006, -0.0003, 0.012)) == "[−.0003, +.012]"
    assert interval(Difference(0.0, 0.0, 0.0)) == "[±.000, ±.000]"
    assert interval(Difference(0.0)) == ""


def test_a_longer_end_fits_into_eighty_columns() -> None:
    """Twice in one row, with a minus, beside scores of all columns."""
    scores = [value + 0.0065 + noise for value, noise in zip(BASE, NOISE, strict=True)]
    rows = with_map({"none": list(BASE), "a": scores})
    for row in rows:
        row["metrics"] |= {"tuned/macro_f1": row["metrics"]["scores/map"]}
    (one,) = compare(rows)
    (delta,) = (result.deltas["map"] for result in one.ranked if result.strategy == "a")
    assert 0 < abs(delta.low) < 0.0005
    text = printed(rows)
    assert text.count(interval(delta)[1:-1].replace(", ", " ")) == 2
    assert "…" not in text


def test_a_failed_baseline_is_to_be_run_again() -> None:
    rows = sweep({"a": (0.0, 0.01)})
    broken = next(row for row in rows if row["key"] == "none-3")
    broken.update(status="failed", metrics={}, error="MemoryError: 12 GB")
    assert "'none' is incomplete (MemoryError: 12 GB), so there is no baseline" in said(rows)
    assert "run it again (--redo failed)" in said(rows)


def test_thresholds_are_described_and_not_credited() -> None:
    text = said(sweep({"a": (0.0, 0.01)}))
    assert "The baseline has macro-F1 .602 at .5 and .652 with tuned thresholds (+.050)." in text


def test_a_gain_without_a_star_is_not_laid_to_several_strategies() -> None:
    """One strategy, whose own interval excludes 0, but not at the level that is shared with the other metrics."""
    scores = [value + 0.006 + 0.75 * noise for value, noise in zip(BASE, NOISE, strict=True)]
    rows = with_map({"none": list(BASE), "a": scores})
    for row in rows:
        row["metrics"] |= {"tuned/macro_f1": row["metrics"]["scores/map"]}
    (one,) = compare(rows)
    (delta,) = (result.deltas["map"] for result in one.ranked if result.strategy == "a")
    assert delta.low > 0
    assert not delta.significant
    assert ", but not after correction for all that the table compares" in said(rows)
    assert "several strategies" not in said(rows)


@pytest.mark.parametrize(("copies", "words"), [(1, "1 exact copy)"), (2, "2 exact copies)")])
def test_copies_are_counted_in_words(copies: int, words: str) -> None:
    state = {"rows": 100, "scumble": 0.1, "duplicates": 0, "mean_ir": 1.4}
    audit = {"before": state, "after": {**state, "duplicates": copies}}
    assert sentence("ml_ros", "emotions", [audit]).endswith(words)
