"""Losses equal published numbers, and their formulas written again in plain NumPy float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import equipoise
from equipoise.catalog.functional import loss_names

from .shared.losses import N_POS, PI, N, P, Y, Z, asl, bce, focal


def values(name: str, progress: float = 0.0, **settings: Any) -> np.ndarray:
    loss = equipoise.loss_of(name, N_POS, N, **settings)
    return loss(torch.from_numpy(Z), torch.from_numpy(Y), progress=progress).numpy()


# Printed numbers: REFERENCES.md, "golden fixture". Some came out of float32 programs, so their last digits are not exact.
PRINTED: dict[str, tuple[str, dict[str, Any], float, float]] = {
    "bce": ("none", {}, 1, 0.7072016597),
    "focal": ("focal", {}, 1, 0.1548428684),
    "focal alpha .25": ("focal", {"alpha": 0.25}, 1, 0.1578916376),
    "pos_weight": ("pos_weight", {}, 1, 14.2585513479),
    "CB focal, times 10": ("class_balanced", {}, 10, 0.2584985495),
    "R-FL": ("rebalanced_focal", {}, 1, 0.0727550462),
    "NTR-FL": ("ntr_focal", {}, 1, 0.1612556364),
    "ASL, sum": ("asl", {}, 12, 3.4899469314),
    "Hill": ("hill", {}, 1, 0.5062722527),
    "APL": ("apl", {}, 1, 0.3712709420),
    "SPLC, first epoch": ("splc", {}, 1, 0.5722933671),
    "ASL 0/0/0, sum": ("asl", {"gamma_neg": 0.0, "gamma_pos": 0.0, "margin": 0.0}, 12, 8.4864206829),
}


@pytest.mark.parametrize("case", PRINTED)
def test_printed_numbers(case: str) -> None:
    name, settings, factor, expected = PRINTED[case]
    assert factor * values(name, **settings).mean() == pytest.approx(expected, abs=1e-7)


def test_printed_numbers_of_zlpr_rows() -> None:
    assert values("zlpr") == pytest.approx([0.9039691364, 2.0711213180, 3.7305272396], abs=1e-9)


def test_printed_class_balanced_weights() -> None:
    weights = values("class_balanced", gamma=0.0, alpha=-1.0) / values("none")
    expected = [0.1, 0.1000026562, 0.1138403260, 0.2441942810]
    assert np.abs(weights - expected).max() < 1e-9


def rebalanced() -> np.ndarray:
    r = np.array([[(1 / N_POS[j]) / sum(1 / N_POS[Y[i] > 0]) for j in range(4)] for i in range(3)])
    return 0.1 + 1 / (1 + np.exp(-10 * (r - 0.9)))


def tolerant() -> np.ndarray:
    v = 0.05 * np.log(N / N_POS - 1)
    q_pos, q_neg = 1 / (1 + np.exp(-(Z - v))), 1 / (1 + np.exp(-2 * (Z - v)))
    positive, negative = (1 - q_pos) ** 2 * np.log(q_pos), q_neg**2 * np.log(1 - q_neg) / 2
    return np.asarray(-0.5 * (Y * positive + (1 - Y) * negative))


def class_balanced(beta: float = 0.9) -> np.ndarray:
    return np.asarray((1 - beta) / (1 - beta**N_POS))


def two_way() -> float:
    """Mean over rows with a positive, plus mean over labels with one, each a loop over cells."""

    def term(z: np.ndarray, y: np.ndarray) -> float:
        low, high = sum(np.exp(-z[y > 0] / 4)), sum(np.exp(z[y == 0] / 1))
        return float(np.log1p(high * low**4)) if (y == 0).any() else 0.0

    rows = [term(Z[i], Y[i]) for i in range(3) if Y[i].any()]
    labels = [term(Z[:, j], Y[:, j]) for j in range(4) if Y[:, j].any()]
    return float(np.mean(rows) + np.mean(labels))


def sigmoid_f1(p: np.ndarray = P, y: np.ndarray = Y) -> np.ndarray:
    tp, fp, fn = (p * y).sum(0), (p * (1 - y)).sum(0), ((1 - p) * y).sum(0)
    return np.asarray(1 - 2 * tp / (2 * tp + fn + fp))


def ldam(scale: float = 1.0) -> np.ndarray:
    margin = N_POS**-0.25 * (0.5 / (N_POS**-0.25).max())
    z = scale * (Z - margin * Y)
    return np.asarray(np.logaddexp(0, z * (1 - 2 * Y)))


def hill() -> np.ndarray:
    q = 1 / (1 + np.exp(1 - Z))
    return np.asarray(np.where(Y > 0, -((1 - q) ** 2) * np.log(q), (1.5 - P) * P**2))


def apl(eta: float = 0.0) -> np.ndarray:
    """By the series: with the first two coefficients of a positive's 1 and 1/2 replaced by 0 and 1.75."""
    rest = -np.log(P) - (1 - P) - (1 - P) ** 2 / 2
    p_m = np.maximum(P - 0.05, 0)
    return np.asarray(np.where(Y > 0, 1.75 * (1 - P) ** 2 + rest, -(p_m**4) * (np.log(1 - p_m) + eta * p_m)))


def splc(late: bool = False) -> np.ndarray:
    z = np.where(Y > 0, Z - 1, Z)
    p = 1 / (1 + np.exp(-z))
    believed = (Y > 0) | (late & (p > 0.6))
    return np.asarray(np.where(believed, -((1 - p) ** 2) * np.log(p), -(p**2) * np.log(1 - p)))


