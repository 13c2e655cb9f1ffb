"""Checks of what a data set holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from equipoise.contracts.dataset import TEST, Dataset, input_parts
from equipoise.testing.datasets.exam import DatasetExam

#: The share of test rows that may equal a training row, inputs and labels; short texts recur by chance.
_RECURRING = 0.2
#: Names that a message lists.
_MOST = 3


def check_contents(exam: DatasetExam, data: Dataset) -> None:
    """Check names, labels, columns, texts and the official split of a loaded data set."""
    exam.demand(
        data.name == exam.source.name,
        "named",
        f"the data set is called {data.name!r}, its source {exam.source.name!r}",
    )
    for attribute in ("source", "terms"):
        exam.demand(str(getattr(data, attribute)).strip(), "named", f"Dataset.{attribute} is empty")
    _check_labels(exam, data)
    _check_columns(exam, data)
    if data.kind == "text":
        empty = [row for row, text in enumerate(data.X) if not text.strip()]
        words = f"{len(empty)} texts are empty, the first in row {empty[0] + 1}" if empty else ""
        exam.demand(not empty or "empty" in " ".join(data.notes), "texts", words)
    else:
        _check_leaks(exam, data)
    if data.official is not None:
        _check_official(exam, data)


def _check_labels(exam: DatasetExam, data: Dataset) -> None:
    odd = [label for label in data.labels if not label or label != label.strip() or "\n" in label]
    exam.demand(not odd, "labels", f"label names with blanks around them, or none: {_listed(odd)}")
    counts = data.Y.sum(0, dtype=np.int64)
    notes = " ".join(data.notes)
    for value, words in ((0, "no row has"), (data.n_rows, "every row has")):
        constant = [name for name, n in zip(data.labels, counts.tolist(), strict=True) if n == value]
        # A loader that says so in a note has decided to keep the label.
        untold = [name for name in constant if name not in notes]
        exam.demand(not untold, "labels", f"{words} the label {_listed(untold)}, and no note says so")


def _check_columns(exam: DatasetExam, data: Dataset) -> None:
    repeated = (
        sorted({name for name in data.features if data.features.count(name) > 1})
        if len(data.features) < 5000
        else []
    )
    exam.demand(not repeated, "columns", f"feature names that come twice: {_listed(repeated)}")
    if data.nominal is not None and data.kind == "numeric" and not sp.issparse(data.X):
        coded = np.asarray(data.X)[:, data.nominal]
        fractions = np.flatnonzero((coded != np.round(coded)).any(0))
        exam.demand(
            not len(fractions), "columns", f"{len(fractions)} columns are nominal, but hold fractions"
        )


def _check_leaks(exam: DatasetExam, data: Dataset) -> None:
    """Check that no column is a label, and none the number of the row."""
    X: Any = data.X
    counted = sp.csc_matrix(X != 0, dtype=np.float32)
    Y = data.Y.astype(np.float32)
    both = np.asarray(counted.T @ Y)  # (d, L), the rows in which both are there
    filled, positive = np.asarray(counted.sum(0)).ravel(), Y.sum(0)
    copies = (both == filled[:, None]) & (both == positive) & (positive > 0) & (positive < len(Y))
    # Binary columns only: quantities may be zero exactly where a label is absent.
    copies &= _is_binary(X)[:, None]
    columns = np.flatnonzero(copies.any(1))
    named = [data.features[c] if data.features else f"number {c}" for c in columns[:_MOST]]
    words = f"{len(columns)} columns equal a label: {_listed(named)}"
    # A few columns may do so by chance, or by nature; not one for each label.
    few = len(np.flatnonzero(copies.any(0))) * 2 < data.n_labels
    exam.demand(few or "equal a label" in " ".join(data.notes), "leak", words)
    if not sp.issparse(X):
        steps = np.diff(np.asarray(X), axis=0)
        numbering = np.flatnonzero((steps == steps[:1]).all(0) & (steps[0] != 0))
        exam.demand(not len(numbering), "leak", f"column {_listed(numbering[:_MOST])} counts the rows")


def _is_binary(X: Any) -> np.ndarray:
    """(d,) whether a column holds 0 and 1 only."""
    rows: Any = X  # SciPy's check would narrow the type to one without these attributes
    if sp.issparse(X):
        other = sp.csr_matrix((rows.data != 1, rows.indices, rows.indptr), shape=rows.shape)
        return np.asarray(other.sum(0)).ravel() == 0
    binary: np.ndarray = ((X == 0) | (X == 1)).all(0)
    return binary


def _check_official(exam: DatasetExam, data: Dataset) -> None:
    assert data.official is not None
    test = data.official == TEST
    if not exam.demand(
        test.any() and not test.all(), "official", "there are no training rows, or no test rows"
    ):
        return
    for part, rows in (("training", ~test), ("test", test)):
        present = int(data.Y[rows].any(0).sum())
        exam.demand(
            present * 2 >= data.n_labels,
            "official",
            f"the {part} rows of the official split have {present} of {data.n_labels} labels",
        )
    seen = set(_row_keys(data, ~test))
    again = sum(key in seen for key in _row_keys(data, test)) / int(test.sum())
    exam.demand(again <= _RECURRING, "official", f"{again:.0%} of the test rows are training rows, too")


def _row_keys(data: Dataset, rows: np.ndarray) -> Iterator[tuple[bytes, bytes]]:
    """A key for each of these rows, of its inputs and labels."""
    for row in np.flatnonzero(rows).tolist():
        inputs = data.X[row : row + 1]
        yield b"\0".join(input_parts(inputs)), data.Y[row].tobytes()


def _listed(names: Any) -> str:
    shown = ", ".join(map(str, list(names)[:_MOST]))
    return shown + (", …" if len(names) > _MOST else "")
