"""Finds rows with equal inputs. Such rows tell a model the same, so one of them gives away what another is held out for."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from equipoise.core.arrays import Ints, is_sparse

_NOT_A_WORD = re.compile(r"[\W_]+")


def exact_groups(X: Any) -> Ints:
    """A group number per row, (n,), from 0 without gaps: rows with equal inputs have the same number; see `row_keys`."""
    numbers: dict[Hashable, int] = {}
    return np.fromiter((numbers.setdefault(key, len(numbers)) for key in row_keys(X)), dtype=np.int64)


def row_keys(X: Any) -> Iterator[Hashable]:
    """A hashable value for each row of X, in one of the forms of `Dataset`; equal rows have equal values.

    Texts are compared without case, punctuation and spacing.
    """
    if isinstance(X, np.ndarray) and X.ndim == 1:
        return (plain(text) for text in X)
    if is_sparse(X):
        ends = zip(X.indptr[:-1], X.indptr[1:], strict=True)
        # SciPy chooses the integer type by the size of a matrix; rows of two matrices must be comparable.
        indices = X.indices.astype(np.int64)
        return ((indices[a:b].tobytes(), X.data[a:b].tobytes()) for a, b in ends)
    return (row.tobytes() for row in X + np.float32(0.0))  # −0.0 becomes 0.0


def plain(text: str) -> str:
    """A text in lower case, with a single space in place of everything between its words."""
    return _NOT_A_WORD.sub(" ", text.casefold()).strip()
