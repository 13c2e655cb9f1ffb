"""A dataset's inputs as one matrix for scikit-learn, without looking at a label: for diagnosis, not for training."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from equipoise.contracts.dataset import Dataset

MOST_COLUMNS = 400  # dense columns beyond this are turned to this many principal components
MOSTLY_EMPTY = 0.2  # share of values other than 0 below which dense columns are handled as sparse ones
_WORDS = 20_000


def is_sparse(values: object) -> bool:
    """scipy's test without its type narrowing, which hides the methods every sparse format has."""
    return bool(sparse.issparse(values))


def matrix_of(data: Dataset) -> tuple[Any, list[str]]:
    """(n, d) counts of words, or numbers with categories as 0/1 columns, and the name of each column."""
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
    """Categories of more than two values become a 0/1 column each."""
    columns, titles = [], []
    for at, name in enumerate(names):
        values = np.unique(X[:, at]).tolist() if nominal[at] else []
        if len(values) <= 2:
            columns.append(X[:, at])
            titles.append(name)
        else:
            columns += [(X[:, at] == value).astype(np.float32) for value in values]
            titles += [f"{name} = {value:g}" for value in values]
    return np.column_stack(columns).astype(np.float32), titles


class Scaler:
    """Word counts to TF-IDF, sparse numbers to at most 1, dense ones to mean 0 and variance 1; fitted on `train`.

    `kind` is "text", "numeric" or "components" (of `compressed`, left as they are).
    """

    def __init__(self, kind: str, X: Any, train: Any) -> None:
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

        known = {"text": TfidfTransformer(sublinear_tf=True), "components": FunctionTransformer()}
        self._scaler = known.get(kind, MaxAbsScaler() if is_sparse(X) else StandardScaler()).fit(X[train])

    def __call__(self, X: Any) -> Any:
        return self._scaler.transform(X)


def compressed(X: Any, seed: int) -> tuple[Any, str]:
    """A form of X in which a linear model is affordable, labels unseen, and what was done in words.

    Columns that never change go; mostly empty matrices become sparse; of many dense columns the principal components
    are kept, whose sizes differ for a reason: `Scaler` must leave them alone (kind "components").
    """
    if is_sparse(X):
        return X, ""
    X = X[:, X.min(axis=0) < X.max(axis=0)] if (X[:1] != X).any() else X[:, :1]
    if np.count_nonzero(X) < MOSTLY_EMPTY * X.size:
        return sparse.csr_matrix(X), ""
    if X.shape[1] <= MOST_COLUMNS:
        return X, ""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    size = min(MOST_COLUMNS, len(X) - 1)
    found = PCA(size, svd_solver="randomized", random_state=seed)
    parts = found.fit_transform(StandardScaler().fit_transform(X))
    return parts, f"{X.shape[1]} columns as {size} principal components"
