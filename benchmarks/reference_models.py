"""Models as a careful user of scikit-learn writes them: what `bench_competence.py` holds our backbones against.

Nothing here trains with equipoise. What a model shares with ours is what makes the comparison fair: the rows, the number of
words, and the rule by which a hyperparameter is chosen and a threshold set (`equipoise.experiment.decision`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
import scipy.sparse as sp
from scipy.special import logit
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.svm import LinearSVC

from equipoise.catalog.strategies import get_strategy
from equipoise.experiment.decision import objective

Value = TypeVar("Value")
#: The most frequent words that are kept, as in our backbones on TF-IDF.
MAX_FEATURES = 5000


class Problem(NamedTuple):
    """One outer split without its test labels, which no model is to see.

    Attributes:
        kind: "text" or "numeric". X, X_test: texts (n,) or numbers (n, d), dense or CSR. Y: (n, L) labels of the training rows.
        folds: (n,) the inner fold that holds each training row out. seed: what a model draws its random numbers from.
    """

    kind: str
    X: Any
    Y: np.ndarray
    X_test: Any
    folds: np.ndarray
    seed: int


class Predictions(NamedTuple):
    """Logits (or margins: any score that says yes above 0).

    Attributes:
        oof: (m, L) of training rows by models that did not see them. rows: (m,) which rows. folds: (m,) their folds.
        test: (k, L) of the test rows. chosen: the hyperparameters that were selected.
    """

    oof: np.ndarray
    rows: np.ndarray
    folds: np.ndarray
    test: np.ndarray
    chosen: dict[str, Any]


class Reference(Protocol):
    """A model that is trained on a problem. Its `repr` is part of a cached row's key: every setting is a field.

    `revision` is raised by whoever changes what the model does without changing a field, so that cached rows are not reused.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    libraries: ClassVar[tuple[str, ...]]

    def predict(self, problem: Problem) -> Predictions: ...


def vectors(problem: Problem) -> tuple[Any, Any]:
    """Training and test rows as TF-IDF of words (sublinear counts, words of two rows or more), or as standardised numbers.

    Fitted on all training rows of the outer split, as ours are; sparse numbers are divided by their largest value.
    """
    if problem.kind == "text":
        words: Any = TfidfVectorizer(max_features=MAX_FEATURES, min_df=2, sublinear_tf=True)
        return words.fit_transform(problem.X), words.transform(problem.X_test)
    scaler = MaxAbsScaler() if sp.issparse(problem.X) else StandardScaler()
    return scaler.fit_transform(problem.X), scaler.transform(problem.X_test)


def quality(oof: np.ndarray, problem: Problem) -> float:
    """What selects a hyperparameter: macro-F1 at cross-fitted tuned thresholds, the objective that our search has by default."""
    return objective(
        get_strategy("none"), oof, problem.Y, problem.folds, ("reference", problem.seed), "macro_f1"
    )


def selected(candidates: Mapping[Value, np.ndarray], problem: Problem) -> tuple[Value, np.ndarray]:
    """The best setting and its out-of-fold logits; the first (least complex) of equally good ones."""
    best = max(candidates, key=lambda value: quality(candidates[value], problem))
    return best, candidates[best]


def out_of_fold(
    fit: Callable[[Any, np.ndarray], Callable[[Any], np.ndarray]], X: Any, p: Problem
) -> np.ndarray:
    """(n, L) logits of each training row by the model that was fitted without its fold."""
    oof = np.zeros(p.Y.shape)
    for fold in np.unique(p.folds):
        held = p.folds == fold
        oof[held] = fit(X[~held], p.Y[~held])(X[held])
    return oof


@dataclass(frozen=True)
class OneVsRest:
    """A linear classifier for each label, with one C for all labels, chosen by inner cross-validation."""

    kinds: ClassVar[tuple[str, ...]] = ("text", "numeric")
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "numpy")

    C: tuple[float, ...]
    revision: int = 1

    def classifier(self, C: float, sparse: bool, seed: int) -> Any:
        raise NotImplementedError

    def predict(self, problem: Problem) -> Predictions:
        X, X_test = vectors(problem)

        def at(C: float) -> Callable[[Any, np.ndarray], Callable[[Any], np.ndarray]]:
            return lambda X, Y: self._fitted(C, X, Y, problem.seed)

        C, oof = selected({C: out_of_fold(at(C), X, problem) for C in self.C}, problem)
        test = at(C)(X, problem.Y)(X_test)
        return Predictions(oof, np.arange(len(oof)), problem.folds, test, {"C": C})

    def _fitted(self, C: float, X: Any, Y: np.ndarray, seed: int) -> Callable[[Any], np.ndarray]:
        sparse = sp.issparse(X)
        models = [self.classifier(C, sparse, seed).fit(X, y) if 0 < y.sum() < len(y) else None for y in Y.T]
        # A label that is always or never there has no classifier: its logit is that of its smoothed share.
        shares = logit((Y.sum(0) + 0.5) / (len(Y) + 1))
        return lambda X: np.column_stack(
            [
                np.full(X.shape[0], share) if model is None else model.decision_function(X)
                for model, share in zip(models, shares, strict=True)
            ]
        )


