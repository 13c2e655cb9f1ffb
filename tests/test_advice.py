"""The advice at the end of a report: verdict, figures, sentences and the next command."""

from __future__ import annotations

import io
import json
import math
import shlex
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from equipoise.report.advice import NO_GAIN, OPEN, UNKNOWN, WON, Advice, advise
from equipoise.report.comparison import compare
from equipoise.report.export import render, to_json
from equipoise.report.power import MOST_SPLITS, detectable, splits_to_decide
from equipoise.report.significance import Difference
from equipoise.report.words.advice import likelihood

Rows = list[dict[str, Any]]


def table(
    gains: dict[str, float],
    splits: int = 5,
    noise: float = 0.004,
    backbone: str = "linear",
    level: float = 0.6,
) -> Rows:
    """Rows of `none` and of strategies with these mean gains in mAP and tuned macro-F1, and independent noise of each."""
    rng = np.random.default_rng([len(gains), len(backbone)])
    rows = []
    for strategy, gain in {"none": 0.0, **gains}.items():
        # Noise with mean 0, so that the gains are what the table shows.
        own = rng.normal(0, noise, (2, splits))
        own -= own.mean(axis=1, keepdims=True)
        for split in range(splits):
            score, tuned = level + gain + own[:, split]
            metrics = {"scores/map": score, "tuned/macro_f1": tuned, "fixed/macro_f1": tuned - 0.1}
            row = {"status": "ok", "dataset": "my mails", "backbone": backbone, "strategy": strategy}
            cost = {"seconds_total": 2.0 if strategy == "none" else 4.0}
            rows.append(
                {
                    **row,
                    "split": split,
                    "seed": 0,
                    "settings": {"epochs": 20},
                    "metrics": metrics,
                    "cost": cost,
                }
            )
    return rows


def advice(rows: Rows) -> Advice:
    (found,) = advise(compare(rows))
    return found


def test_a_winner_is_to_be_used_and_confirmed() -> None:
    found = advice(table({"good": 0.05, "dull": 0.001}))
    assert (found.verdict, found.strategy, found.rival, found.decision) == (WON, "good", "good", "tuned")
    assert found.decided
    assert found.text.startswith(
        "Use good on linear with per-label tuned thresholds (mAP .650, macro-F1 .650): +.050"
    )
    assert "is virtually certain (> 99 %)" in found.text
    assert found.command == (
        "equipoise run --dataset 'my mails' --backbone linear --strategy none --strategy good --splits 5 --seed 1 --epochs 20"
    )


def test_no_gain_is_said_without_asking_for_more() -> None:
    found = advice(table({"a": 0.001, "b": -0.02}, noise=0.002))
    assert (found.verdict, found.strategy, found.more_splits) == (NO_GAIN, "none", None)
    assert "Use linear without balancing (none)" in found.text
    assert "More splits are not needed." in found.text
    assert found.command == "equipoise diagnose 'my mails'"


def test_an_open_question_says_what_would_decide_it_and_its_cost() -> None:
    found = advice(table({"maybe": 0.02, "dull": 0.0}, noise=0.011))
    assert (found.verdict, found.strategy, found.rival) == (OPEN, "none", "maybe")
    assert found.more_splits is not None
    # A cell of none and one of the rival take 6 s; there are five splits already.
    assert found.seconds == pytest.approx((found.more_splits - 5) * 6)
    assert f"{found.more_splits - 5} more splits (about" in found.text
    words = shlex.split(found.command)
    assert words[words.index("--splits") + 1] == str(found.more_splits)
    assert found.gain is not None
    assert found.gain.chances is not None
    assert found.gain.chances.better > 0.5


@pytest.mark.parametrize("splits", [1, 2, 4])
def test_few_splits_are_a_guess(splits: int) -> None:
    found = advice(table({"good": 0.2}, splits))
    assert (found.verdict, found.strategy, found.more_splits) == (UNKNOWN, "none", 5)
    assert f"With {splits} of at least 5 splits this is a guess" in found.text
    assert "certain" not in found.text


def test_without_strategies_all_of_them_are_proposed() -> None:
    found = advice(table({}))
    assert found.verdict == UNKNOWN
    assert "No strategy was compared with it." in found.text
    assert "--strategy none --strategy all" in found.command


