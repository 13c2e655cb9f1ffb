"""The search: the same draws for every strategy first, then proposals that follow from what was scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.api import choose
from equipoise.backbones.mlp import MLP
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.hyperparameters import Tunable
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.search.proposals import (
    batches,
    new_study,
    position_of,
    shared,
    shared_draw,
    value_at,
)
from equipoise.store.rows import clean
from equipoise.sweep.plan import make_plan

ROLE = ("a data set", "a backbone", 0, 0)
SHARED = {"lr": Tunable(1e-2, 1e-3, 1e-1, log=True), "dropout": Tunable(0.2, 0.0, 0.5)}
OWN = {"gamma": Tunable(2.0, 0.0, 5.0), "kind": Tunable("a", choices=("a", "b", "c"))}

#: `none` by another name, with a stage of its own that does nothing and parameters that nothing reads.
INERT = """
from dataclasses import dataclass
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Strategy

@dataclass(frozen=True)
class Inert{count}(Strategy):
    "Rows as they are."
    name = "inert{count}"
{fields}
    def resample(self, rows, ctx):
        return rows
"""


def inert(folder: Path, count: int) -> str:
    fields = "".join(f"    p{k}: float = tunable(1.0, low=0.0, high=2.0)\n" for k in range(count))
    file = folder / f"inert{count}.py"
    file.write_text(INERT.format(count=count, fields=fields), encoding="utf-8")
    return str(file)


def numbers(rows: int = 120) -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(rows, 6)).astype(np.float32)
    Y = (X[:, :3] + rng.normal(size=(rows, 3)) > [0.3, 0.6, 0.9]).astype(np.uint8)
    return Dataset("numbers", X, Y, ("a", "b", "c"))


def rows_of(
    strategies: list[str], backbone: str = "mlp[hidden=5]", **settings: Any
) -> dict[str, dict[str, Any]]:
    asked = {"trials": 6, "folds": 2, "epochs": 2, **settings}
    plan = make_plan(
        choose(None, ["numbers"], [backbone], strategies, asked, 1, None),
        device="cpu",
        data={"numbers": numbers()},
    )
    return {cell.strategy: run_alone(cell, plan.data["numbers"])[0] for cell in plan.cells}


def common(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The shared parameters of each trial."""
    own = {n for n in row["trials"][0]["params"] if n.split(".")[0] in row["strategy"]}
    return [{n: v for n, v in t["params"].items() if n not in own} for t in row["trials"]]


# --- the shared half


def test_shared_draws_are_those_of_none_for_every_strategy_and_backbone() -> None:
    names = ["none", "focal", "ml_ros+class_balanced", "balanced_sampling", "binary_relevance"]
    for backbone in ("mlp[hidden=5]", "linear"):
        rows = rows_of(names, backbone)
        first = common(rows["none"])[:3]
        assert len({t["lr"] for t in first}) == 3
        assert backbone == "linear" or len({t["mlp.dropout"] for t in first}) == 3
        for row in rows.values():
            assert common(row)[:3] == first, row["strategy"]
            own = [{n: v for n, v in t["params"].items() if n not in first[0]} for t in row["trials"]]
            assert own[0] == own[1] == own[2], "published defaults in the shared half"
    assert len({str(t["params"]) for t in rows["focal"]["trials"]}) == 6


def test_the_number_of_trials_does_not_change_the_shared_draws() -> None:
    few, many = (common(rows_of(["focal"], trials=t)["focal"]) for t in (4, 11))
    assert few[:2] == many[:2]
    assert few[2] != many[2]


def test_a_parameter_that_does_nothing_changes_no_bit_of_the_search(tmp_path: Path) -> None:
    """The other half included: each parameter is proposed by itself, from a stream of its own."""
    names = ["none", *(inert(tmp_path, count) for count in (0, 1, 3))]
    rows = rows_of(names, trials=9, trial_batch=2)
    first = rows.pop("none")
    assert len(rows) == 3
    for row in rows.values():
        assert common(row) == common(first)
        assert [t["value"] for t in row["trials"]] == [t["value"] for t in first["trials"]]
        assert clean(row["metrics"]) == clean(first["metrics"])
    acted = [t["params"]["inert3.p1"] for t in rows["inert3"]["trials"]]
    assert acted[:5] == [1.0] * 5
    assert len(set(acted[5:])) == 4


@pytest.mark.parametrize("trials", [1, 2, 3])
def test_small_searches(trials: int) -> None:
    row = rows_of(["focal"], trials=trials, trial_batch=1)["focal"]
    assert len(row["trials"]) == trials
    assert row["trials"][0]["params"] == {
        "lr": MLP.lr.default,
        "C": MLP.C.default,
        "mlp.dropout": 0.2,
        "focal.gamma": 2.0,
        "focal.alpha": 0.5,
    }
    own = [t["params"]["focal.gamma"] for t in row["trials"][shared(trials) :]]
    assert len(own) == trials // 2
    assert 2.0 not in own


