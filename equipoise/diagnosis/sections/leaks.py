"""Leakage hints: an input that is the label, or nearly; rows sorted by a label; columns that never change."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import rankdata

from equipoise.contracts.dataset import Dataset
from equipoise.core.arrays import Floats, Ints, ratio
from equipoise.diagnosis.sections.inputs import is_sparse, matrix_of

LEAST_ROWS = 10  # rows with and without the label, below which a perfect feature is mere luck
SAME, NEARLY = 0.9999, 0.95  # |phi| of "the column is on", or |2 AUC − 1| of its values
SORTED = 0.9  # |2 AUC − 1| of the row number
SHOWN = 20
_MOST_RANKED = 2000  # dense columns whose order is looked at, too
_MOST_ROWS = 20_000  # rows are thinned evenly to about this many


def leaks_section(data: Dataset) -> dict[str, Any]:
    """Hints as plain data, the strongest first: features that tell a label, labels the row order tells."""
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
    """(d, L) −1..1: how well a column alone tells a label, by its being on or, dense, by its order."""
    present = _phi(X, Y)
    if is_sparse(X) or X.shape[1] > _MOST_RANKED:
        return present
    ranked = _by_rank(X, Y)
    return np.where(np.abs(ranked) > np.abs(present), ranked, present)


def _phi(X: Any, Y: Floats) -> Floats:
    """Correlation of "the column is not 0" with each label; 0 where one of them is constant."""
    on = sparse.csr_matrix(X != 0, dtype=np.float32) if is_sparse(X) else (X != 0).astype(np.float32)
    rows = float(len(Y))
    a, b = np.asarray(on.sum(axis=0), dtype=np.float64).ravel(), Y.sum(axis=0, dtype=np.float64)
    both = np.asarray(on.T @ Y, dtype=np.float64)
    spread = np.sqrt(np.outer(a * (rows - a), b * (rows - b)))
    return np.nan_to_num(ratio(rows * both - np.outer(a, b), spread))


def _by_rank(X: Any, Y: Floats) -> Floats:
    """2 AUC − 1 of each dense column as a score for each label, (d, L); ties count half."""
    ranks = rankdata(X, axis=0).astype(np.float64)
    positives = Y.sum(axis=0, dtype=np.float64)
    sums = ranks.T @ Y.astype(np.float64)
    auc = ratio(sums - positives * (positives + 1) / 2, positives * (len(Y) - positives))
    return np.nan_to_num(2 * auc - 1)


def _hints(strength: Floats, names: list[str], labels: list[str]) -> list[dict[str, Any]]:
    columns, at = np.nonzero(np.abs(strength) >= NEARLY)
    order = np.argsort(-np.abs(strength[columns, at]), kind="stable")[:SHOWN]
    return [
        {
            "feature": names[columns[i]],
            "label": labels[at[i]],
            "strength": float(strength[columns[i], at[i]]),
            "same": bool(abs(strength[columns[i], at[i]]) >= SAME),
        }
        for i in order
    ]


def constant_columns(data: Dataset) -> list[str]:
    """Names of numeric columns with one value only; a text has none."""
    if data.kind == "text":
        return []
    X: Any = data.X
    low, high = (
        np.asarray(v.toarray() if is_sparse(v) else v).ravel() for v in (X.min(axis=0), X.max(axis=0))
    )
    names = data.features or tuple(f"column {i + 1}" for i in range(X.shape[1]))
    return [names[i] for i in np.flatnonzero(low == high)]


def lengths(data: Dataset) -> dict[str, float] | None:
    """Words per text: quartiles and extremes; None for numbers."""
    if data.kind != "text":
        return None
    counts: Ints = np.array([len(str(text).split()) for text in np.asarray(data.X)])
    marks = {"least": 0, "quarter": 25, "median": 50, "three_quarters": 75, "p95": 95, "most": 100}
    return {name: float(np.percentile(counts, at)) for name, at in marks.items()}
