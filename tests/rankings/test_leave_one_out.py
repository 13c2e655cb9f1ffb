"""Whether a significant mean over data sets rests on one of them, and whether it belongs to one model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from equipoise.rankings import effects
from equipoise.rankings.export import rank_rows
from equipoise.rankings.ranking import rankings
from equipoise.rankings.words import sentences
from equipoise.report.comparison import compare

pytest.importorskip("statsmodels")
pytest.importorskip("baycomp")
Make = Callable[..., list[dict[str, Any]]]
NAMES = [f"set-{i}" for i in range(8)]


def found(differences: dict[str, np.ndarray], variances: dict[str, np.ndarray]) -> dict[str, effects.Effect]:
    alone = {name: effects.effect(d, variances[name]) for name, d in differences.items()}
    return effects.with_leaning(effects.holm(alone), differences, variances, NAMES)


def test_it_is_the_same_test_without_one_data_set() -> None:
    """Against the whole calculation on seven data sets: what was significant on eight and is not on these leans on the eighth."""
    rng = np.random.default_rng(7)
    differences = {f"s{k}": 0.003 * k + rng.normal(0, 0.008, 8) for k in range(6)}
    variances = {name: rng.uniform(1e-6, 2e-4, 8) for name in differences}
    whole = found(differences, variances)
    expected: dict[str, list[str]] = {name: [] for name in differences}
    for b in range(8):
        kept = np.delete(np.arange(8), b)
        rest = effects.holm({n: effects.effect(d[kept], variances[n][kept]) for n, d in differences.items()})
        for name, one in whole.items():
            if one.significant and not rest[name].significant:
                expected[name].append(NAMES[b])
    assert {name: list(one.leans_on) for name, one in whole.items()} == expected
    assert any(expected.values()), "the example shows something"
    assert any(one.significant and not one.leans_on for one in whole.values())


def test_a_mean_without_significance_leans_on_nothing() -> None:
    zero = {"a": np.zeros(8), "b": np.random.default_rng(0).normal(0, 0.01, 8)}
    whole = found(zero, {"a": np.full(8, math.nan), "b": np.full(8, 1e-5)})
    assert [one.leans_on for one in whole.values()] == [(), ()]


def test_the_report_says_what_rests_on_one_data_set(make_rows: Make) -> None:
    (ranking,) = rankings(compare(make_rows({"none": 0.0, "focal": -0.05, "hill": 0.0}, datasets=8)))
    assert "This stays significant whichever data set is left out: focal." in ranking.sentences
    focal = next(s for s in ranking.strategies if s.strategy == "focal")
    assert focal.effect is not None
    said = {}
    for sets in (("set-3",), ("set-3", "set-5")):
        leaning = replace(focal, effect=replace(focal.effect, leans_on=sets))
        changed = replace(ranking, strategies=(*(s for s in ranking.strategies if s is not focal), leaning))
        (said[len(sets)],) = (text for text in sentences(changed, "mAP") if "left out" in text)
    assert said[1] == "This is no longer significant when one data set is left out: focal (without set-3)."
    assert said[2] == "This is no longer significant when one data set is left out: focal (any of 2)."


def test_a_mean_over_different_models_is_said_to_be_one(make_rows: Make) -> None:
    both, linear = (
        make_rows(datasets=["a", "b", "c"], backbones=("linear", "mlp")),
        make_rows(datasets=["d", "e", "f", "g"]),
    )
    said = [text for text in rank_rows(both + linear)[0].sentences if text.startswith("Not all data sets")]
    assert len(said) == 1
    assert "(linear on 4; linear and mlp on 3)" in said[0]
    crossed = rank_rows(make_rows(backbones=("linear", "mlp")))
    assert not any("Not all data sets" in text for one in crossed for text in one.sentences)