def test_no_batch_crosses_from_one_half_to_the_other() -> None:
    for trials in range(1, 40):
        for size in range(1, 12):
            sizes = list(batches(trials, size))
            assert sum(sizes) == trials
            assert max(sizes) <= size
            assert shared(trials) in np.cumsum(sizes)


@given(
    st.sampled_from(
        [
            Tunable(1e-2, 1e-4, 1.0, log=True),
            Tunable(0.0, 0.0, 5.0),
            Tunable(5.0, 0.0, 5.0),
            Tunable(3, 1, 200),
            Tunable(16, 2, 512, log=True),
            Tunable("b", choices=tuple("abcdefghij")),
        ]
    ),
    st.integers(0, 6),
    st.integers(0, 10**6),
)
def test_draws_cover_a_range_evenly(spec: Tunable, level: int, seed: int) -> None:
    count = 2**level
    drawn = [shared_draw((seed,), "lr", spec, trial) for trial in range(count)]
    assert drawn[0] == spec.default
    if spec.choices is not None:
        counts = np.unique(drawn, return_counts=True)[1]
        assert counts.max() <= -(-count // 10) + 1
        return
    assert all(spec.low <= value <= spec.high for value in drawn)
    assert {type(value) for value in drawn} == {type(spec.default)}
    if isinstance(spec.default, float):
        parts = [int(position_of(spec, value) * count * (1 + 1e-12)) for value in drawn]
        assert sorted(min(part, count - 1) for part in parts) == list(range(count))


def test_a_range_of_whole_numbers_is_drawn_from_end_to_end() -> None:
    spec = Tunable(3, 1, 4)
    assert [value_at(spec, u) for u in (0.0, 0.24, 0.26, 0.49, 0.51, 0.74, 0.76, 1 - 1e-9)] == [
        1,
        1,
        2,
        2,
        3,
        3,
        4,
        4,
    ]


def test_parameters_are_drawn_independently_of_each_other() -> None:
    a, b = (
        [
            position_of(SHARED["dropout"], shared_draw((seed,), name, SHARED["dropout"], 1 + seed % 3))
            for seed in range(3000)
        ]
        for name in ("one", "other")
    )
    # the default lies in the lower half, so that both draw the upper half first: that much they have in common
    by_trial = [np.corrcoef(a[k::3], b[k::3])[0, 1] for k in range(3)]
    assert np.abs(by_trial).max() < 4 / np.sqrt(1000)


# --- the strategy's own half


def proposed(values: list[float], trials: int, ask_for: int = 1, own: Any = OWN) -> list[dict[str, Any]]:
    """What is asked for after the shared trials were told to have these values."""
    study, ask = new_study(SHARED, own, ROLE, trials)
    for value in values:
        study.tell(ask(), value)
    return [dict(ask().params) for _ in range(ask_for)]


@pytest.mark.parametrize("trials", [4, 8])
def test_what_was_told_changes_what_is_proposed_next(trials: int) -> None:
    """From the first batch of own trials on; proposals at random would be the same whatever was told."""
    rising = [float(k) for k in range(shared(trials))]
    up, again, down = (proposed(told, trials, trials // 2) for told in (rising, rising, rising[::-1]))
    assert up == again
    for name in SHARED:
        assert [p[name] for p in up] != [p[name] for p in down], name


def test_proposals_come_near_what_scored_best() -> None:
    """Over many roles the learning rate of own trials lies nearer to the best shared one than a random one would."""
    near, random = [], []
    for seed in range(60):
        study, ask = new_study(SHARED, {}, (seed,), 8)
        told = [ask() for _ in range(4)]
        for trial in told:
            study.tell(trial, float(trial.number == 2))
        best = position_of(SHARED["lr"], told[2].params["lr"])
        near += [abs(position_of(SHARED["lr"], ask().params["lr"]) - best) for _ in range(4)]
        rng = np.random.default_rng(seed)
        random += list(np.abs(rng.random(4) - best))
    assert np.mean(near) < 0.8 * np.mean(random)


def test_trials_of_one_batch_differ() -> None:
    asked = proposed([0.1, 0.4, 0.3, 0.2], 8, ask_for=4)
    assert len({p["lr"] for p in asked}) == 4
    assert all(set(p) == {*SHARED, *OWN} for p in asked)


def test_a_parameter_more_or_less_leaves_the_others_as_they_are() -> None:
    with_own = proposed([0.1, 0.4, 0.3, 0.2], 8, ask_for=4)
    without = proposed([0.1, 0.4, 0.3, 0.2], 8, ask_for=4, own={})
    assert [{n: p[n] for n in SHARED} for p in with_own] == without
