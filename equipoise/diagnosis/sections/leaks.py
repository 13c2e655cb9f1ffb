"""Finds signs of leakage: inputs that (nearly) equal a label, rows sorted by a label, and constant columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import rankdata

from equipoise.contracts.dataset import Dataset
from equipoise.core.arrays import Floats, Ints, ratio
from equipoise.diagnosis.sections.inputs import is_sparse, matrix_of

LEAST_ROWS = 10  # with fewer rows with or without the label, a feature can fit it by chance
# Of |phi| between "the value is not 0" and the label, or of |2 AUC − 1| of the values.
SAME, NEARLY = 0.9999, 0.95
SORTED = 0.9  # of |2 AUC − 1| of the row number
SHOWN = 20
_MOST_RANKED = 2000  # up to this many dense columns are ranked, which is slow
_MOST_ROWS = 20_000  # of more rows, every k-th is used, so that about this many remain


def leaks_section(data: Dataset) -> dict[str, Any]:
    """The signs of leakage as plain data, strongest first: features that reveal a label, labels sorted by row."""
    thin = slice(None, None, max(1, data.n_rows // _MOST_ROWS))
    X, names = matrix_of(data if thin.step == 1 else data.take(np.arange(data.n_rows)[thin]))
    Y = data.Y[thin]
    positives = Y.sum(axis=0, dtype=np.int64)
    tested = np.flatnonzero(np.minimum(positives, len(Y) - positives) >= LEAST_ROWS)
    strength = _strength(X, Y[:, tested].astype(np.float32))
    order = _by_rank(np.arange(len(Y), dtype=np.float64)[:, None], Y[:, tested].astype(np.float32))[0]
    return {
        "features": _hints(strength, names, [data.labels[j] for j in tested]),
        "sorted_by": [data.labels[tested[j]] for j in np.flatnonzero(np.abs(order) >= SORTED)],
        "labels_tested": len(tested),
    }


def _strength(X: Any, Y: Floats) -> Floats:
    """How well each column alone predicts each label, (d, L) in −1..1: by being nonzero or, if dense, by its order."""
    present = _phi(X, Y)
    if is_sparse(X) or X.shape[1] > _MOST_RANKED:
        return present
    ranked = _by_rank(X, Y)
    return np.where(np.abs(ranked) > np.abs(present), ranked, present)


def _phi(X: Any, Y: Floats) -> Floats:
    """The correlation of "the value is not 0" with each label, (d, L); 0 where one of the two is constant."""
    on = sparse.csr_matrix(X != 0, dtype=np.float32) if is_sparse(X) else (X != 0).astype(np.float32)
    rows = float(len(Y))
    # Phi from counts: a and b are the margins, `both` is the joint count.
    a, b = np.asarray(on.sum(axis=0), dtype=np.float64).ravel(), Y.sum(axis=0, dtype=np.float64)
    both = np.asarray(on.T @ Y, dtype=np.float64)
    spread = np.sqrt(np.outer(a * (rows - a), b * (rows - b)))
    return np.nan_to_num(ratio(rows * both - np.outer(a, b), spread))


def _by_rank(X: Any, Y: Floats) -> Floats:
    """2 AUC − 1 of each dense column as a score for each label, (d, L); ties count half.

    The AUC follows from the rank sum of the positives (Mann & Whitney 1947, DOI 10.1214/aoms/1177730491).
    """
    ranks = rankdata(X, axis=0).astype(np.float64)
    positives = Y.sum(axis=0, dtype=np.float64)
    sums = ranks.T @ Y.astype(np.float64)
    auc = ratio(sums - positives * (positives + 1) / 2, positives * (len(Y) - positives))
    return np.nan_to_num(2 * auc - 1)


def _hints(strength: Floats, names: list[str], labels: list[str]) -> list[dict[str, Any]]:
    """The strongest pairs of a column and a label, from strengths (d, L)."""
    columns, js = np.nonzero(np.abs(strength) >= NEARLY)
    order = np.argsort(-np.abs(strength[columns, js]), kind="stable")[:SHOWN]
    return [
        {
            "feature": names[columns[i]],
            "label": labels[js[i]],
            "strength": float(strength[columns[i], js[i]]),
            "same": bool(abs(strength[columns[i], js[i]]) >= SAME),
        }
        for i in order
    ]


def constant_columns(data: Dataset) -> list[str]:
    """The names of numeric columns with a single value; for text an empty list."""
    if data.kind == "text":
        return []
    X: Any = data.X
    low, high = (
        np.asarray(v.toarray() if is_sparse(v) else v).ravel() for v in (X.min(axis=0), X.max(axis=0))
    )
    names = data.features or tuple(f"column {i + 1}" for i in range(X.shape[1]))
    return [names[i] for i in np.flatnonzero(low == high)]


def lengths(data: Dataset) -> dict[str, float] | None:
    """Quartiles, 95th percentile and extremes of the number of words per text; None for numeric data."""
    if data.kind != "text":
        return None
    counts: Ints = np.array([len(str(text).split()) for text in np.asarray(data.X)])
    marks = {"least": 0, "quarter": 25, "median": 50, "three_quarters": 75, "p95": 95, "most": 100}
    return {name: float(np.percentile(counts, percent)) for name, percent in marks.items()}
