"""Where trainings begin and end: own starts against what theory says, the penalised optimum against scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from equipoise.backbones.linear import Linear
from equipoise.backbones.mlp import MLP
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.strategy import Context, Strategy, bce
from equipoise.core.errors import EquipoiseError
from equipoise.engine.lanes import Lane, Softmax, Trained
from equipoise.engine.loss import cells
from equipoise.engine.population import Population
from equipoise.engine.starts.output_bias import best_constant_logits
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Dense

CPU = torch.device("cpu")
LOSSES = [
    name
    for name in registry("strategy").names()
    # A loss that sees the representation has no bias of its own to start: only its part on the logits has.
    if name == "none" or ("loss" in get_strategy(name).stages and not get_strategy(name).sees_representation)
]


def labels(rows: int = 400, n_labels: int = 7, seed: int = 0) -> np.ndarray:
    shares = np.geomspace(0.6, 0.01, n_labels)
    Y = (np.random.default_rng(seed).random((rows, n_labels)) < shares).astype(np.uint8)
    Y[:2], Y[2:4] = 1, 0
    return Y


def a_lane(Y: np.ndarray, strategy: str | Strategy = "none", **more: Any) -> Lane:
    given: dict[str, Any] = {
        "index": np.arange(len(Y)),
        "targets": Y,
        "n_pos": Y.sum(0, dtype=np.int64),
        "n_rows": len(Y),
        "strategy": get_strategy(strategy).owner("loss") if isinstance(strategy, str) else strategy,
        "backbone": Linear(),
        "lr": 0.2,
        "l2": 1e-3,
        "role": ("starts",),
        "steps": 40,
    }
    return Lane(**{**given, **more})


def start(lane: Lane, batch_size: int = 64) -> np.ndarray:
    with repeatable(CPU):
        return best_constant_logits([lane], batch_size)[0]


def log_odds(share: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(share) - np.log1p(-share))


# --- what theory says


def test_cross_entropy_begins_at_the_log_odds() -> None:
    Y = labels()
    np.testing.assert_allclose(start(a_lane(Y)), log_odds(Y.mean(0)), atol=1e-4)


def test_positives_weighted_up_to_the_negatives_begin_at_one_half() -> None:
    np.testing.assert_allclose(start(a_lane(labels(), "pos_weight")), 0.0, atol=1e-3)
    np.testing.assert_allclose(start(a_lane(labels(), "logit_adjusted_loss")), 0.0, atol=1e-3)


def test_a_power_in_between_begins_in_between() -> None:
    Y = labels()
    odds = log_odds(Y.mean(0))
    np.testing.assert_allclose(start(a_lane(Y, "pos_weight[power=0.5]")), odds / 2, atol=1e-3)


def test_drawn_rows_count_as_often_as_they_are_drawn() -> None:
    Y = labels()
    ctx = Context(Y.sum(0), len(Y), rng=np.random.default_rng(0))
    weights = get_strategy("balanced_sampling").weights(Y, ctx)
    seen = (weights / weights.sum()) @ Y
    assert np.abs(seen - Y.mean(0)).max() > 0.05
    np.testing.assert_allclose(start(a_lane(Y, weights=weights)), log_odds(seen), atol=1e-4)
    frames = np.stack([np.ones(len(Y)), weights])
    np.testing.assert_allclose(start(a_lane(Y, weights=frames)), log_odds(Y.mean(0)), atol=1e-4)


def test_resampled_rows_count_and_label_statistics_stay_those_before() -> None:
    Y = labels()
    more = np.concatenate([np.arange(len(Y)), np.flatnonzero(Y[:, -1]).repeat(9)])
    lane = a_lane(Y[more], index=more, n_pos=Y.sum(0, dtype=np.int64), n_rows=len(Y))
    np.testing.assert_allclose(start(lane), log_odds(Y[more].mean(0)), atol=1e-4)


def test_a_softmax_begins_at_the_shares_of_its_classes() -> None:
    classes = np.random.default_rng(0).choice(5, 300, p=[0.5, 0.3, 0.1, 0.07, 0.03])
    Y = (classes[:, None] == np.arange(5)).astype(np.uint8)
    share = torch.softmax(torch.from_numpy(start(a_lane(Y, Softmax()))), 0).numpy()
    np.testing.assert_allclose(share, Y.mean(0), atol=1e-3)


@pytest.mark.parametrize(
    "name", ["focal", "asl", "zlpr", "rebalanced_focal", "inverse_frequency_softmax", "ldam"]
)
def test_no_constant_is_better(name: str) -> None:
    """A general optimiser, begun where the rule ends, finds nothing better."""
    Y, lane = labels(256), a_lane(labels(256), name)
    ctx = Context(
        torch.from_numpy(lane.n_pos).double(), torch.tensor(256.0).double(), progress=torch.tensor(0.0)
    )
    targets = torch.from_numpy(Y).double()

    def value(c: np.ndarray) -> tuple[float, np.ndarray]:
        z = torch.from_numpy(c).requires_grad_()
        loss = lane.strategy.loss(z.expand(256, -1), targets, ctx).mean()
        return loss.item(), torch.autograd.grad(loss, z)[0].numpy()

    found = start(lane).astype(np.float64)
    best = minimize(value, found, jac=True, method="L-BFGS-B")
    assert value(found)[0] == pytest.approx(best.fun, rel=1e-4)
    assert value(found)[0] < value(1.5 * log_odds(Y.mean(0)))[0]


# --- odd labels and odd losses


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("drawn", [False, True])
def test_labels_that_nobody_or_everybody_has_survive(name: str, drawn: bool) -> None:
    Y = labels(96, 5)
    Y[:, 0], Y[:, 1] = 0, 1
    weights = 1.0 + np.arange(96) % 3 if drawn else None
    found = start(a_lane(Y, name, weights=weights))
    assert np.isfinite(found).all()
    assert (np.abs(found) <= np.log(2 * 96 - 1) + 1e-4).all()
    if name != "inverse_frequency":  # which gives a label that nobody has no weight
        assert found[0] <= 0.01
    assert np.isfinite(trained([a_lane(Y, name, weights=weights, steps=8)])[0].params["weight"].numpy()).all()


def test_a_loss_without_an_optimum_begins_at_the_log_odds() -> None:
    """F1 of a constant is best when everything is called positive."""
    Y = labels()
    np.testing.assert_allclose(start(a_lane(Y, "sigmoid_f1")), log_odds(Y.mean(0)), atol=1e-4)


class NaNs(Strategy):
    name = "nans"

    def loss(self, logits: Any, targets: Any, ctx: Context) -> Any:
        return bce(logits, targets) * float("nan")


def test_a_loss_that_is_nowhere_a_number_is_refused_before_it_begins() -> None:
    with pytest.raises(EquipoiseError, match="loss of strategy 'nans' is NaN or infinite"):
        start(a_lane(labels(), NaNs()))


@given(st.integers(1, 300), st.integers(1, 12), st.integers(0, 99))
@settings(max_examples=8)
def test_any_number_of_rows_and_labels(rows: int, n_labels: int, seed: int) -> None:
    Y = (np.random.default_rng(seed).random((rows, n_labels)) < 0.2).astype(np.uint8)
    for name in ("none", "asl", "zlpr", "two_way"):
        assert np.isfinite(start(a_lane(Y, name))).all()


# --- bits


def test_a_start_has_the_same_bits_alone_and_among_others() -> None:
    from equipoise.engine.starts import output_bias as module

    lanes = [
        a_lane(
            labels(90 + 3 * k, 7, k),
            LOSSES[k % len(LOSSES)],
            weights=None if k % 3 else np.arange(1.0, 91 + 3 * k),
        )
        for k in range(2 * len(LOSSES))
    ]
    with repeatable(CPU):
        module._known.clear()
        together = best_constant_logits(lanes, 64)
        for k in range(0, len(lanes), 3):
            module._known.clear()
            assert np.array_equal(best_constant_logits([lanes[k]], 64)[0], together[k]), LOSSES[
                k % len(LOSSES)
            ]
        module._known.clear()
        for one, other in zip(best_constant_logits(lanes[::-1], 64), together[::-1], strict=True):
            assert np.array_equal(one, other)


def test_only_the_output_bias_is_a_lane_s_own() -> None:
    from equipoise.engine.starts.first_weights import first_weights

    Y = labels()
    lanes = [a_lane(Y, name, backbone=MLP(hidden=8)) for name in ("none", "pos_weight")]
    with repeatable(CPU):
        one, other = first_weights(lanes, 11, 64)
    assert {n for n in one if not torch.equal(one[n], other[n])} == {"bias2"}
    np.testing.assert_allclose(one["bias2"][0].numpy(), log_odds(Y.mean(0)), atol=1e-4)


# --- where it ends


def trained(lanes: list[Lane]) -> list[Trained]:
    x = np.random.default_rng(1).normal(size=(len(lanes[0].targets), 6)).astype(np.float32)
    with repeatable(CPU):
        return Population(lanes, Dense(torch.from_numpy(x)), 32, CPU).train()


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
def test_the_end_is_scikit_learn_s_penalised_optimum(C: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(320, 6)).astype(np.float32)
    Y = (x @ rng.normal(size=(6, 3)) + rng.normal(size=(320, 3)) > [0.0, 1.0, 2.5]).astype(np.uint8)
    n_pos = Y.sum(0, dtype=np.int64)
    l2 = 1 / (C * 320 * cells(get_strategy("none"), n_pos, 320))
    lane = a_lane(Y, l2=l2, steps=1000, lr=0.2)
    with repeatable(CPU):
        params = Population([lane], Dense(torch.from_numpy(x)), 320, CPU).train()[0].params
    mine = x @ params["weight"].numpy() + params["bias"].numpy()
    theirs = [LogisticRegression(C=C, tol=1e-8, max_iter=5000).fit(x, y).decision_function(x) for y in Y.T]
    np.testing.assert_allclose(mine, np.stack(theirs, 1), atol=0.02 * np.abs(theirs).max())


def test_a_loss_of_rows_has_one_term_a_row_and_others_one_a_label() -> None:
    n_pos = np.array([30, 20, 5])
    assert cells(get_strategy("none"), n_pos, 100) == 3
    assert cells(get_strategy("zlpr"), n_pos, 100) == 1
    assert cells(Softmax(), n_pos, 100) == 1