def propensity() -> np.ndarray:
    """Jain et al.'s p_l = 1 / (1 + C e^(−A log(n + B))) for each of the four labels."""
    C = (np.log(N) - 1) * (1.5 + 1) ** 0.55
    p = 1 / (1 + C * np.exp(-0.55 * np.log(N_POS + 1.5)))
    return np.asarray(np.where(Y > 0, bce(Z) / p, bce(Z)))


def pairwise_auc(margin: float = 1.0) -> np.ndarray:
    """Each label's mean over its pairs, each pair by itself; every label of the fixture has pairs."""
    pairs = [
        [max(0.0, margin - (a - b)) ** 2 for a in z[y > 0] for b in z[y == 0]]
        for z, y in zip(Z.T, Y.T, strict=True)
    ]
    return np.tile([np.mean(own) for own in pairs], (3, 1))


FORMULAS: dict[str, tuple[str, dict[str, Any], Callable[[], Any]]] = {
    "none": ("none", {}, lambda: bce(Z)),
    "focal": ("focal", {}, focal),
    "pos_weight": ("pos_weight", {}, lambda: np.where(Y > 0, (N - N_POS) / N_POS, 1) * bce(Z)),
    "inverse_frequency": ("inverse_frequency", {}, lambda: N_POS.mean() / N_POS * bce(Z)),
    "class_balanced": ("class_balanced", {}, lambda: class_balanced() * focal()),
    "rebalanced_focal": ("rebalanced_focal", {}, lambda: rebalanced() * focal()),
    "ntr_focal": ("ntr_focal", {}, tolerant),
    "distribution_balanced": ("distribution_balanced", {}, lambda: rebalanced() * tolerant()),
    "cb_ntr": ("cb_ntr", {}, lambda: class_balanced() * tolerant()),
    "asl": ("asl", {}, asl),
    "sigmoid_f1": ("sigmoid_f1", {}, lambda: np.tile(sigmoid_f1(), (3, 1))),
    "double soft F1": (
        "sigmoid_f1",
        {"double": True},
        lambda: np.tile((sigmoid_f1() + sigmoid_f1(1 - P, 1 - Y)) / 2, (3, 1)),
    ),
    "sigmoid_f1 tuned": (
        "sigmoid_f1",
        {"beta": 3.0, "eta": 0.5},
        lambda: np.tile(sigmoid_f1(1 / (1 + np.exp(-3 * (Z + 0.5)))), (3, 1)),
    ),
    "ldam": ("ldam", {}, ldam),
    "ldam, as for cosines": ("ldam", {"scale": 30.0}, lambda: ldam(30.0)),
    "hill": ("hill", {}, hill),
    "apl": ("apl", {}, apl),
    "apl, negatives changed": ("apl", {"eta": 0.5}, lambda: apl(0.5)),
    "splc": ("splc", {}, splc),
    "propensity": ("propensity", {}, propensity),
    "pairwise_auc": ("pairwise_auc", {}, pairwise_auc),
    "pairwise_auc, wide": ("pairwise_auc", {"margin": 4.0}, lambda: pairwise_auc(4.0)),
    "logit_adjusted_loss": ("logit_adjusted_loss", {}, lambda: bce(Z + np.log(PI / (1 - PI)))),
    "cost_sensitive": (
        "cost_sensitive",
        {},
        lambda: np.where(Y > 0, N / (2 * N_POS), N / (2 * (N - N_POS))) * bce(Z),
    ),
}


@pytest.mark.parametrize("case", FORMULAS)
def test_formulas(case: str) -> None:
    name, settings, formula = FORMULAS[case]
    np.testing.assert_allclose(values(name, **settings), formula(), rtol=1e-12, atol=1e-13)


def test_two_way_is_the_mean_over_rows_plus_the_mean_over_labels() -> None:
    assert values("two_way").mean() == pytest.approx(two_way(), abs=1e-12)


def test_ldam_reweights_late_with_weights_of_mean_one() -> None:
    weights = class_balanced(0.9999) / class_balanced(0.9999).mean()
    assert np.array_equal(values("ldam", progress=0.79), values("ldam"))
    assert values("ldam", progress=0.81) == pytest.approx(values("ldam") * weights, rel=1e-12)


def test_splc_takes_sure_negatives_for_missing_labels_once_it_has_begun() -> None:
    assert values("splc", progress=0.04) == pytest.approx(splc(), rel=1e-12)
    assert values("splc", progress=0.06) == pytest.approx(splc(late=True), rel=1e-12)
    assert np.flatnonzero(values("splc", progress=0.06) != values("splc")).tolist() == [7, 10]


def test_pairwise_auc_equals_all_pairs_and_ignores_labels_without_pairs() -> None:
    rng = np.random.default_rng(3)
    z, y = rng.normal(scale=3, size=(40, 3)).round(1), (rng.random((40, 3)) < 0.3).astype(float)
    y[:, 2] = 0
    loss = equipoise.loss_of("pairwise_auc", [10, 10, 0], 40, margin=2.0)
    gaps = [(2.0 - (a[b > 0][:, None] - a[b == 0])).clip(0) ** 2 for a, b in zip(z.T, y.T, strict=True)]
    expected = np.mean([g.mean() for g in gaps[:2]])
    assert float(loss(torch.from_numpy(z), torch.from_numpy(y)).mean()) == pytest.approx(expected, rel=1e-12)
    rough = loss(torch.from_numpy(z).float() + 60, torch.from_numpy(y))
    assert float(rough.mean()) == pytest.approx(expected, rel=1e-4)


def test_every_loss_is_here() -> None:
    """A loss without a golden value must be listed here, so that none is forgotten."""
    covered = {name for name, *_ in [*PRINTED.values(), *FORMULAS.values()]} | {"two_way", "zlpr", "none"}
    assert set(loss_names()) - covered == {"inverse_frequency_softmax"}