@dataclass(frozen=True)
class Logistic(OneVsRest):
    """scikit-learn's LogisticRegression: liblinear on sparse rows, L-BFGS on dense ones."""

    name: ClassVar[str] = "LogisticRegression"

    C: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)

    def classifier(self, C: float, sparse: bool, seed: int) -> Any:
        solver = "liblinear" if sparse else "lbfgs"
        return LogisticRegression(C=C, solver=solver, max_iter=1000, random_state=seed % 2**31)


@dataclass(frozen=True)
class LinearMargin(OneVsRest):
    """scikit-learn's LinearSVC (squared hinge); its margins take the place of logits."""

    name: ClassVar[str] = "LinearSVC"

    C: tuple[float, ...] = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)

    def classifier(self, C: float, sparse: bool, seed: int) -> Any:
        return LinearSVC(C=C, dual="auto", max_iter=5000, random_state=seed % 2**31)


@dataclass(frozen=True)
class Perceptron:
    """scikit-learn's MLPClassifier (one hidden layer, Adam); penalty and epochs are chosen by inner cross-validation.

    Its own early stopping watches subset accuracy on a tenth of the rows, which says little of many rare labels.
    """

    name: ClassVar[str] = "MLPClassifier"
    kinds: ClassVar[tuple[str, ...]] = ("text", "numeric")
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "numpy")

    hidden: int = 100
    batch_size: int = 64
    #: scikit-learn divides the penalty by the batch, so 1 is felt and .0001, its default, is not.
    alpha: tuple[float, ...] = (1.0, 1e-4)
    epochs: tuple[int, ...] = (2, 4, 8, 15, 30, 60, 120)
    #: Epochs that read more rows than this are left out: on large data fewer suffice.
    most_rows: int = 500_000
    revision: int = 1

    def predict(self, problem: Problem) -> Predictions:
        X, X_test = vectors(problem)
        epochs = [e for e in self.epochs if e * len(problem.Y) <= self.most_rows] or [self.epochs[0]]
        oof = {(alpha, e): np.zeros(problem.Y.shape) for alpha in self.alpha for e in epochs}
        for fold in np.unique(problem.folds):
            held = problem.folds == fold
            for alpha in self.alpha:
                for e, z in self._path(alpha, X[~held], problem.Y[~held], X[held], epochs, problem.seed):
                    oof[alpha, e][held] = z
        (alpha, best), z = selected(oof, problem)
        ((_, test),) = self._path(alpha, X, problem.Y, X_test, [best], problem.seed)
        return Predictions(z, np.arange(len(z)), problem.folds, test, {"alpha": alpha, "epochs": best})

    def _path(
        self, alpha: float, X: Any, Y: np.ndarray, X_held: Any, epochs: list[int], seed: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """One training: the number of epochs and the logits of other rows, at each of `epochs`."""
        batch = min(self.batch_size, len(Y))
        model = MLPClassifier((self.hidden,), alpha=alpha, batch_size=batch, random_state=seed % 2**31)
        for epoch in range(1, max(epochs) + 1):
            model.partial_fit(X, Y, classes=np.arange(Y.shape[1]))
            if epoch in epochs:
                p = np.asarray(model.predict_proba(X_held), dtype=np.float64)
                yield epoch, logit(np.clip(p, 1e-15, 1 - 1e-15))


@dataclass(frozen=True)
class Trees:
    """scikit-learn's ExtraTreesClassifier, one forest for all labels; nothing is selected."""

    name: ClassVar[str] = "ExtraTrees"
    kinds: ClassVar[tuple[str, ...]] = ("text", "numeric")
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "numpy")

    trees: int = 200
    revision: int = 1

    def predict(self, problem: Problem) -> Predictions:
        X, X_test = vectors(problem)
        oof = out_of_fold(lambda X, Y: self._fitted(X, Y, problem.seed), X, problem)
        test = self._fitted(X, problem.Y, problem.seed)(X_test)
        return Predictions(oof, np.arange(len(oof)), problem.folds, test, {"trees": self.trees})

    def _fitted(self, X: Any, Y: np.ndarray, seed: int) -> Callable[[Any], np.ndarray]:
        forest = ExtraTreesClassifier(self.trees, random_state=seed % 2**31).fit(X, Y)
        constant = Y.max(0) == Y.min(0)

        def logits(X: Any) -> np.ndarray:
            # A label of one value has one column of probabilities; half a vote keeps unanimous logits finite.
            columns = forest.predict_proba(X)
            p = np.column_stack(
                [
                    np.full(X.shape[0], y) if c else two[:, 1]
                    for two, c, y in zip(columns, constant, Y[0], strict=True)
                ]
            )
            return np.asarray(logit((p * self.trees + 0.5) / (self.trees + 1)))

        return logits
