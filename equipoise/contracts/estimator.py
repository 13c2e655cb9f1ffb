"""Backbones that are scikit-learn estimators: fitted label by label instead of trained by gradient steps.

Labels are split by scikit-multilearn's `BinaryRelevance` (Szymański & Kajdanowicz 2017, arXiv 1702.01460), so that a strategy
meets the same problem transformation that users of that library have. Resampling, sampling weights (as `sample_weight`), tasks,
score maps and decisions work as on networks; a strategy that owns the loss is skipped with its reason, since these models bring
their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equipoise.contracts.backbone import Backbone

if TYPE_CHECKING:
    from equipoise.contracts.features import Features

#: Log-odds beyond this are cut off: a tree that is sure would give infinity.
LIMIT = 30.0


@dataclass(frozen=True)
class EstimatorBackbone(Backbone):
    """A scikit-learn classifier of one label, fitted for each label in turn.

    Attributes:
        dense: True where the classifier cannot read sparse rows; texts are then made dense.
    """

    gradient: ClassVar[bool] = False
    conditioning_bias: ClassVar[str] = "columns"  # further inputs become columns of X, so that chains work
    dense: ClassVar[bool] = False

    max_features: int = 5000

    @property
    def vocabulary(self) -> int | None:
        return self.max_features

    def features(self, kind: str) -> Features:
        from equipoise.contracts.features import Standardised, TfIdf

        return TfIdf(self.max_features) if kind == "text" else Standardised()

    def estimator(self, seed: int) -> Any:
        """An unfitted scikit-learn classifier with `decision_function` or `predict_proba`, whose `fit` takes `sample_weight`."""
        raise NotImplementedError(f"backbone {self.name!r} must define estimator()")

    def fit(
        self, X: Any, targets: np.ndarray, weights: np.ndarray | None, seed: int, exclusive: bool
    ) -> FittedEstimator:
        """Fit on rows X (m, d), dense or CSR, with targets (m, L) of 0/1.

        Args:
            weights: (m,) of mean 1, or None.
            exclusive: the columns are classes of which each row has one (labelsets); rows of none are left out.
        """
        rows = X.toarray() if self.dense and hasattr(X, "toarray") else X
        if exclusive:
            return _FittedClasses.of(self.estimator(seed), rows, targets, weights)
        from skmultilearn.problem_transform import BinaryRelevance

        model = BinaryRelevance(
            LabelClassifier(self.estimator(seed), weights), require_dense=[self.dense, True]
        )
        model.fit(rows, targets)
        return _FittedLabels(model.classifiers_, self.dense)


class FittedEstimator:
    """A fitted model: `logits(X)` gives (n, L) float32 log-odds, or scores up to a constant for exclusive classes."""

    def logits(self, X: Any) -> np.ndarray:
        """Of rows X (n, d), dense or CSR."""
        raise NotImplementedError


class LabelClassifier:
    """One label's classifier with the weights of its rows; a label that never changes gets a constant instead.

    scikit-multilearn copies it for each label and passes X and y alone, which is why the weights travel inside.
    """

    def __init__(self, estimator: Any, weights: np.ndarray | None) -> None:
        self.estimator, self.weights = estimator, weights
        self._constant: float | None = None

    def fit(self, X: Any, y: np.ndarray) -> LabelClassifier:
        """Fit on (m, d) and (m,)."""
        drawn = y if self.weights is None else y[self.weights > 0]  # a row of weight 0 teaches nothing
        if np.ptp(drawn) == 0:
            # Smoothed log-odds, as of half a row more on either side: it orders nothing, and no threshold is infinite.
            n = len(drawn)
            share = (float(drawn.sum()) + 0.5) / (n + 1.0)
            self._constant = float(np.log(share / (1 - share)))
        else:
            self.estimator.fit(X, y, sample_weight=self.weights)
        return self

    def log_odds(self, X: Any) -> np.ndarray:
        """(n,) of rows X (n, d)."""
        if self._constant is not None:
            return np.full(X.shape[0], self._constant)
        return _scores(self.estimator, X)[:, -1]


class _FittedLabels(FittedEstimator):
    def __init__(self, classifiers: Sequence[LabelClassifier], dense: bool) -> None:
        self._classifiers, self._dense = classifiers, dense

    def logits(self, X: Any) -> np.ndarray:
        rows = X.toarray() if self._dense and hasattr(X, "toarray") else X
        return np.column_stack([c.log_odds(rows) for c in self._classifiers]).astype(np.float32)


class _FittedClasses(FittedEstimator):
    """Exclusive classes: a column for each, very low where the training rows hold none of it."""

    def __init__(self, estimator: Any, columns: np.ndarray, n_classes: int) -> None:
        self._estimator, self._columns, self._n_classes = estimator, columns, n_classes

    @classmethod
    def of(cls, estimator: Any, X: Any, targets: np.ndarray, weights: np.ndarray | None) -> _FittedClasses:
        known = np.flatnonzero(targets.any(1))
        y = targets[known].argmax(1)
        columns = np.unique(y)
        if len(columns) > 1:
            estimator.fit(X[known], y, sample_weight=None if weights is None else weights[known])
        return cls(estimator if len(columns) > 1 else None, columns, targets.shape[1])

    def logits(self, X: Any) -> np.ndarray:
        out = np.full((X.shape[0], self._n_classes), -LIMIT, dtype=np.float32)
        if self._estimator is None:
            out[:, self._columns] = 0.0
        else:
            rows = X.toarray() if hasattr(X, "toarray") and getattr(self._estimator, "dense", False) else X
            scores = _scores(self._estimator, rows)
            out[:, self._columns] = np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores
        return out


def _scores(estimator: Any, X: Any) -> np.ndarray:
    """(n, 1) log-odds of a binary classifier, or (n, C) log-probabilities up to a constant."""
    if hasattr(estimator, "decision_function"):
        scores = np.asarray(estimator.decision_function(X), dtype=np.float64)
        return np.clip(scores.reshape(len(scores), -1), -LIMIT, LIMIT)
    chances = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    with np.errstate(divide="ignore"):
        scores = np.log(chances[:, 1:]) - np.log(chances[:, :1]) if chances.shape[1] == 2 else np.log(chances)
    return np.clip(scores, -LIMIT, LIMIT)
