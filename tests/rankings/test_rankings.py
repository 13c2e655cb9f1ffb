"""Rankings from rows: which tables and strategies are in, what the numbers are, and what must not change them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from equipoise.core.errors import EquipoiseError
from equipoise.rankings.export import rank_rows, ranking_frame
from equipoise.rankings.model import FEWEST_BLOCKS, Ranking
from equipoise.rankings.ranking import pareto

pytest.importorskip("statsmodels")
pytest.importorskip("baycomp")
Make = Callable[..., list[dict[str, Any]]]
EQUAL = [{"strategy": "none", "columns": {"map": "map", "tuned": "tuned"}, "why": "it is the same"}]


def by_name(ranking: Ranking) -> dict[str, Any]:
    return {one.strategy: one for one in ranking.strategies}


def without(rows: list[dict[str, Any]], strategy: str, *datasets: str) -> list[dict[str, Any]]:
    return [row for row in rows if not (row["strategy"] == strategy and row["dataset"] in datasets)]


def test_what_was_put_in_comes_out(make_rows: Make) -> None:
    (ranking,) = rank_rows(make_rows(datasets=12))
    strategies = by_name(ranking)
    assert len(ranking.blocks) == 12
    assert (ranking.strategies[0].strategy, ranking.strategies[-1].strategy) == ("label_powerset", "mlenn")
    assert strategies["label_powerset"].average_rank == 1
    gain = strategies["label_powerset"].effect
    assert gain.low < 0.05 < gain.high
    assert gain.significant
    assert strategies["mlenn"].effect.significant
    assert strategies["mlenn"].effect.worse > 0.99
    assert not strategies["focal"].effect.significant
    assert strategies["focal"].effect.equal > 0.95
    assert strategies["none"].effect is None
    assert ranking.sentences[0].startswith("By mAP on linear, over 12 data sets: ")
    assert "worse than none (baseline): mlenn −.08" in " ".join(ranking.sentences)


def test_scores_are_means_over_splits_and_wins_count_data_sets(make_rows: Make) -> None:
    rows = make_rows(datasets=6)
    (ranking,) = rank_rows(rows)
    for one in ranking.strategies:
        for block, score in zip(ranking.blocks, one.scores, strict=True):
            own = [
                r["metrics"]["scores/map"]
                for r in rows
                if (r["dataset"], r["strategy"]) == (block.dataset, one.strategy)
            ]
            assert score == pytest.approx(np.mean(own))
    scores = np.array([one.scores for one in ranking.strategies])
    expected = [[int((a > b).sum()) for b in scores] for a in scores]
    assert [list(line) for line in ranking.wins] == expected


def test_the_order_of_rows_and_the_names_of_data_sets_change_nothing(make_rows: Make) -> None:
    rows = make_rows(datasets=7)
    (first,) = rank_rows(rows)
    renamed = [row | {"dataset": f"other {row['dataset']}"} for row in reversed(rows)]
    (second,) = rank_rows(renamed)
    assert [one.strategy for one in first.strategies] == [one.strategy for one in second.strategies]
    for a, b in zip(first.strategies, second.strategies, strict=True):
        assert a.average_rank == pytest.approx(b.average_rank)
        assert (a.place_low, a.place_high) == (b.place_low, b.place_high)
        if a.effect is not None and b.effect is not None:
            assert a.effect.mean == pytest.approx(b.effect.mean)
            assert a.effect.better == pytest.approx(b.effect.better)
    assert first.p == pytest.approx(second.p)


def test_a_constant_on_a_data_set_changes_no_rank_and_no_difference(make_rows: Make) -> None:
    rows = make_rows(datasets=6)
    (first,) = rank_rows(rows)
    for row in rows:
        if row["dataset"] == "set-3":
            row["metrics"] = {name: value + 0.1 for name, value in row["metrics"].items()}
    (second,) = rank_rows(rows)
    for a, b in zip(first.strategies, second.strategies, strict=True):
        assert (a.strategy, a.ranks) == (b.strategy, b.ranks)
        if a.effect is not None and b.effect is not None:
            assert a.effect.mean == pytest.approx(b.effect.mean)


def test_few_data_sets_give_scores_and_no_ranking(make_rows: Make) -> None:
    (ranking,) = rank_rows(make_rows(datasets=FEWEST_BLOCKS - 1))
    assert "only 4 data sets" in ranking.why_not
    assert ranking.why_not in ranking.sentences[0]
    assert (ranking.test, ranking.groups, ranking.tied_for_first) == ("", (), ())
    assert math.isnan(ranking.p)
    assert len(ranking.strategies) == 6
    assert all((one.place_low, one.place_high) == (1, 6) for one in ranking.strategies)
    assert all(one.effect is None or math.isnan(one.effect.p) for one in ranking.strategies)


def test_two_strategies_are_compared_by_wilcoxon(make_rows: Make) -> None:
    (ranking,) = rank_rows(make_rows({"none": 0.0, "focal": 0.05}, datasets=8))
    assert ranking.test == "wilcoxon"
    assert ranking.p == pytest.approx(2 / 2**8)
    assert [one.strategy for one in ranking.tied_for_first] == ["focal"]


def test_one_strategy_is_no_ranking(make_rows: Make) -> None:
    (ranking,) = rank_rows(make_rows({"none": 0.0}))
    assert ranking.why_not == "fewer than two strategies are complete"


def test_a_failure_drops_its_strategy_and_no_data_set(make_rows: Make) -> None:
    rows = make_rows()
    for row in rows:
        if (row["strategy"], row["dataset"]) == ("focal", "set-2"):
            row.update(status="failed", error="it diverged", metrics={})
    (ranking,) = rank_rows(rows)
    assert len(ranking.blocks) == 8
    assert "focal" not in by_name(ranking)
    (missing,) = ranking.missing
    assert (missing.strategy, missing.lacks, missing.tables) == ("focal", ("set-2",), 8)
    assert missing.why == "failed: it diverged"


def test_an_unfinished_data_set_is_dropped_and_said(make_rows: Make) -> None:
    rows = make_rows()
    for strategy in ("focal", "hill", "ml_ros", "mlenn"):
        rows = without(rows, strategy, "set-5")
    (ranking,) = rank_rows(rows)
    assert "set-5" not in [block.dataset for block in ranking.blocks]
    assert len(ranking.strategies) == 6
    assert ranking.left_out == ("set-5 · linear: without a complete score of 4 of the 6 ranked strategies",)


def test_a_new_strategy_on_one_data_set_is_listed(make_rows: Make) -> None:
    rows = make_rows() + make_rows({"hill+scut": 0.1}, datasets=["set-0"])
    (ranking,) = rank_rows(rows)
    assert len(ranking.blocks) == 8
    (missing,) = ranking.missing
    assert (missing.strategy, len(missing.lacks), missing.why) == ("hill+scut", 7, "not run")


def test_no_data_set_is_dropped_below_the_fewest(make_rows: Make) -> None:
    """Dropping a data set would complete two strategies, but leave four data sets."""
    rows = without(make_rows(datasets=5), "focal", "set-4")
    (ranking,) = rank_rows(without(rows, "hill", "set-4"))
    assert (len(ranking.blocks), len(ranking.strategies), ranking.why_not) == (5, 4, "")


def test_a_data_set_without_the_baseline_is_not_used(make_rows: Make) -> None:
    (ranking,) = rank_rows(without(make_rows(), "none", "set-1"))
    assert "set-1" not in [block.dataset for block in ranking.blocks]
    assert ranking.left_out == ("set-1 · linear: none is not complete there",)


def test_without_any_baseline_there_are_ranks_and_no_differences(make_rows: Make) -> None:
    (ranking,) = rank_rows(make_rows({"focal": 0.0, "hill": 0.05, "ml_ros": 0.01}))
    assert ranking.test == "friedman"
    assert all(one.effect is None for one in ranking.strategies)
    assert any("run it as well" in sentence for sentence in ranking.sentences)


def test_backbones_are_averaged_inside_a_data_set(make_rows: Make) -> None:
    rows = make_rows(datasets=6, backbones=("linear", "mlp"))
    whole, linear, mlp = rank_rows(rows)
    assert [r.backbone for r in (whole, linear, mlp)] == ["", "linear", "mlp"]
    assert len(whole.blocks) == 6
    assert whole.blocks[0].tables == ("set-0 · linear", "set-0 · mlp")
    for name, one in by_name(whole).items():
        both = np.array([by_name(linear)[name].scores, by_name(mlp)[name].scores])
        assert one.scores == pytest.approx(tuple(both.mean(axis=0)))
    assert any("each data set counts once" in sentence for sentence in whole.sentences)


def test_strategies_that_cannot_differ_are_no_ranking(make_rows: Make) -> None:
    rows = make_rows(gains={"none": 0.0, "scut": 0.0})
    same = [row | {"same_as": EQUAL} if row["strategy"] == "scut" else row for row in rows]
    (ranking,) = rank_rows(same)
    assert ranking.why_not == "the strategies that are complete cannot differ"
    assert not [sentence for sentence in ranking.sentences if " p " in sentence], "nothing was tested"
    assert "scut cannot differ from none here" in " ".join(ranking.sentences)


def test_seeds_of_the_official_split_do_not_give_it_a_small_variance(make_rows: Make) -> None:
    """Seeds repeat the training alone. Their small variance would give the data set all the weight in a mean over data sets."""
    gains = {"none": 0.0, "focal": 0.0}
    (row, other) = make_rows(gains | {"focal": 0.2}, ["alone"], splits=1, split="official")
    seeds = [one | {"seed": seed, "key": f"{one['key']}-{seed}"} for one in (row, other) for seed in range(4)]
    for one, shift in zip(seeds[4:], (1e-4, -1e-4, 2e-4, -2e-4), strict=True):
        one["metrics"] = one["metrics"] | {"scores/map": one["metrics"]["scores/map"] + shift}
    means = []
    for official in ([row, other], seeds):
        (ranking,) = rank_rows([*make_rows(gains, 6), *official])
        means.append(by_name(ranking)["focal"].effect.mean)
    assert means[1] == pytest.approx(means[0])


def test_several_splits_are_preferred_to_the_official_one(make_rows: Make) -> None:
    rows = make_rows(datasets=6)
    official = make_rows(datasets=["set-0"], splits=1, split="official")
    (ranking,) = rank_rows(rows + [row | {"key": f"o{row['key']}"} for row in official])
    assert ranking.blocks[0].splits == 5
    assert not ranking.blocks[0].official
    assert "official" in ranking.left_out[0]


def test_what_cannot_differ_shares_a_rank_and_is_tested_once(make_rows: Make) -> None:
    rows = make_rows()
    for row in rows:
        if row["strategy"] == "focal":
            row["same_as"] = EQUAL
    (ranking,) = rank_rows(rows)
    (plain,) = rank_rows(make_rows())
    strategies = by_name(ranking)
    focal, none = strategies["focal"], strategies["none"]
    assert (focal.same_as, focal.effect) == ("none", None)
    assert replace(focal, strategy="", same_as="", cost=0, seconds=0, pareto=False, family="") == replace(
        none, strategy="", cost=0, seconds=0, pareto=False, family=""
    )
    position = list(strategies).index("none")
    assert list(strategies)[position + 1] == "focal"
    assert any(first <= position < last for first, last in ranking.groups)
    assert ranking.critical_difference < plain.critical_difference
    assert max(one.place_high for one in ranking.strategies) == 5
    assert "focal cannot differ from none here, and shares its rank." in ranking.sentences


def test_costs_are_relative_to_the_baseline(make_rows: Make) -> None:
    (ranking,) = rank_rows(make_rows())
    strategies = by_name(ranking)
    assert strategies["none"].cost == 1
    assert strategies["label_powerset"].cost == pytest.approx((10 + 5 * 14) / (10 + 5 * 4))
    assert strategies["label_powerset"].pareto
    assert not strategies["mlenn"].pareto


def test_pareto_keeps_what_nothing_beats_in_both() -> None:
    quality = np.array([0.5, 0.6, 0.6, 0.4, 0.7])
    price = np.array([1.0, 2.0, 3.0, 1.0, np.nan])
    assert pareto(quality, price) == [True, True, False, False, False]


def test_a_metric_that_is_undefined_somewhere_is_missing_there(make_rows: Make) -> None:
    rows = make_rows()
    for row in rows:
        if (row["strategy"], row["dataset"]) == ("hill", "set-0"):
            row["metrics"] = row["metrics"] | {"scores/map": math.nan}
    by_map, by_f1 = rank_rows(rows)[0], rank_rows(rows, "tuned_macro_f1")[0]
    assert [(one.strategy, one.why) for one in by_map.missing] == [("hill", "the score is undefined")]
    assert not by_f1.missing


def test_an_unknown_metric_is_one_line(make_rows: Make) -> None:
    with pytest.raises(EquipoiseError, match=r"^cannot rank by 'auroc' \(known: map, tuned_macro_f1\)$"):
        rank_rows(make_rows(), "auroc")


def test_a_frame_has_one_line_per_ranking_and_strategy(make_rows: Make) -> None:
    frame = ranking_frame(rank_rows(make_rows(backbones=("linear", "mlp"))))
    assert len(frame) == 3 * 6
    assert {"metric", "backbone", "strategy", "average_rank", "delta_mean", "delta_p_holm"} <= set(frame)
