"""Strategies that act on the representation equal their formulas, written again in plain loops, and other people's solvers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

import equipoise
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.strategy import Context, bce
from equipoise.core.errors import EquipoiseError

N, H, L = 90, 5, 4
RNG = np.random.default_rng(11)
Y = (RNG.random((N, L)) < [0.5, 0.3, 0.12, 0.0]).astype(np.uint8)
Y[:, 3] = np.arange(N) == 40
REPRESENTATION = np.maximum(Y @ RNG.normal(size=(L, H)) + RNG.normal(size=(N, H)), 0).astype(np.float32)
WEIGHT = RNG.normal(size=(H, L)).astype(np.float32) * np.float32([2.0, 1.0, 0.5, 0.1])
BIAS = np.float32([0.0, -1.0, -2.0, -4.0])
UNSEEN = np.maximum(RNG.normal(size=(7, H)), 0).astype(np.float32)
LOGITS = UNSEEN @ WEIGHT + BIAS


def head(spec: str, labels: np.ndarray = Y) -> np.ndarray:
    """Logits of the unseen rows by a strategy's head."""
    ctx = Context(labels.sum(0), len(labels), rng=np.random.default_rng(0))
    fitted = get_strategy(spec).head(REPRESENTATION, labels, WEIGHT, BIAS, ctx)
    return fitted(UNSEEN, LOGITS)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def draws(mix: float) -> list[float]:
    """How often each row is drawn in N draws, a label uniformly and then one of its rows, or any row uniformly."""
    positives = [sum(int(Y[i, j]) for i in range(N)) for j in range(L)]
    balanced = [sum(Y[i, j] / positives[j] for j in range(L)) / L for i in range(N)]
    return [N * (mix * balanced[i] + (1 - mix) / N) for i in range(N)]


@pytest.mark.parametrize(("C", "mix"), [(10.0, 1.0), (0.5, 0.3), (300.0, 0.0)])
def test_crt_is_a_weighted_logistic_regression_of_each_label(C: float, mix: float) -> None:
    length = math.sqrt(np.mean([float(np.dot(h, h)) for h in REPRESENTATION.astype(float)]))
    expected = np.empty_like(LOGITS)
    for j in range(L):
        model = LogisticRegression(C=C, tol=1e-10, max_iter=10000)
        model.fit(REPRESENTATION / length, Y[:, j], sample_weight=draws(mix))
        expected[:, j] = model.decision_function(UNSEEN / length)
    assert head(f"crt[C={C},mix={mix}]") == pytest.approx(expected, abs=2e-3, rel=1e-3)


def test_crt_learns_from_the_rows_and_not_from_the_last_layer_that_it_replaces() -> None:
    ctx = Context(Y.sum(0), N, rng=np.random.default_rng(0))
    other = get_strategy("crt").head(REPRESENTATION, Y, -WEIGHT, BIAS + 1, ctx)
    assert np.array_equal(other(UNSEEN, LOGITS + 1), head("crt"))


def test_crt_gives_a_label_that_no_row_has_or_every_row_the_log_odds_of_half_a_row() -> None:
    labels = Y.copy()
    labels[:, 1], labels[:, 2] = 1, 0
    found = head("crt[mix=0.0]", labels)
    assert found[:, 1] == pytest.approx(math.log((N - 0.5) / 0.5), rel=1e-5)
    assert found[:, 2] == pytest.approx(-math.log((N - 0.5) / 0.5), rel=1e-5)


@pytest.mark.parametrize("tau", [0.0, 0.7, 1.0, 2.0])
def test_tau_normalisation(tau: float) -> None:
    lengths = [math.sqrt(sum(float(w) ** 2 for w in WEIGHT[:, j])) for j in range(L)]
    mean = math.prod(lengths) ** (1 / L)
    weight = np.array([[WEIGHT[h, j] * (mean / lengths[j]) ** tau for j in range(L)] for h in range(H)])
    assert head(f"tau_norm[tau={tau}]") == pytest.approx(UNSEEN @ weight + BIAS, abs=1e-4)
    if tau == 1.0:
        assert np.linalg.norm(weight, axis=0) == pytest.approx(mean)


def test_tau_of_zero_keeps_every_bit() -> None:
    assert np.array_equal(head("tau_norm[tau=0.0]"), LOGITS)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(("shrinkage", "mix"), [(1.0, 1.0), (30.0, 0.5), (0.01, 0.0)])
def test_lws_finds_the_best_factor_of_each_label(shrinkage: float, mix: float, kept: bool) -> None:
    counts = draws(mix)
    scores = REPRESENTATION.astype(float) @ WEIGHT + (0 if kept else BIAS)
    expected = np.empty(LOGITS.shape)
    for j in range(L):
        offset = float(BIAS[j]) if kept else 0.0

        def cost(s: float, j: int = j, offset: float = offset) -> float:
            z = s * scores[:, j] + offset
            return float(np.dot(counts, np.logaddexp(0, z) - Y[:, j] * z)) + 0.5 * shrinkage * (s - 1) ** 2

        s = minimize_scalar(cost, bounds=(1e-3, 200.0), method="bounded", options={"xatol": 1e-9}).x
        expected[:, j] = s * (LOGITS[:, j] - offset) + offset
    spec = f"lws[shrinkage={shrinkage},mix={mix},bias={'kept' if kept else 'scaled'}]"
    assert head(spec) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def nearest(h: np.ndarray, k: int, temperature: float) -> list[float]:
    """The share of each label among the k nearest training rows of one row, weighted by a softmax of cosines."""

    def cosine(a: Any, b: Any) -> float:
        lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
        return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0

    similar = [(cosine(h.tolist(), row.tolist()), i) for i, row in enumerate(REPRESENTATION)]
    chosen = sorted(similar, reverse=True)[:k]
    weights = [math.exp(s / temperature) for s, _ in chosen]
    return [
        sum(w * Y[i, j] for w, (_, i) in zip(weights, chosen, strict=True)) / sum(weights) for j in range(L)
    ]


