"""Turns a data set's inputs into one matrix for scikit-learn without using labels; for diagnosis, not for training."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from equipoise.contracts.dataset import Dataset

MOST_COLUMNS = 400  # more dense columns than this are reduced to this many principal components
MOSTLY_EMPTY = 0.2  # dense columns with a smaller share of nonzero values are handled as sparse ones
_WORDS = 20_000  # the most frequent words that are counted


def is_sparse(values: object) -> bool:
    """`scipy.sparse.issparse` without its type narrowing, which hides methods that every sparse format has."""
    return bool(sparse.issparse(values))


def matrix_of(data: Dataset) -> tuple[Any, list[str]]:
    """The inputs as a matrix (n, d) and the name of each column: word counts, or numbers with one-hot categories."""
    if data.kind == "text":
        return _word_counts(data)
    names = list(data.features) or [f"column {i + 1}" for i in range(data.X.shape[1])]
    if data.nominal is None or is_sparse(data.X):
        return data.X, names
    return _coded(data.X, data.nominal, names)


def _word_counts(data: Dataset) -> tuple[Any, list[str]]:
    from sklearn.feature_extraction.text import CountVectorizer

    for least in (2, 1):
        words = CountVectorizer(min_df=least, max_features=_WORDS, dtype=np.float32)
        try:
            counts = words.fit_transform(data.X)
        except ValueError:  # no word in two rows, or no word at all
            continue
        return sparse.csr_matrix(counts), [str(word) for word in words.get_feature_names_out()]
    return sparse.csr_matrix(np.zeros((data.n_rows, 1), dtype=np.float32)), ["(no words)"]


def _coded(X: Any, nominal: Any, names: list[str]) -> tuple[Any, list[str]]:
    """One-hot encode the nominal columns of more than two values; those of two values already are one 0/1 column."""
    columns, titles = [], []
    for index, name in enumerate(names):
        values = np.unique(X[:, index]).tolist() if nominal[index] else []
        if len(values) <= 2:
            columns.append(X[:, index])
            titles.append(name)
        else:
            columns += [(X[:, index] == value).astype(np.float32) for value in values]
            titles += [f"{name} = {value:g}" for value in values]
    return np.column_stack(columns).astype(np.float32), titles


class Scaler:
    """A scaler for the inputs that is fitted on the rows `train` only.

    It turns word counts into TF-IDF, divides sparse columns by their largest absolute value, and standardises dense ones
    to mean 0 and variance 1. `kind` is "text", "numeric" or "components" (from `compressed`; these are not scaled).
    """

    def __init__(self, kind: str, X: Any, train: Any) -> None:
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

        known = {"text": TfidfTransformer(sublinear_tf=True), "components": FunctionTransformer()}
        self._scaler = known.get(kind, MaxAbsScaler() if is_sparse(X) else StandardScaler()).fit(X[train])

    def __call__(self, X: Any) -> Any:
        return self._scaler.transform(X)


def compressed(X: Any, seed: int) -> tuple[Any, str]:
    """A form of X on which a linear model is affordable, and what was done, in words ("" for nothing worth a note).

    Constant columns are dropped, and mostly empty matrices become sparse. Many dense columns are replaced by their
    principal components. The variances of these carry information, so `Scaler` must not change them (kind "components").
    """
    if is_sparse(X):
        return X, ""
    # If every column is constant, one is kept, because scikit-learn refuses a matrix without columns.
    X = X[:, X.min(axis=0) < X.max(axis=0)] if (X[:1] != X).any() else X[:, :1]
    if np.count_nonzero(X) < MOSTLY_EMPTY * X.size:
        return sparse.csr_matrix(X), ""
    if X.shape[1] <= MOST_COLUMNS:
        return X, ""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    size = min(MOST_COLUMNS, len(X) - 1)
    pca = PCA(size, svd_solver="randomized", random_state=seed)
    parts = pca.fit_transform(StandardScaler().fit_transform(X))
    return parts, f"{X.shape[1]} columns as {size} principal components"
