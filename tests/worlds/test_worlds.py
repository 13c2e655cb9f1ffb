"""Effects and choices over controlled worlds, on made-up rows with planted effects."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from equipoise.bayes import scores_of
from equipoise.catalog.datasets import source_of
from equipoise.core.errors import EquipoiseError
from equipoise.splits.outer import outer_split, split_hash
from equipoise.worlds import effects
from equipoise.worlds.best import best_of, factors_of
from equipoise.worlds.choice import GAIN, NOTHING, OPEN, choose, share
from equipoise.worlds.world import Best, Scores, World, Worlds, worlds_of

Planted = Callable[[Mapping[str, float]], float]


def factorial(gains: Mapping[str, Planted], noise: float = 0.0, replicates: int = 1, seed: int = 0) -> Worlds:
    """Worlds of imbalance × rows × dependence whose strategies gain what is planted, and noise of their own."""
    rng = np.random.default_rng(seed)
    made = []
    for i, levels in enumerate(
        itertools.product((3, 12, 48), (500, 2000, 8000), (0, 0.8), range(replicates))
    ):
        factors = dict(zip(("imbalance", "rows", "dependence"), map(float, levels), strict=False))
        base = Scores(0.6, 0.5, 0.4)
        scores = {"none": base}
        for name, gain in gains.items():
            got = gain(factors) + rng.normal(0, noise)
            scores[name] = Scores(base.map + got, base.tuned, base.untuned + got)
        made.append(World(f"w{i}", factors, scores, Best(0.9, 0.8, 0.7)))
    return Worlds(made)


def row(dataset: str, strategy: str, split: int, score: float | None, **more: Any) -> dict[str, Any]:
    metrics = {"scores/map": score, "tuned/macro_f1": 0.5, "own/macro_f1": 0.4, "tuned/labels_scored": 5}
    return {
        "dataset": dataset,
        "strategy": strategy,
        "split": split,
        "seed": 0,
        "status": "ok",
        "metrics": metrics,
    } | more


def test_a_world_compares_strategies_on_the_splits_of_none() -> None:
    rows = [
        row("w", "none", 0, 0.5),
        row("w", "none", 1, 0.7),
        row("w", "focal", 0, 0.6),
        row("w", "focal", 1, 0.1),
        row("w", "focal", 1, 0.9),  # a later row of a cell counts
        row("w", "asl", 0, 0.9),  # lacks a split
        row("w", "apl", 0, None, status="failed"),
        row("elsewhere", "none", 0, 0.5),
    ]
    (world,) = worlds_of(rows, {"w": {"rows": 100.0}}, {"w": Best(0.8, 0.7, 0.6)}).worlds
    assert world.difference("focal", "map") == pytest.approx(0.15)
    assert math.isnan(world.difference("asl", "map"))
    assert "apl" not in world.scores
    assert world.gap("map") == pytest.approx(0.2)
    assert world.gap("untuned") == pytest.approx(0.3)
    # A decision without tuning, against `none` with tuned thresholds.
    assert world.difference("focal", "untuned", "tuned") == pytest.approx(-0.1)


def test_a_model_recovers_the_planted_effects() -> None:
    planted = {"mean": 0.02, "imbalance": 0.01, "rows": -0.006, "dependence": 0.03}

    def gain(f: Mapping[str, float]) -> float:
        return (
            planted["mean"]
            + planted["imbalance"] * math.log(f["imbalance"] / 12, 4)
            + planted["rows"] * math.log(f["rows"] / 2000, 4)
            + planted["dependence"] * (f["dependence"] / 0.8 - 0.5)
        )

    columns = {"factors": tuple(planted)[1:], "logarithmic": {"imbalance": 4, "rows": 4}}
    exact = factorial({"s": gain})
    found = effects.fit(exact.differences("s", "map"), effects.centred(exact, **columns))
    assert {name: term.value for name, term in found.terms.items()} == pytest.approx(planted)
    noisy = factorial({"s": gain}, 0.02, replicates=8)
    found = effects.fit(noisy.differences("s", "map"), effects.centred(noisy, **columns))
    assert found.spread == pytest.approx(0.02, rel=0.15)
    for name, term in found.terms.items():
        assert abs(term.value - planted[name]) < 3 * term.error
        assert term.error < 0.005
    assert found.terms["dependence"].p < 1e-6
    # Rows and imbalance in opposite directions: what more rows of a more imbalanced world change.
    both = found.combine({"imbalance": 1, "rows": 1})
    assert abs(both.value - 0.004) < 3 * both.error
    assert both.error**2 > found.terms["rows"].error ** 2


def test_robust_errors_cover_where_the_noise_of_worlds_differs() -> None:
    rng = np.random.default_rng(1)
    x = np.repeat([-0.5, 0.5], (30, 90))
    columns = {"mean": np.ones(120), "x": x}
    covered = []
    for _ in range(300):
        term = effects.fit(rng.normal(0, np.where(x < 0, 0.05, 0.005)), columns).terms["x"]
        covered.append(term.low <= 0 <= term.high)
    assert np.mean(covered) > 0.91  # with one variance for all worlds it is .75 (2000 draws)


def test_a_model_says_what_it_cannot_fit() -> None:
    worlds = factorial({"s": lambda f: 0.0})
    values = worlds.differences("s", "map")
    twice = {"mean": np.ones(len(values)), "again": np.ones(len(values))}
    with pytest.raises(EquipoiseError, match="cannot be told apart"):
        effects.fit(values, twice)
    with pytest.raises(EquipoiseError, match="too few"):
        effects.fit(values[:3], {name: column[:3] for name, column in twice.items()})


def test_holm_multiplies_the_smallest_by_the_number_of_tests() -> None:
    made = {
        n: effects.Estimate(0, 1, 0, 0, p)
        for n, p in {"a": 0.01, "b": 0.04, "c": 0.03, "d": math.nan}.items()
    }
    found = effects.holm(made)
    assert [round(found[n].p_holm, 3) for n in "abc"] == [0.03, 0.06, 0.06]
    assert math.isnan(found["d"].p_holm)


def test_a_ratio_has_a_jackknife_interval() -> None:
    tuning, gain = np.array([0.1, 0.2, 0.3, math.nan]), np.array([0.1, 0.1, 0.2, 0.5])
    found = effects.ratio(tuning, gain)
    # Without one world at a time: .5 / .3, .4 / .3 and .3 / .2.
    left = np.array([5 / 3, 4 / 3, 3 / 2])
    assert found.value == pytest.approx(0.6 / 0.4)
    assert found.error == pytest.approx(math.sqrt(2 / 3 * ((left - 1.5) ** 2).sum()))
    assert found.high - found.value == pytest.approx(4.302653 * found.error)  # t with 2 degrees of freedom
    assert math.isnan(found.p)
    # A constant ratio has no error, whatever the sizes; two worlds have no interval.
    assert effects.ratio(2 * gain, gain).error == pytest.approx(0)
    assert effects.ratio(tuning[:2], gain[:2]).value == pytest.approx(1.5)
    assert math.isnan(effects.ratio(tuning[:2], gain[:2]).low)


def test_a_ratio_without_denominators_is_undefined() -> None:
    one = effects.ratio(np.array([1.0, 2.0, 3.0]), np.zeros(3))
    assert math.isnan(one.value)
    assert math.isnan(one.low)
    only = effects.ratio(np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.0, 0.0]))
    assert only.value == 3
    assert math.isnan(only.low), "without the first world there is no ratio"


def test_a_world_that_lacks_a_factor_does_not_take_the_factor_away() -> None:
    worlds = factorial({"focal": lambda f: 0.1 * f["dependence"]}, noise=0.001)
    columns = effects.centred(worlds, ["dependence", "rows"], {"rows": 4.0})
    other = World("other", {"rows": 500.0}, worlds.worlds[0].scores)
    more = effects.centred(Worlds([*worlds.worlds, other]), ["dependence", "rows"], {"rows": 4.0})
    assert list(more) == list(columns) == ["mean", "dependence", "rows"]
    assert np.isnan(more["dependence"][-1])
    np.testing.assert_array_equal(more["dependence"][:-1], columns["dependence"])
    assert columns["dependence"][[0, -1]].tolist() == [-0.5, 0.5]
    assert columns["rows"].max() == pytest.approx(1), "from 500 to 8000 is twice a factor of 4"


def test_the_interval_of_a_ratio_covers() -> None:
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(400):
        gain = rng.normal(0.1, 0.05, 12)
        found = effects.ratio(1.2 * gain + rng.normal(0, 0.03, 12), gain)
        covered.append(found.low <= 1.2 <= found.high)
    assert 0.91 < np.mean(covered) < 0.99


def test_the_best_of_strategies_that_do_nothing_gains_nothing() -> None:
    names = [f"s{i}" for i in range(10)]
    apparent, gains, verdicts = [], [], []
    for seed in range(40):
        worlds = factorial({name: lambda f: 0.0 for name in names}, 0.02, seed=seed)
        found = choose(worlds, names, "map")
        apparent.append(found.apparent)
        gains.append(found.gain.value)
        verdicts.append(found.verdict)
    assert np.mean(apparent) > 0.005
    assert abs(np.mean(gains)) < 0.002
    assert verdicts.count(GAIN) <= 3


def test_the_halves_of_a_choice_are_balanced_and_a_true_winner_is_found() -> None:
    # What is planted in worlds of 500 rows differs; an unbalanced half would have another mean.
    worlds = factorial({"good": lambda f: 0.03 + 0.1 * (f["dependence"] > 0), "bad": lambda f: -0.05})
    found = choose(worlds, ["good", "bad"], "map")
    assert (found.strategy, found.chosen, found.verdict) == ("good", ("good", "good"), GAIN)
    assert found.gain.value == pytest.approx(0.08)
    assert found.apparent == pytest.approx(0.08)
    assert found.share == pytest.approx(0.08 / 0.3)
    assert found.gains == pytest.approx({w.dataset: w.difference("good", "map") for w in worlds.worlds})
    assert choose(worlds, ["bad"], "map").strategy == "none"
    assert choose(worlds, ["bad"], "map").verdict == NOTHING
    assert choose(Worlds(worlds.worlds[:4]), ["good"], "map").verdict == OPEN


def test_a_share_needs_a_gap() -> None:
    assert share(np.array([0.01, 0.03]), np.array([0.1, 0.1, 0.1])) == pytest.approx(0.2)
    assert math.isnan(share(np.array([0.01, 0.03]), np.array([0.2, -0.2, 0.1])))


def test_best_scores_are_those_of_the_test_rows() -> None:
    name = "design-emails[labels=4,rows=300,imbalance=5,noise=0.2,seed=3]"
    source = source_of(name, {})
    train, test = outer_split(source.load().Y, 0, 0)
    rows = [row(name, "none", 0, 0.5, split_sha256=split_hash(train, test)), row("yeast", "none", 0, 0.5)]
    found = best_of(rows)
    here = scores_of(source, rows=test)
    assert list(found) == [name]
    assert found[name][:2] == pytest.approx((here["map"].here, here["macro_f1"].here))
    assert 0 < found[name].half < 1
    # Splits that `none` has not finished are not those of its world.
    others = [row(name, "focal", 1, 0.5), row(name, "none", 2, None, status="failed"), *rows]
    assert best_of(others) == found
    with pytest.raises(EquipoiseError, match="other rows here"):
        best_of([rows[0] | {"split_sha256": "0" * 64}])


def test_factors_are_read_from_names() -> None:
    found = factors_of(
        ["design-emails[labels=5,imbalance=50,seed=9]", "design-emails", "yeast", "./not/here.csv"]
    )
    assert list(found) == ["design-emails[labels=5,imbalance=50,seed=9]"]
    (factors,) = found.values()
    assert factors["imbalance"] == 50
    assert factors["rows"] == 2400
    assert factors["labels"] == 5
