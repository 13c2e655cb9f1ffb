"""Strategies that split the labels: their tasks, and classifier chains through the engine from training to prediction."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest

from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.strategy import Context
from equipoise.contracts.tasks import Task, decided, rounds, sources
from equipoise.core.errors import EquipoiseError

from .shared.chains import L, N, labels


def ctx_of(Y: np.ndarray, seed: int = 0) -> Context:
    return Context(Y.sum(0, dtype=np.int64), len(Y), rng=np.random.default_rng(seed))


# What the tasks are
def test_a_powerset_has_one_class_for_each_labelset() -> None:
    Y = labels()
    (task,) = get_strategy("label_powerset").tasks(Y, ctx_of(Y))
    assert len(task.classes) == len(np.unique(Y, axis=0))
    assert (task.classes[task.encode(Y).argmax(1)] == Y).all()


def test_log_odds_of_a_label_are_those_of_the_classes_that_hold_it() -> None:
    task = Task((0, 1), classes=np.array([[0, 0], [1, 0], [1, 1]], dtype=np.uint8))
    p = np.array([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]])
    got = task.label_logits(np.log(p).astype(np.float32))
    label = np.stack([p[:, 1] + p[:, 2], p[:, 2]], 1)
    np.testing.assert_allclose(got, np.log(label / (1 - label)), atol=1e-6)


def test_log_odds_stay_finite_for_labels_that_all_or_no_classes_hold() -> None:
    task = Task((0, 1), classes=np.array([[1, 0]], dtype=np.uint8))
    np.testing.assert_array_equal(task.label_logits(np.array([[80.0], [-80.0]])), [[50, -50], [50, -50]])


def test_rows_of_an_unknown_labelset_belong_to_no_class() -> None:
    task = Task((0, 1), classes=np.array([[1, 0], [0, 0]], dtype=np.uint8))
    np.testing.assert_array_equal(
        task.encode(np.array([[0, 0], [1, 1], [1, 0]], dtype=np.uint8)), [[0, 1], [0, 0], [1, 0]]
    )


@pytest.mark.parametrize(("n_labels", "k"), [(14, 3), (7, 3), (2, 3), (9, 2)])
def test_rakel_d_deals_out_every_label_once(n_labels: int, k: int) -> None:
    Y = labels(40, n_labels)
    tasks = get_strategy(f"rakel_d[k={k}]").tasks(Y, ctx_of(Y))
    assert sorted(c for t in tasks for c in t.columns) == list(range(n_labels))
    assert len(tasks) == ceil(n_labels / k)
    assert max(len(t.columns) for t in tasks) <= k


@pytest.mark.parametrize("n_labels", [3, 4, 14, 60])
def test_rakel_o_draws_different_labelsets_that_leave_no_label_out(n_labels: int) -> None:
    Y = labels(40, n_labels)
    tasks = get_strategy("rakel_o").tasks(Y, ctx_of(Y))
    columns = [t.columns for t in tasks]
    assert len(set(columns)) == len(columns) == {3: 1, 4: 4}.get(n_labels, 2 * n_labels)
    assert {c for t in columns for c in t} == set(range(n_labels))


@pytest.mark.parametrize("loss", ["focal", "pos_weight"])
def test_labelsets_own_the_loss(loss: str) -> None:
    with pytest.raises(EquipoiseError, match="both own the loss"):
        get_strategy(f"{loss}+rakel_o")


@pytest.mark.parametrize(
    ("order", "expected"), [("given", [0, 1, 2]), ("frequent", [1, 2, 0]), ("rare", [0, 2, 1])]
)
def test_a_chain_sees_the_labels_before_it(order: str, expected: list[int]) -> None:
    Y = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=np.uint8)
    tasks = get_strategy(f"classifier_chain[order={order}]").tasks(Y, ctx_of(Y))
    assert [t.columns[0] for t in tasks] == expected
    assert [list(t.label_inputs) for t in tasks] == [expected[:i] for i in range(3)]


def test_an_ensemble_of_chains_differs_in_order_and_rows() -> None:
    Y = labels()
    tasks = get_strategy("ensemble_chains").tasks(Y, ctx_of(Y))
    chains = [tasks[i : i + L] for i in range(0, len(tasks), L)]
    assert len(chains) == 10
    assert len({tuple(t.columns for t in c) for c in chains}) > 5
    assert len({c[0].rows.tobytes() for c in chains}) == 10
    assert {len(set(t.rows)) for t in tasks} == {round(0.67 * N)}


def test_balanced_bagging_keeps_every_row_of_the_rarer_value() -> None:
    Y = np.zeros((40, 3), dtype=np.uint8)
    Y[:6, 0], Y[:33, 1], Y[:, 2] = 1, 1, 1
    tasks = get_strategy("balanced_bagging").tasks(Y, ctx_of(Y))
    assert len(tasks) == 12
    for task in tasks:
        y = Y[task.rows, task.columns[0]]
        assert len(set(task.rows)) == len(task.rows)
        assert (y.sum(), (1 - y).sum()) == {0: (6, 6), 1: (7, 7), 2: (40, 0)}[task.columns[0]]
    drawn = {t.rows.tobytes() for t in tasks if t.columns == (0,)}
    assert len(drawn) == 4


# Which task decides the label inputs of another
def test_the_latest_task_before_it_decides() -> None:
    chain = [Task((0,)), Task((1,), label_inputs=(0,)), Task((1,)), Task((0,), label_inputs=(1,))]
    assert sources(chain) == [{}, {0: 0}, {}, {1: 2}]
    assert rounds(sources(chain)) == [[0, 2], [1, 3]]


def test_a_label_nobody_answers_for_before_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"task 0 takes labels \[1\] as inputs"):
        sources([Task((0,), label_inputs=(1,)), Task((1,))])


def test_decisions_are_logits_above_zero_in_their_columns() -> None:
    tasks = [
        Task((2,)),
        Task((0, 1), classes=np.array([[1, 0], [0, 1]], dtype=np.uint8)),
        Task((3,), label_inputs=(0, 2)),
    ]
    logits = {0: np.array([[1.0], [0.0]]), 1: np.array([[2.0, 0.0], [0.0, 2.0]])}
    got = decided(tasks, sources(tasks)[2], logits, (2, 4))
    np.testing.assert_array_equal(got, [[1, 0, 1, 0], [0, 0, 0, 0]])
