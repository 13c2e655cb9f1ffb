"""scikit-learn estimators as backbones: the library's own numbers, labels split by scikit-multilearn, strategies around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression as Reference

import equipoise
from equipoise import Dataset
from equipoise.backbones.extra_trees import ExtraTrees
from equipoise.backbones.gradient_boosting import GradientBoosting
from equipoise.backbones.linear_svc import LinearSVC
from equipoise.backbones.logistic_regression import LogisticRegression
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.estimator import LIMIT, EstimatorBackbone
from equipoise.sweep.plan import misfit

ESTIMATORS: tuple[EstimatorBackbone, ...] = (
    LogisticRegression(),
    LinearSVC(),
    ExtraTrees(trees=10),
    GradientBoosting(iterations=5),
)


def world(rows: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 6), and three labels of which the first depends on them most."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 6)).astype(np.float32)
    scores = X[:, :3] * [2.0, 1.0, 0.5] - [0.0, 0.5, 1.0] + 0.3 * rng.normal(size=(rows, 3))
    return X, (scores > 0).astype(np.uint8)


def test_logistic_regression_gives_the_librarys_numbers() -> None:
    X, Y = world()
    fitted = LogisticRegression(c=0.7).fit(X, Y, None, seed=0, exclusive=False)
    wanted = np.column_stack([Reference(C=0.7, max_iter=1000).fit(X, y).decision_function(X) for y in Y.T])
    assert fitted.logits(X) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("backbone", ESTIMATORS, ids=lambda b: b.name)
def test_scikit_multilearn_splits_the_labels(backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from skmultilearn.problem_transform import BinaryRelevance

    calls, fit = [], BinaryRelevance.fit
    monkeypatch.setattr(BinaryRelevance, "fit", lambda self, X, y: calls.append(y.shape) or fit(self, X, y))
    X, Y = world()
    logits = backbone.fit(X, Y, None, 0, False).logits(X)
    assert calls == [Y.shape]
    assert logits.shape == Y.shape
    assert logits.dtype == np.float32
    assert ((logits > 0) == Y).mean() > 0.8


@pytest.mark.parametrize("backbone", ESTIMATORS, ids=lambda b: b.name)
def test_sparse_rows_odd_labels_and_equal_seeds(backbone: Any) -> None:
    X, Y = world()
    Y = np.column_stack([Y, np.zeros(len(Y)), np.ones(len(Y))]).astype(np.uint8)
    sparse = sp.csr_matrix(np.where(np.abs(X) > 0.5, X, 0))
    logits = backbone.fit(sparse, Y, None, 3, False).logits(sparse)
    assert np.isfinite(logits).all()
    assert (logits[:, 3] < 0).all()
    assert (logits[:, 4] > 0).all()
    assert np.array_equal(logits, backbone.fit(sparse, Y, None, 3, False).logits(sparse))


def test_a_row_of_weight_zero_teaches_nothing() -> None:
    X, Y = world()
    weights = np.where(np.arange(len(X)) < 80, 1.0, 0.0)
    weighted = LogisticRegression().fit(X, Y, weights, 0, False).logits(X)
    assert weighted == pytest.approx(
        LogisticRegression().fit(X[:80], Y[:80], None, 0, False).logits(X), abs=1e-3
    )
    only = np.column_stack([Y[:, 0] & (weights > 0), np.arange(len(X)) >= 80]).astype(np.uint8)
    unseen = LogisticRegression().fit(X, only, weights, 0, False).logits(X)[:, 1]
    assert np.ptp(unseen) == 0, "a label whose positives all have weight 0 is a constant"


@pytest.mark.parametrize("backbone", ESTIMATORS, ids=lambda b: b.name)
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_exclusive_classes(backbone: Any, classes: int) -> None:
    """As many columns as classes, those without a row at the bottom; a row of no class is left out."""
    X, _ = world()
    y = np.digitize(X[:, 0], [-0.4, 0.4][: classes - 1])
    targets = (y[:, None] == np.arange(classes + 1)).astype(np.uint8)
    targets[0] = 0
    logits = backbone.fit(X, targets, None, 0, True).logits(X)
    assert logits.shape == (len(X), classes + 1)
    assert (logits[:, classes] == -LIMIT).all()
    assert (logits.argmax(1) == y)[1:].mean() > 0.8
    sparse = backbone.fit(sp.csr_matrix(X), targets, None, 0, True).logits(sp.csr_matrix(X))
    assert (sparse.argmax(1) == y)[1:].mean() > 0.8, "also for rows of text, which are sparse"


def test_strategies_around_an_estimator(tmp_path: Path) -> None:
    X, Y = world(160)
    data = Dataset("made", X, Y, ("a", "b", "c"))
    names = ["none", "balanced_sampling", "ml_ros", "classifier_chain", "scut", "focal"]
    rows = equipoise.run(
        dataset=data,
        backbone="logistic_regression",
        strategy=names,
        trials=2,
        folds=2,
        splits=1,
        results=tmp_path,
    ).set_index("strategy")
    assert rows.loc["focal", "status"] == "skipped"
    assert (rows.drop("focal")["status"] == "ok").all(), rows["error"].tolist()
    assert rows.loc["none", "scores/map"] > 0.7
    assert rows.loc["scut", "scores/map"] == rows.loc["none", "scores/map"]
    for other in ("balanced_sampling", "ml_ros", "classifier_chain"):
        assert rows.loc[other, "scores/map"] != rows.loc["none", "scores/map"], (
            f"{other} reaches the estimator"
        )


def test_a_loss_is_skipped_with_its_reason() -> None:
    X, Y = world()
    data = Dataset("made", X, Y, ("a", "b", "c"))
    reason = misfit(data, get_backbone("linear_svc"), get_strategy("ml_ros+focal"), 2)
    assert reason == "focal brings a loss; linear_svc is a scikit-learn estimator with one of its own"
    assert misfit(data, get_backbone("linear_svc"), get_strategy("ml_ros+scut"), 2) is None
