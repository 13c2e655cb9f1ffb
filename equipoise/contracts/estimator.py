"""Backbones that are scikit-learn estimators: fitted label by label instead of trained by gradient steps.

Labels are split by scikit-multilearn's `BinaryRelevance` (Szymański & Kajdanowicz 2017, arXiv 1702.01460), so that strategies
are tested with the same problem transformation that users of that library have. Resampling, sampling weights (passed as
`sample_weight`), tasks, score maps and decisions work as with networks. A strategy with a loss is skipped with a reason, since
these models have losses of their own; label powersets, whose loss only means that classes exclude each other, are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equipoise.contracts.backbone import Backbone
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from skmultilearn import problem_transform

    from equipoise.contracts import features as extractors
    from equipoise.contracts.features import Features
else:
    extractors = lazy("equipoise.contracts.features")
    problem_transform = lazy("skmultilearn.problem_transform")

#: Log-odds are clipped to ± this: a tree that gives a probability of 1 would have infinite ones.
LIMIT = 30.0


@dataclass(frozen=True)
class EstimatorBackbone(Backbone):
    """A scikit-learn classifier of one label, fitted for each label in turn.

    Attributes:
        dense: True if the classifier cannot read sparse rows; the features of texts are then made dense.
    """

    gradient: ClassVar[bool] = False
    # Not the name of a parameter: label inputs become columns of X. A name that is not empty says that chains work.
    conditioning_bias: ClassVar[str] = "columns"
    dense: ClassVar[bool] = False

    max_features: int = 5000

    @property
    def vocabulary(self) -> int | None:
        return self.max_features

    def features(self, kind: str) -> Features:
        return extractors.TfIdf(self.max_features) if kind == "text" else extractors.Standardised()

    def estimator(self, seed: int) -> Any:
        """An unfitted scikit-learn classifier with `decision_function` or `predict_proba`, whose `fit` takes `sample_weight`."""
        raise NotImplementedError(f"backbone {self.name!r} must define estimator()")

    def fit(
        self, X: Any, targets: np.ndarray, weights: np.ndarray | None, seed: int, exclusive: bool
    ) -> FittedEstimator:
        """Fit on rows X (m, d), dense or CSR, with targets (m, L) of 0/1.

        Args:
            weights: (m,) weights of the rows, of mean 1, or None.
            exclusive: True if the columns are classes (labelsets) of which each row has one; rows without one are left out.
        """
        rows = _rows(X, self.dense)
        if exclusive:
            return _FittedClasses.of(self.estimator(seed), rows, targets, weights, self.dense)
        model = problem_transform.BinaryRelevance(
            LabelClassifier(self.estimator(seed), weights), require_dense=[self.dense, True]
        )
        model.fit(rows, targets)
        return _FittedLabels(model.classifiers_, self.dense)


class FittedEstimator:
    """A fitted model: `logits(X)` gives (n, L) float32 log-odds, or scores up to a constant for exclusive classes."""

    def logits(self, X: Any) -> np.ndarray:
        """Log-odds or scores (n, L) float32 of rows X (n, d), dense or CSR."""
        raise NotImplementedError


class LabelClassifier:
    """The classifier of one label, with the weights of the rows; a label with a single value gets a constant score.

    scikit-multilearn copies this object for each label and passes only X and y, so the weights are stored inside.
    """

    def __init__(self, estimator: Any, weights: np.ndarray | None) -> None:
        self.estimator, self.weights = estimator, weights
        self._constant: float | None = None

    def fit(self, X: Any, y: np.ndarray) -> LabelClassifier:
        """Fit on rows X (m, d) and the 0/1 values y (m,) of one label."""
        # Rows of weight 0 do not count: without them, a label may have a single value.
        weighted = y if self.weights is None else y[self.weights > 0]
        if np.ptp(weighted) == 0:
            # Log-odds with half a row added on either side, so that they are finite.
            n = len(weighted)
            share = (float(weighted.sum()) + 0.5) / (n + 1.0)
            self._constant = float(np.log(share / (1 - share)))
        else:
            self.estimator.fit(X, y, sample_weight=self.weights)
        return self

    def log_odds(self, X: Any) -> np.ndarray:
        """Log-odds (n,) of rows X (n, d)."""
        if self._constant is not None:
            return np.full(X.shape[0], self._constant)
        return _scores(self.estimator, X)[:, -1]


class _FittedLabels(FittedEstimator):
    def __init__(self, classifiers: Sequence[LabelClassifier], dense: bool) -> None:
        self._classifiers, self._dense = classifiers, dense

    def logits(self, X: Any) -> np.ndarray:
        rows = _rows(X, self._dense)
        return np.column_stack([c.log_odds(rows) for c in self._classifiers]).astype(np.float32)


class _FittedClasses(FittedEstimator):
    """Exclusive classes: one column each, with a very low score for classes that no training row has."""

    def __init__(self, estimator: Any, columns: np.ndarray, n_classes: int, dense: bool) -> None:
        self._estimator, self._columns, self._n_classes, self._dense = estimator, columns, n_classes, dense

    @classmethod
    def of(
        cls, estimator: Any, X: Any, targets: np.ndarray, weights: np.ndarray | None, dense: bool
    ) -> _FittedClasses:
        known = np.flatnonzero(targets.any(1))
        y = targets[known].argmax(1)
        columns = np.unique(y)
        if len(columns) > 1:
            estimator.fit(X[known], y, sample_weight=None if weights is None else weights[known])
        # scikit-learn refuses to fit a single class.
        return cls(estimator if len(columns) > 1 else None, columns, targets.shape[1], dense)

    def logits(self, X: Any) -> np.ndarray:
        out = np.full((X.shape[0], self._n_classes), -LIMIT, dtype=np.float32)
        if self._estimator is None:
            out[:, self._columns] = 0.0
        else:
            scores = _scores(self._estimator, _rows(X, self._dense))
            # With two classes, scikit-learn gives the score of the second only.
            out[:, self._columns] = np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores
        return out


def _rows(X: Any, dense: bool) -> Any:
    """X (m, d) as an array if the estimator takes no CSR."""
    return X.toarray() if dense and hasattr(X, "toarray") else X


def _scores(estimator: Any, X: Any) -> np.ndarray:
    """(n, 1) log-odds of a binary classifier, or (n, C) log-probabilities up to a constant."""
    if hasattr(estimator, "decision_function"):
        scores = np.asarray(estimator.decision_function(X), dtype=np.float64)
        return np.clip(scores.reshape(len(scores), -1), -LIMIT, LIMIT)
    probabilities = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    with np.errstate(divide="ignore"):
        scores = (
            np.log(probabilities[:, 1:]) - np.log(probabilities[:, :1])
            if probabilities.shape[1] == 2
            else np.log(probabilities)
        )
    return np.clip(scores, -LIMIT, LIMIT)