@pytest.mark.parametrize(("blend", "k", "temperature"), [(0.25, 10, 0.1), (0.9, 3, 1.0), (0.5, 1, 0.01)])
def test_knn_blend(blend: float, k: int, temperature: float) -> None:
    found = head(f"knn_blend[blend={blend},k={k},temperature={temperature}]")
    for i, h in enumerate(UNSEEN):
        if not h.any():
            continue
        for j, share in enumerate(nearest(h, k, temperature)):
            p = (1 - blend) * sigmoid(float(LOGITS[i, j])) + blend * share
            assert found[i, j] == pytest.approx(math.log(p / (1 - p)), abs=1e-3)


def test_knn_blend_of_zero_keeps_every_bit_and_of_one_is_finite() -> None:
    assert np.array_equal(head("knn_blend[blend=0.0]"), LOGITS)
    only = head("knn_blend[blend=1.0,k=2]")
    assert np.isfinite(only).all()
    assert set(np.unique(only[:, 3])) <= {np.float32(-50.0), np.float32(50.0)} | set(only[:, 3])


def test_rows_that_tie_with_the_last_neighbour_all_count() -> None:
    ctx = Context(Y.sum(0), N, rng=np.random.default_rng(0))
    h = np.repeat(np.float32([[1, 0], [0, 1]]), 45, axis=0)
    fitted = get_strategy("knn_blend[blend=1.0,k=3]").head(h, Y, WEIGHT, BIAS, ctx)
    shares = fitted(np.float32([[2, 0]]), np.zeros((1, L), dtype=np.float32))
    expected = Y[:45].mean(0)
    assert 1 / (1 + np.exp(-shares[0].astype(float))) == pytest.approx(expected, abs=1e-6)


def contrast(h: np.ndarray, y: np.ndarray, temperature: float) -> float:
    """The mean over all labels of all rows that have another row with the label."""
    z = [row / math.sqrt(float(row @ row)) for row in h]
    terms = []
    for i in range(len(h)):
        rest = [math.exp(float(z[i] @ z[a]) / temperature) for a in range(len(h)) if a != i]
        for j in np.flatnonzero(y[i]):
            same = [p for p in range(len(h)) if p != i and y[p, j]]
            if same:
                logs = [float(z[i] @ z[p]) / temperature - math.log(sum(rest)) for p in same]
                terms.append(-sum(logs) / len(same))
    return sum(terms) / len(terms) if terms else 0.0


@pytest.mark.parametrize(("weight", "temperature"), [(0.1, 0.1), (1.0, 0.5)])
def test_mulsupcon_is_cross_entropy_plus_the_contrastive_loss_of_the_batch(
    weight: float, temperature: float
) -> None:
    rng = np.random.default_rng(2)
    h, y = rng.normal(size=(32, 6)), (rng.random((32, L)) < [0.5, 0.2, 0.1, 0.0]).astype(float)
    y[:, 3] = np.arange(32) == 5
    z = torch.from_numpy(rng.normal(size=(32, L)))
    loss = equipoise.loss_of("mulsupcon", y.sum(0), 32, weight=weight, temperature=temperature)
    found = loss(z, torch.from_numpy(y), representation=torch.from_numpy(h))
    assert found.shape == (32, L)
    expected = float(bce(z, torch.from_numpy(y)).sum(1).mean()) + weight * contrast(h, y, temperature)
    assert float(found.mean()) * L == pytest.approx(expected, rel=1e-6)
    with pytest.raises(
        EquipoiseError, match=r"mulsupcon needs the inputs of the last layer: pass repr.*32 rows"
    ):
        loss(z, torch.from_numpy(y))


def test_without_a_common_label_there_is_nothing_to_contrast() -> None:
    y = torch.eye(8, dtype=torch.float64)
    h = torch.from_numpy(np.random.default_rng(0).normal(size=(8, 3))).requires_grad_()
    loss = equipoise.loss_of("mulsupcon", [1] * 8, 8)(torch.zeros(8, 8).double(), y, representation=h)
    assert torch.equal(loss.detach(), bce(torch.zeros(8, 8).double(), y))
    assert not torch.autograd.grad(loss.mean(), h)[0].any()


def test_rows_with_equal_labels_are_drawn_together() -> None:
    y = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    h = torch.tensor([[1.0, 0.2], [0.3, 1], [0.8, 0.5], [0.4, 0.9]], requires_grad=True)
    loss = equipoise.loss_of("mulsupcon", [2, 2], 4, weight=1.0, temperature=0.5)
    before = float(loss(torch.zeros(4, 2), y, representation=h).mean().detach())
    (slope,) = torch.autograd.grad(loss(torch.zeros(4, 2), y, representation=h).mean(), h)
    after = float(loss(torch.zeros(4, 2), y, representation=h.detach() - 0.1 * slope).mean())
    assert after < before
