"""Finds the rows that belong together: rows with equal inputs, and those that the data set itself puts in one group.

Rows with equal inputs tell a model the same, so one of them in training gives away what another is held out for. So splits deal
groups of rows, not rows.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from equipoise.core.arrays import Ints, is_sparse
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from scipy import sparse
    from scipy.sparse import csgraph

    from equipoise.contracts.dataset import Dataset
else:
    sparse = lazy("scipy.sparse")
    csgraph = lazy("scipy.sparse.csgraph")

_NOT_A_WORD = re.compile(r"[\W_]+")
#: Rows of a dense array that are copied at a time.
_BLOCK = 4096


def exact_groups(X: Any) -> Ints:
    """A group number per row, (n,), from 0 without gaps: rows with equal inputs have the same number; see `row_keys`."""
    numbers: dict[Hashable, int] = {}
    return np.fromiter((numbers.setdefault(key, len(numbers)) for key in row_keys(X)), dtype=np.int64)


def row_keys(X: Any) -> Iterator[Hashable]:
    """A hashable value for each row of X, in one of the forms of `Dataset`; equal rows have equal values.

    Texts are compared without case, punctuation and spacing. The values are hashes of 128 bits, since rows themselves would take
    the memory of X once more.
    """
    return (hashlib.blake2b(content, digest_size=16).digest() for content in _contents(X))


def _contents(X: Any) -> Iterator[bytes]:
    """The bytes of each row, equal for equal rows."""
    if isinstance(X, np.ndarray) and X.ndim == 1:
        # Texts from the wild may contain lone surrogates, which plain UTF-8 rejects.
        yield from (plain(text).encode("utf-8", "surrogatepass") for text in X)
    elif is_sparse(X):
        for begin, end in itertools.pairwise(X.indptr):
            # SciPy chooses the integer type by the size of a matrix; rows of two matrices must be comparable.
            yield X.indices[begin:end].astype(np.int64).tobytes() + X.data[begin:end].tobytes()
    else:
        for start in range(0, len(X), _BLOCK):
            # −0.0 becomes 0.0.
            yield from (row.tobytes() for row in X[start : start + _BLOCK] + np.float32(0.0))


def plain(text: str) -> str:
    """A text in lower case, with a single space in place of everything between its words."""
    return _NOT_A_WORD.sub(" ", text.casefold()).strip()


#: Data set → its groups by equal inputs; computed once, since every split and every process of a sweep asks for them.
_KNOWN: WeakKeyDictionary[Dataset, Ints] = WeakKeyDictionary()


def groups_of(data: Dataset, equal_inputs: bool = True) -> Ints | None:
    """(n,) the group of each row of a data set; None if every row is by itself.

    Rows are in one group if the data set says so (`Dataset.groups`) or, with `equal_inputs`, if their inputs are equal.
    """
    equal = None
    if equal_inputs:
        if data not in _KNOWN:
            _KNOWN[data] = exact_groups(data.X)
        equal = _KNOWN[data]
    parts = [part for part in (data.groups, equal) if part is not None]
    groups = _joined(*parts) if len(parts) == 2 else parts[0] if parts else None
    return None if groups is None or len(np.unique(groups)) == data.n_rows else groups


def _joined(one: Ints, other: Ints) -> Ints:
    """The finest groups that keep the rows of both groupings together."""
    # Rows as edges between the groups of the one and those of the other: what is connected belongs together.
    (_, a), (_, b) = (np.unique(groups, return_inverse=True) for groups in (one, other))
    size = int(a.max()) + int(b.max()) + 2
    edges = sparse.coo_matrix((np.ones(len(a), dtype=np.int8), (a, int(a.max()) + 1 + b)), shape=(size, size))
    joined: Ints = csgraph.connected_components(edges, directed=False)[1][a].astype(np.int64)
    return joined


def dealt(groups: Ints, k: int) -> NDArray[np.bool_] | None:
    """(n,) the rows that are dealt to k folds: all but those of groups of more than n / k rows; None if under k groups are."""
    _, of_row, size = np.unique(groups, return_inverse=True, return_counts=True)
    fits = size * k <= len(groups)
    return None if fits.sum() < k else fits[of_row]


def twins(groups: Ints | None, train: Ints, test: Ints) -> float:
    """The share of test rows (positions) with a row of the same group among the training rows."""
    if groups is None:
        return 0.0
    return float(np.isin(groups[test], groups[train]).mean())


def grouping_note(data: Dataset, groups: Ints | None, folds: int) -> str:
    """A sentence for the user on what groups of rows do to the numbered splits of a data set; "" if every row is by itself."""
    if groups is None:
        return ""
    sizes = np.bincount(np.unique(groups, return_inverse=True)[1])
    what = "rows of one group" if data.groups is not None else "rows with equal inputs"
    rows = dealt(groups, folds)
    if rows is None:
        return (
            f"{what} are on both sides of the splits, because there are too few groups that fit into a fold "
            f"({len(sizes)} groups, {folds} folds)"
        )
    kept = f"{what} stay on one side of every split ({data.n_rows} rows, {len(sizes)} groups)"
    if rows.all():
        return kept
    left_out = sizes[sizes * folds > data.n_rows]
    plural = "groups are" if len(left_out) > 1 else "group is"
    return (
        f"{kept}; {len(left_out)} {plural} too large for a test fold and only trained on, so that each split tests on "
        f"about {int(rows.sum()) // folds} rows instead of {data.n_rows // folds}"
    )