def test_the_backbone_that_matters_more_is_named() -> None:
    rows = table({"a": 0.004}) + table({"a": 0.03}, backbone="mlp", level=0.5)
    found = advice(rows)
    assert found.backbone == "linear"
    assert found.backbones["mlp"].mean == pytest.approx(0.1)
    assert (
        "The backbone matters more than any strategy that was tried: in mAP, linear has +.100" in found.text
    )
    assert "the most that a strategy gains is +.030" in found.text
    equal = advice(table({"a": 0.05}) + table({"a": 0.05}, backbone="mlp", level=0.599))
    assert "matters more" not in equal.text


def test_backbones_without_a_common_split_are_not_compared() -> None:
    other = [row | {"seed": 7} for row in table({}, backbone="mlp", level=0.3)]
    assert advice(table({"a": 0.0}) + other).backbones == {}


def test_a_gain_in_map_that_costs_tuned_f1_is_none() -> None:
    rows = table({"trade": 0.05, "dull": 0.001})
    for row in rows:
        if row["strategy"] == "trade":
            row["metrics"]["tuned/macro_f1"] -= 0.15
    assert advice(rows).strategy == "none"


def test_a_large_variance_needs_more_splits() -> None:
    units = [(0, split) for split in range(5)]
    needed = [
        splits_to_decide(Difference(0.02, pairs=5, error=error, df=8.0), units, 0.02)
        for error in (0.005, 0.008, 0.012)
    ]
    assert needed[0] is not None
    assert needed[1] is not None
    assert 5 < needed[0] < needed[1] <= MOST_SPLITS
    # The correlation of repetitions leaves an error that no number of splits takes away.
    assert needed[2] is None
    assert splits_to_decide(Difference(0.02, pairs=5, error=0.2, df=8.0), units, 0.02) is None
    assert splits_to_decide(Difference(0.02, pairs=1), units, 0.02) is None


def test_what_could_be_detected_is_in_the_report() -> None:
    rows = table({"a": 0.01, "b": 0.0, "c": 0.0}, noise=0.01)
    (comparison,) = compare(rows)
    size = detectable(comparison, "map")
    assert 0.01 < size < 0.1
    assert math.isnan(detectable(compare(table({"a": 0.1}, 2))[0], "map"))
    (plain,) = json.loads(to_json(rows))
    assert plain["detectable"]["map"] == pytest.approx(size)
    assert plain["advice"]["verdict"] == advice(rows).verdict
    assert sum(plain["advice"]["chances"].values()) == pytest.approx(1)


def test_commands_in_json_name_the_store() -> None:
    rows = table({"good": 0.05, "dull": 0.0})
    (here,), (elsewhere,) = json.loads(to_json(rows)), json.loads(to_json(rows, "my results"))
    assert elsewhere["advice"]["command"] == f"{here['advice']['command']} --results 'my results'"


def test_all_that_is_adjusted_together_counts_for_what_could_be_detected() -> None:
    """At one half, Holm's first step divides by the comparisons of decisions and of what tuning takes away as well."""
    rows, rng = table({"a": 0.01, "b": 0.0, "c": 0.0}, noise=0.01), np.random.default_rng(0)
    for row in rows:
        row["metrics"]["fixed/macro_f1"] += rng.normal(0, 0.01)
    (comparison,) = compare(rows)
    names = ("fixed_macro_f1", "own_macro_f1", "fixed_minus_tuned")
    found = [r.deltas[name] for r in comparison.ranked for name in names if name in r.deltas]
    tests = sum(math.isfinite(delta.mean) for delta in found)
    assert tests == 6, "three at one half, and what tuning takes away from each"
    sizes = [r.deltas[names[0]].detectable(tests / 0.2) for r in comparison.ranked if r.deltas]
    assert detectable(comparison, names[0]) == pytest.approx(np.median(sizes))


def test_many_tables_are_summarised() -> None:
    rows = [row | {"dataset": f"data-{i}"} for i in range(13) for row in table({"good": 0.05, "dull": 0.0})]
    console = Console(width=100, file=io.StringIO(), record=True, color_system=None)
    render(rows, console)
    text = console.export_text()
    assert text.count("+.050* good") >= 13
    assert "--details prints every table" in " ".join(text.split())
    assert "Δ none" not in text
    render(rows, console, details=True)
    assert console.export_text().count("Δ none") >= 13


def test_words_for_probabilities() -> None:
    assert [likelihood(share) for share in (0.999, 0.95, 0.7, 0.5, 0.2, 0.05, 0.001)] == [
        "virtually certain",
        "very likely",
        "likely",
        "about as likely as not",
        "unlikely",
        "very unlikely",
        "exceptionally unlikely",
    ]
