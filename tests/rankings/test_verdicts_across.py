"""What a ranking says over data sets agrees with the data: equality, direction, marks, and words for what is missing."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from equipoise.rankings import effects, ranks
from equipoise.rankings.export import rank_rows
from equipoise.rankings.model import Effect, Ranking
from equipoise.rankings.scores import numbers
from equipoise.rankings.table import render
from equipoise.report.comparison import compare

pytest.importorskip("statsmodels")
Make = Callable[..., list[dict[str, Any]]]


def printed(ranked: Sequence[Ranking]) -> str:
    console = Console(width=116, file=io.StringIO(), record=True, color_system=None)
    render(ranked, console)
    return console.export_text()


@pytest.mark.parametrize("blocks", [5, 8, 20])
def test_probabilities_are_those_of_baycomp(blocks: int) -> None:
    """The same draws give the same probabilities, up to sums that lie on an edge within rounding."""
    baycomp = pytest.importorskip("baycomp")
    for seed in range(3):
        d = np.sort(np.random.default_rng(seed).normal(0.004, 0.012, blocks))
        theirs = baycomp.SignedRankTest(
            np.zeros(blocks), d, rope=0.01, nsamples=effects.DRAWS, random_state=0
        ).probs()
        np.testing.assert_allclose(effects.signed_rank(d), theirs, atol=1.5 / effects.DRAWS)


def test_a_large_gain_on_few_data_sets_is_not_called_equality(make_rows: Make) -> None:
    """Equal on 17 data sets and better by .1 on three: equality is most likely on a data set, but not the whole story."""
    found = effects.effect(np.array([0.0] * 17 + [0.1] * 3), np.full(20, 1e-6))
    assert found.equal > 0.95
    assert not found.practically_equal
    assert Effect(0.001, -0.005, 0.007, equal=0.99).practically_equal
    assert not Effect(0.001, -0.005, 0.007, equal=0.90).practically_equal
    assert not Effect(0.001).practically_equal


def test_practical_equality_is_said_of_most_data_sets(make_rows: Make) -> None:
    rows = make_rows({"none": 0.0, "focal": 0.0, "hill": 0.0}, datasets=12)
    (ranking,) = rank_rows(rows)
    equal = [one for one in ranking.strategies if one.effect and one.effect.practically_equal]
    assert equal
    assert any(text.startswith("Practically equal to none on most data sets") for text in ranking.sentences)


def test_wilcoxon_says_which_of_two_is_better() -> None:
    """The first wins 17 data sets by little, the second 15 by much: the second is better, whatever the average ranks say."""
    scores = np.full((2, 32), 0.5)
    scores[0, :17] += np.linspace(0.001, 0.002, 17)
    scores[1, 17:] += np.linspace(0.03, 0.06, 15)
    average, test = ranks.rank(scores).mean(axis=1), ranks.omnibus(scores)
    assert test.significant
    assert average[0] < average[1]
    assert ranks.places(average, test) == [(2, 2), (1, 1)]
    assert ranks.places(average[::-1], ranks.omnibus(scores[::-1])) == [(1, 1), (2, 2)]


def test_the_better_of_two_stands_first(make_rows: Make) -> None:
    rows = make_rows({"none": 0.0, "focal": 0.0}, datasets=32)
    for row in rows:
        block = int(row["dataset"].removeprefix("set-"))
        gain = 0.001 + block / 1e5 if block < 17 else -0.03 - block / 1e3
        row["metrics"] = row["metrics"] | {"scores/map": 0.5 + gain * (row["strategy"] == "focal")}
    (ranking,) = rank_rows(rows)
    first, second = ranking.strategies
    assert first.average_rank > second.average_rank
    assert (first.strategy, first.place_low, first.place_high) == ("none", 1, 1)
    assert [one.strategy for one in ranking.tied_for_first] == ["none"]
    assert second.effect is not None
    assert second.effect.mean < 0


def test_average_ranks_that_are_equal_do_not_hide_a_significant_test() -> None:
    scores = np.full((2, 32), 0.5)
    scores[0, :16] += np.linspace(0.001, 0.002, 16)
    scores[1, 16:] += np.linspace(0.03, 0.06, 16)
    average, test = ranks.rank(scores).mean(axis=1), ranks.omnibus(scores)
    assert test.significant
    assert average[0] == average[1]
    assert ranks.places(average, test) == [(2, 2), (1, 1)]
    assert ranks.ties(average, test) == []


def test_variances_count_the_rows_that_splits_share(make_rows: Make) -> None:
    """The standard error over data sets uses the variance of a mean over splits as the tables do: more than s² / k."""
    tables = compare(make_rows({"none": 0.0, "focal": 0.01}, datasets=1, splits=25))
    found = numbers(tables, ["none", "focal"], "map").variances[1, 0]
    (focal,) = (one for one in tables[0].ranked if one.strategy == "focal")
    assert found == pytest.approx(focal.deltas["map"].error ** 2, rel=1e-6)


def test_the_best_on_a_data_set_has_no_star_and_the_legend_says_so(make_rows: Make) -> None:
    text = printed(rank_rows(make_rows({"none": 0.0, "focal": 0.05}, datasets=3)))
    assert "only 3 data sets" in text
    assert "‹ marks the best on a data set" in text
    assert text.count("‹") == 3 + 1
    assert "*" not in text


def test_sentences_for_one_generated_data_set_and_for_no_ranking(make_rows: Make) -> None:
    rows = make_rows({"none": 0.0, "focal": 0.0}, datasets=1, backbones=("linear", "mlp"))
    for row in rows:
        row["generated"] = True
        if row["strategy"] == "focal":
            row["same_as"] = [{"strategy": "none", "columns": {"map": "map"}}]
    whole, *_ = rank_rows(rows)
    assert whole.sentences[0].startswith("By mAP averaged over backbones, there is no ranking: ")
    assert "focal cannot differ from none here, and shares its scores." in whole.sentences
    assert "The data set is generated." in whole.sentences


def test_a_score_that_is_undefined_on_some_splits_never_drops_a_table(make_rows: Make) -> None:
    rows = make_rows()
    for row in rows:
        if (row["strategy"], row["dataset"]) == ("hill", "set-0") and row["split"] < 2:
            row["metrics"] = row["metrics"] | {"scores/map": math.nan}
    (ranking,) = rank_rows(rows)
    assert len(ranking.blocks) == 8
    assert [(one.strategy, one.why) for one in ranking.missing] == [
        ("hill", "incomplete: score undefined on split 0, 1")
    ]
