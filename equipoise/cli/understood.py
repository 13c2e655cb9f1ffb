"""What was understood of a user's own file, shown before anything runs: the labels, and a few rows with theirs.

A file that is read wrongly shows here at once; in the results it shows late, or never.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator

import numpy as np
import scipy

from equipoise.contracts.dataset import Dataset
from equipoise.core.output import echo

#: The terms of data sets that were read from a user's file.
OWN = "the user's own data"
_EXAMPLES, _LABELS, _RAREST, _FEATURES = 3, 12, 3, 6


def show_understood(datasets: Iterable[Dataset]) -> None:
    """Print, on stderr, the labels and example rows of those data sets that are files of the user."""
    width = shutil.get_terminal_size((100, 24)).columns
    for data in datasets:
        if data.terms == OWN:
            for line in understood(data, width):
                echo(line, to_err=True)


def understood(data: Dataset, width: int) -> Iterator[str]:
    """The lines about one data set; those of the examples are at most `width` characters wide."""
    inputs = "texts" if data.kind == "text" else f"rows of {data.X.shape[1]} numbers"
    yield (
        f"{data.name}: {data.n_rows:,} {inputs}, {data.n_labels:,} label{'s' if data.n_labels > 1 else ''}, on average "
        f"{data.Y.sum() / data.n_rows:.2f} a row"
    )
    yield f"labels: {_labels(data)}"
    if data.single_label:
        yield (
            "every row has exactly one label: single-label (multiclass) data, for which a softmax and the most probable label "
            "(argmax) are usual; here each label is decided on its own"
        )
    for row in _examples(data):
        labels = ", ".join(data.labels[i] for i in np.flatnonzero(data.Y[row])) or "(no label)"
        labels = _cut(labels, width // 2 - 6)
        yield f"  {_input(data, row, width - len(labels) - 5)} → {labels}"


def _labels(data: Dataset) -> str:
    """The labels with their numbers of rows, the most frequent first; of a long list also the rarest."""
    counts = data.Y.sum(axis=0, dtype=np.int64)
    order = np.argsort(-counts, kind="stable")
    named = [f"{_cut(data.labels[i], 40)} {counts[i]:,}" for i in order]
    if len(named) <= _LABELS + _RAREST:
        return ", ".join(named)
    between = len(named) - _LABELS - _RAREST
    return f"{', '.join(named[:_LABELS])}, … {between:,} more …, {', '.join(named[-_RAREST:])}"


def _examples(data: Dataset) -> list[int]:
    """The first row with several labels, the first with one and the first with none; otherwise the first rows."""
    number = data.Y.sum(axis=1, dtype=np.int64)
    kinds = (number > 1, number == 1, number == 0)
    first = [int(kind.argmax()) for kind in kinds if kind.any()]
    others = [row for row in range(min(_EXAMPLES, data.n_rows)) if row not in first]
    return sorted([*first, *others[: _EXAMPLES - len(first)]])


def _input(data: Dataset, row: int, width: int) -> str:
    """The input of a row in one line of at most `width` characters: the text, or the first features that are not 0."""
    if data.kind == "text":
        return f'"{_cut(" ".join(str(data.X[row]).split()), width - 2)}"'
    dense = data.X[row].toarray()[0] if scipy.sparse.issparse(data.X) else data.X[row]
    names = data.features or tuple(f"x{i}" for i in range(len(dense)))
    used = (
        np.flatnonzero(dense)[:_FEATURES]
        if scipy.sparse.issparse(data.X)
        else range(min(_FEATURES, len(dense)))
    )
    named = ", ".join(f"{names[i]} {dense[i]:g}" for i in used) + (", …" if len(dense) > _FEATURES else "")
    return _cut(named, width)


def _cut(text: str, width: int) -> str:
    """The text in one line of at most `width` characters; names of labels may hold line breaks."""
    text, width = " ".join(text.split()), max(width, 10)
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"
