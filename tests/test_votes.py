"""Own decisions by votes: label powerset, RAkEL and ensembles of chains decide as in their papers, not at marginal thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as Reference

from equipoise import thresholds
from equipoise.api import choose
from equipoise.backbones.logistic_regression import LogisticRegression
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.strategy import Context
from equipoise.contracts.tasks import Task, majority_vote
from equipoise.experiment.evaluation import evaluate
from equipoise.experiment.pipeline import run_alone
from equipoise.sweep.plan import make_plan

from .shared.numeric import numbers

PAIRS = np.array([[0, 0], [1, 0], [1, 1]], dtype=np.uint8)


def logs(*rows: list[float]) -> np.ndarray:
    """Logits (n, C) of these class probabilities."""
    return np.log(np.array(rows, dtype=np.float32))


def cell_of(strategy: str, backbone: str = "linear") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The row and the stored predictions of a small cell."""
    data = numbers()
    tiny = {"trials": 2, "folds": 2, "epochs": 4}
    chosen = choose(None, ["numbers"], [backbone], [strategy], tiny, 1, None)
    plan = make_plan(chosen, device="cpu", data={"numbers": data})
    return run_alone(plan.cells[0], data)


# What a strategy decides from the logits of its tasks


def test_a_powerset_predicts_the_most_probable_labelset() -> None:
    strategy, ctx = get_strategy("label_powerset"), Context(np.ones(2), 3)
    # Both labels are likelier present than not in row 0, but no labelset is likelier than the empty one.
    z = logs([0.4, 0.25, 0.35], [0.2, 0.5, 0.3])
    tasks = [Task((0, 1), classes=PAIRS)]
    np.testing.assert_array_equal(strategy.merge(tasks, [z], ctx) > 0, [[1, 0], [1, 0]])
    np.testing.assert_array_equal(strategy.vote(tasks, [z], ctx), [[0, 0], [1, 0]])


def test_of_equally_probable_labelsets_the_first_is_taken() -> None:
    got = get_strategy("label_powerset").vote(
        [Task((0, 1), classes=PAIRS)], [np.zeros((1, 3))], Context(np.ones(2), 3)
    )
    assert got.dtype == bool
    np.testing.assert_array_equal(got, [[0, 0]])


def test_rakel_d_takes_the_most_probable_labelset_of_each_group() -> None:
    tasks = [Task((2, 0), classes=PAIRS), Task((1,), classes=np.array([[0], [1]], dtype=np.uint8))]
    z = [logs([0.1, 0.2, 0.7]), logs([0.9, 0.1])]
    np.testing.assert_array_equal(get_strategy("rakel_d").vote(tasks, z, Context(np.ones(3), 3)), [[1, 0, 1]])


def test_rakel_o_predicts_what_more_than_half_of_the_groups_vote_for() -> None:
    tasks = [Task(columns, classes=PAIRS) for columns in ((0, 1), (0, 2), (0, 3), (1, 2))]
    z = [
        logs([0.4, 0.35, 0.25]),  # neither, although 0 is likelier present
        logs([0.1, 0.8, 0.1]),  # 0 alone
        logs([0.1, 0.3, 0.6]),  # 0 and 3
        logs([0.1, 0.2, 0.7]),  # 1 and 2, each with one vote of two
    ]
    np.testing.assert_array_equal(
        get_strategy("rakel_o").vote(tasks, z, Context(np.ones(4), 3)), [[1, 0, 0, 1]]
    )


def test_chains_of_an_ensemble_have_one_vote_each_however_sure_they_are() -> None:
    strategy, ctx = get_strategy("ensemble_chains[m=3]"), Context(np.array([5, 5]), 10)
    tasks = [Task((j,)) for _ in range(3) for j in range(2)]
    z = [np.array([[v]]) for v in (9.0, -9.0, -1.0, 1.0, -1.0, 1.0)]
    np.testing.assert_array_equal(strategy.merge(tasks, z, ctx) > 0, [[1, 0]])
    np.testing.assert_array_equal(strategy.vote(tasks, z, ctx), [[0, 1]])


def test_a_label_without_a_task_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no task predicts labels \[1\]"):
        majority_vote([Task((0,))], [np.zeros((2, 1))], 2)


@pytest.mark.parametrize(
    ("spec", "votes"),
    [
        ("label_powerset", True),
        ("ml_ros+rakel_o", True),
        ("balanced_sampling+ensemble_chains", True),
        ("label_powerset+scut", False),
        ("label_powerset+platt", False),
        ("classifier_chain", False),
        ("balanced_bagging", False),
        ("none", False),
        ("scut", False),
    ],
)
def test_votes_decide_unless_another_part_adjusts_or_decides(spec: str, votes: bool) -> None:
    voter = get_strategy(spec).voter
    assert (voter is not None) == votes
    assert voter is None or "tasks" in voter.stages


# Through a cell


@pytest.mark.parametrize("strategy", ["label_powerset", "rakel_o", "ml_ros+rakel_d"])
@pytest.mark.parametrize("backbone", ["linear", "logistic_regression"])
def test_votes_are_the_stored_own_decision(strategy: str, backbone: str) -> None:
    row, kept = cell_of(strategy, backbone)
    assert "own_thresholds" not in kept
    assert not np.array_equal(kept["test_own"], kept["test_fixed"])
    # A rescore computes the metrics from what is stored.
    assert evaluate(kept)["metrics"]["own/subset_accuracy"] == row["metrics"]["own/subset_accuracy"]
    assert row["metrics"]["own/macro_f1"] != row["metrics"]["fixed/macro_f1"]


def test_a_powersets_own_decisions_are_labelsets_of_the_training_rows() -> None:
    _, kept = cell_of("label_powerset")
    known = {labelset.tobytes() for labelset in kept["train_Y"]}
    assert {decided.tobytes() for decided in kept["test_own"]} <= known


def test_a_decision_composed_with_a_powerset_decides_on_marginals() -> None:
    _, alone = cell_of("label_powerset")
    _, kept = cell_of("label_powerset+scut")
    np.testing.assert_array_equal(alone["test_logits"], kept["test_logits"])
    expected = thresholds.predict(kept["test_logits"], kept["own_thresholds"])
    np.testing.assert_array_equal(kept["test_own"], expected)
    _, mapped = cell_of("label_powerset+platt")
    np.testing.assert_array_equal(mapped["test_own"], mapped["test_fixed"])


def test_a_powerset_of_estimators_predicts_like_scikit_multilearn() -> None:
    from skmultilearn.problem_transform import LabelPowerset

    data, train = numbers(), np.arange(160) < 110
    X, Y = np.asarray(data.X), data.Y
    reference = LabelPowerset(Reference(C=1.0, max_iter=1000)).fit(X[train], Y[train])
    strategy, ctx = (
        get_strategy("label_powerset"),
        Context(Y[train].sum(0), 110, rng=np.random.default_rng(0)),
    )
    tasks = strategy.tasks(Y[train], ctx)
    fitted = LogisticRegression(c=1.0).fit(X[train], tasks[0].encode(Y[train]), None, 0, exclusive=True)
    own = strategy.vote(tasks, [fitted.logits(X[~train])], ctx)
    np.testing.assert_array_equal(own, reference.predict(X[~train]).toarray() > 0)
