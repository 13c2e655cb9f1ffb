"""Specs of strategies: names, pinned settings, and compositions with `+`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import compose, fingerprint, get_strategy, space, with_params
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import CHAINED, STAGES, Context, Strategy
from equipoise.core.errors import EquipoiseError

NAMES = registry("strategy").names()


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_is_found_by_its_name_and_spec(name: str) -> None:
    strategy = get_strategy(name)
    assert (strategy.name, strategy.spec, get_strategy(strategy.spec)) == (name, name, strategy)
    assert set(strategy.stages) <= set(STAGES)
    assert strategy.stages or name == "none"


def test_values_in_brackets_are_pinned_and_not_searched() -> None:
    assert set(space(get_strategy("focal"))) == {"focal.gamma", "focal.alpha"}
    assert set(space(get_strategy("focal[gamma=1.0]"))) == {"focal.alpha"}
    pinned_at_default = get_strategy("focal[gamma=2.0]")
    assert set(space(pinned_at_default)) == {"focal.alpha"}
    assert pinned_at_default.spec == "focal[gamma=2.0]"
    assert get_strategy("focal[gamma=2]").spec == "focal[gamma=2.0]", "one spelling for one strategy"
    assert space(get_strategy("none")) == {}


def test_parts_act_each_at_its_own_stage() -> None:
    strategy = get_strategy("ml_ros[p=0.5]+focal+scut")
    assert strategy.spec == "ml_ros[p=0.5]+focal+scut"
    assert [p.name for p in strategy.chain("resample")] == ["ml_ros"]
    assert strategy.owner("loss").name == "focal"
    assert strategy.owner("decide").name == "scut"
    assert strategy.owner("tasks") == Strategy()
    assert set(space(strategy)) >= {"focal.gamma", "focal.alpha"}
    assert "ml_ros.p" not in space(strategy)


def test_none_gives_way_to_what_it_is_composed_with() -> None:
    assert get_strategy("none+focal") == get_strategy("focal")
    assert get_strategy("none+none").name == "none"


def test_resamplers_chain_in_the_order_they_are_written() -> None:
    first, second = (n for n in ("ml_ros", "ml_rus") if n in NAMES)
    both = get_strategy(f"{first}+{second}")
    assert [p.name for p in both.chain("resample")] == [first, second]
    Y = np.eye(4, dtype=np.uint8)[np.array([0] * 30 + [1] * 8 + [2] * 4 + [3] * 2)]
    ctx = Context(Y.sum(0), len(Y), rng=np.random.default_rng(0))
    rows = Rows(np.arange(len(Y)), Y)
    for part in both.chain("resample"):
        rows = part.resample(rows, ctx)
    assert len(rows) != len(Y) or not np.array_equal(rows.index, np.arange(len(Y)))


def test_two_strategies_compose_unless_they_own_the_same_stage() -> None:
    for a, b in itertools.combinations(map(get_strategy, NAMES), 2):
        if {"head", "tasks"} <= {*a.stages, *b.stages} and not (set(a.stages) & set(b.stages)) - CHAINED:
            with pytest.raises(EquipoiseError, match="replaces the last layer of one network, but"):
                compose(a, b)
        elif (set(a.stages) & set(b.stages)) - CHAINED:
            with pytest.raises(EquipoiseError, match="both own the") as caught:
                compose(a, b)
            assert repr(a.name) in str(caught.value)
            assert repr(b.name) in str(caught.value)
        else:
            assert set(compose(a, b).stages) == set(a.stages) | set(b.stages)


def test_a_trial_s_values_reach_their_own_part_only() -> None:
    both = get_strategy("ml_ros+focal")
    bound = with_params(both, {"focal.gamma": 0.5, "ml_ros.p": 0.75, "mlp.dropout": 0.1, "lr": 1.0})
    by_name = {p.name: p for p in bound.parts}
    assert by_name["focal"].gamma == 0.5  # type: ignore[attr-defined]
    assert by_name["ml_ros"].p == 0.75  # type: ignore[attr-defined]
    assert both == get_strategy("ml_ros+focal"), "the original is not touched"
    assert with_params(get_strategy("none"), {"lr": 1.0}) == get_strategy("none")


def test_the_code_s_fingerprint_has_a_word_for_each_part() -> None:
    words = fingerprint(get_strategy("ml_ros+focal")).split("+")
    assert words == [fingerprint(get_strategy("ml_ros")), fingerprint(get_strategy("focal"))]
    assert len(set(words)) == 2


def test_composing_compositions_is_flat() -> None:
    joined = compose(get_strategy("ml_ros+focal"), get_strategy("scut"))
    assert joined == get_strategy("ml_ros+focal+scut")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("fcoal", "did you mean 'focal'"),
        ("focal+focal", "'focal' is given twice"),
        ("focal+pos_weight", "'focal' and 'pos_weight' both own the loss stage"),
        ("crt+knn_blend", "'crt' and 'knn_blend' both own the head stage"),
        (
            "binary_relevance+crt",
            "'crt' replaces the last layer of one network, but 'binary_relevance' trains several",
        ),
        ("focal[gama=1]", "did you mean 'gamma'"),
        ("focal[gamma=high]", "gamma must be a number"),
        ("focal[gamma=true]", "gamma must be a number"),
        ("focal[pinned=1]", "unknown option"),
        ("scut[smooth=3]", "smooth must be true or false"),
        ("focal+", "an empty part beside a '+'"),
        ("", "an empty strategy"),
        ("./nowhere.py", "no plugin file at ./nowhere.py"),
    ],
)
def test_mistakes_are_one_line_that_says_what_is_right(spec: str, says: str) -> None:
    with pytest.raises(EquipoiseError) as caught:
        get_strategy(spec)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.floats(0.0, 5.0), st.floats(0.05, 0.95))
def test_specs_round_trip(gamma: float, alpha: float) -> None:
    strategy = get_strategy(f"focal[gamma={gamma},alpha={alpha}]")
    again = get_strategy(strategy.spec)
    assert again == strategy
    assert again.pinned == strategy.pinned == {"gamma", "alpha"}


@pytest.mark.parametrize(
    "spec",
    [
        "mlp[dropout=1.0]",
        "mlp[dropout=-0.1]",
        "mlp[hidden=0]",
        "linear_svc[c=0]",
        "logistic_regression[c=-1]",
        "lstm[max_tokens=0]",
    ],
)
def test_a_backbone_that_cannot_be_is_one_line(spec: str) -> None:
    with pytest.raises(EquipoiseError, match=r"must (lie in|be 1 or more|be more than 0)"):
        get_backbone(spec)
