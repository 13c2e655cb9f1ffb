"""The common form of all data sets: rows, a 0/1 label matrix and their source; and the base class of data set sources."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from equipoise.contracts.options import checked, options
from equipoise.core.arrays import as_array, numbers
from equipoise.core.errors import EquipoiseError, shown

Features: TypeAlias = "NDArray[Any] | scipy.sparse.csr_matrix"

#: The values of `Dataset.official`, the split that comes with the data.
TRAIN, DEV, TEST = 0, 1, 2
_BLOCK = 1 << 13  # number of rows that are checked at a time


@dataclass(frozen=True)
class TableColumns:
    """The columns of the table that a data set was read from, so that a second table can be read in the same way.

    Attributes:
        inputs: the columns of texts, in the order in which they are joined, or of features.
        label_column: the column that lists the labels of a row by name; None if each label has a column of its own.
        separator: what separates the names there, if the user has said it.
        others: the columns that are not used.
        categories: for each column of words, the words in the order of their codes.
        dates: for each column of dates, how they are written, and the indices of their parts that are features.
    """

    inputs: tuple[str, ...]
    label_column: str | None = None
    separator: str | None = None
    others: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dates: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: n rows of text or numbers, each with L labels.

    X is an (n,) object array of str, an (n, d) float32 array, or an (n, d) float32 CSR matrix; Y is (n, L) uint8. Other numeric
    types are converted on construction. Raises EquipoiseError for data that no later step can use: shapes that do not match,
    labels other than 0/1, repeated label names, NaN features.
    """

    name: str
    X: Features
    Y: NDArray[np.uint8]
    labels: tuple[str, ...]
    source: str = ""  # a URL or a description
    terms: str = ""  # licence or terms of use, as stated at the source
    citation: str = ""
    generated: bool = False  # whether the data are synthetic
    features: tuple[str, ...] = ()  # column names of a numeric X
    nominal: NDArray[np.bool_] | None = None  # (d,): which columns are coded categories
    notes: tuple[str, ...] = ()  # decisions of the loader, shown to the user
    official: NDArray[np.int8] | None = None  # (n,): TRAIN, DEV or TEST, if the source has its own split
    table: TableColumns | None = None  # the columns of the user's own table
    groups: NDArray[np.int64] | None = (
        None  # (n,): rows that must not be separated by a split have equal numbers
    )

    def __post_init__(self) -> None:
        # The dataclass is frozen; only here may converted values replace those that were passed.
        object.__setattr__(self, "X", _checked_rows(self.name, self.X))
        object.__setattr__(self, "Y", _checked_labels(self.name, self.Y, self.X.shape[0]))
        object.__setattr__(self, "labels", _checked_names(self.name, self.labels, self.Y.shape[1]))
        object.__setattr__(self, "features", tuple(self.features))
        object.__setattr__(self, "notes", tuple(self.notes))
        _check_columns(self)

    @property
    def kind(self) -> Literal["text", "numeric"]:
        """Whether the rows are texts or numbers."""
        return "text" if self.X.ndim == 1 else "numeric"

    @property
    def n_rows(self) -> int:
        return int(self.Y.shape[0])

    @property
    def n_labels(self) -> int:
        return int(self.Y.shape[1])

    @cached_property
    def single_label(self) -> bool:
        """Whether every row has exactly one of several labels, as in multiclass data."""
        return self.n_labels > 1 and bool((self.Y.sum(axis=1, dtype=np.int64) == 1).all())

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of X, Y, label names, groups and the user's own split, the same on every platform.

        Nothing else changes what is learned.
        """
        digest = hashlib.sha256(b"equipoise dataset 1\0")  # a version, in case the format changes
        for part in _parts(self):
            digest.update(len(part).to_bytes(8, "little"))  # so that parts cannot run into each other
            digest.update(part)
        return digest.hexdigest()

    def take(self, rows: ArrayLike) -> Dataset:
        """The data set with only these rows (integer positions or an (n,) bool mask), in this order."""
        index = np.asarray(rows)
        official = None if self.official is None else self.official[index]
        groups = None if self.groups is None else self.groups[index]
        return replace(self, X=self.X[index], Y=self.Y[index], official=official, groups=groups)


def _is_sparse(values: object) -> bool:
    """Whether this is a SciPy sparse matrix or array."""
    # A function of our own, because SciPy's narrows the type to one that lacks the methods of sparse formats.
    return bool(scipy.sparse.issparse(values))


def _checked_rows(name: str, X: Any) -> Features:
    """X in one of the three forms, or EquipoiseError; `name` is the data set's, for messages."""
    if not isinstance(X, list | tuple):
        X = as_array(X, f"{name}: X")
    if getattr(getattr(X, "dtype", None), "kind", "f") in "cmM":
        raise EquipoiseError(f"{name}: features must be text or numbers, not {X.dtype}")
    if not _is_sparse(X) and _dimensions(X) == 1:
        return _checked_texts(name, np.asarray(X, dtype=object))
    if _is_sparse(X):
        matrix: scipy.sparse.csr_matrix = scipy.sparse.csr_matrix(X.astype(np.float32), copy=True)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        _check_finite(name, matrix.data, lambda at: int(np.searchsorted(matrix.indptr, at, side="right")))
        return matrix
    try:
        with np.errstate(over="ignore"):  # values beyond float32 become inf and are reported below
            dense = np.ascontiguousarray(X, dtype=np.float32)
    except (TypeError, ValueError) as problem:
        raise EquipoiseError(f"{name}: features must be text or numbers ({problem})") from None
    if dense.ndim != 2 or dense.shape[1] == 0:
        raise EquipoiseError(f"{name}: numeric features must have shape (rows, columns), not {dense.shape}")
    _check_finite(name, dense.ravel(), lambda at: at // dense.shape[1] + 1)
    return dense


def _dimensions(X: Any) -> int:
    """The number of dimensions of X."""
    # Lists are read as objects: NumPy would turn a list of strings and numbers into strings, and hide a mistake.
    return X.ndim if isinstance(X, np.ndarray) else np.asarray(X, dtype=object).ndim


def _checked_texts(name: str, texts: NDArray[Any]) -> NDArray[Any]:
    for row, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            actual = f"{type(text).__name__} {text!r:.40}"
            raise EquipoiseError(f"{name}: row {row} should be text, but is {actual}")
    return texts


def _check_finite(name: str, values: NDArray[Any], row_of: Callable[[int], int]) -> None:
    """Raise EquipoiseError if a value is not finite; `row_of` gives the row (from 1) of a position in `values`."""
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise EquipoiseError(
            f"{name}: {len(bad)} feature values are NaN, infinite or beyond float32, the first in row "
            f"{row_of(int(bad[0]))}; fill or drop them"
        )


def _checked_labels(name: str, labels: Any, rows: int) -> NDArray[np.uint8]:
    Y = as_array(labels, f"{name}: Y")
    if _is_sparse(Y):
        Y = Y.toarray()
    if Y.dtype.kind not in "biuf":
        Y = numbers(Y, f"{name}: labels")
    if Y.ndim != 2 or Y.shape[1] == 0:
        raise EquipoiseError(f"{name}: Y must have shape (rows, labels), labels at least 1, not {Y.shape}")
    if Y.shape[0] != rows:
        raise EquipoiseError(f"{name}: {rows} rows of features but {Y.shape[0]} rows of labels")
    if rows < 2:
        raise EquipoiseError(f"{name}: {rows} row(s); at least 2 are needed")
    for block in _blocks(Y):
        valid = block == 0
        valid |= block == 1
        if not valid.all():
            raise EquipoiseError(f"{name}: labels must be 0 or 1, found {block[~valid][0]}")
    return np.ascontiguousarray(Y, dtype=np.uint8)


def _blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows in blocks of a few thousand."""
    # Masks over all rows at once would take as much memory as the rows themselves.
    return (rows[begin : begin + _BLOCK] for begin in range(0, len(rows), _BLOCK))


def _checked_names(name: str, labels: Any, columns: int) -> tuple[str, ...]:
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise EquipoiseError(f"{name}: label names must be a list of names, not {shown(labels)}")
    names = tuple(str(label) for label in labels)
    if len(names) != columns:
        raise EquipoiseError(f"{name}: {len(names)} label names for {columns} label columns")
    if repeated := sorted(label for label, times in Counter(names).items() if times > 1):
        raise EquipoiseError(f"{name}: label names must differ; repeated: {', '.join(repeated)}")
    return names


def _check_columns(data: Dataset) -> None:
    """Raise EquipoiseError if `features`, `nominal`, `official` or `groups` do not match X."""
    columns = 0 if data.kind == "text" else data.X.shape[1]
    if data.features and len(data.features) != columns:
        raise EquipoiseError(f"{data.name}: {len(data.features)} feature names for {columns} feature columns")
    if data.official is not None:
        part = np.asarray(data.official)
        if part.shape != (data.n_rows,) or not np.isin(part, (TRAIN, DEV, TEST)).all():
            raise EquipoiseError(
                f"{data.name}: `official` must hold {TRAIN}, {DEV} or {TEST} for each of {data.n_rows} rows"
            )
        object.__setattr__(data, "official", part.astype(np.int8))
    if data.groups is not None:
        groups = np.asarray(data.groups)
        if groups.shape != (data.n_rows,):
            raise EquipoiseError(
                f"{data.name}: `groups` must hold a value for each of {data.n_rows} rows, not {groups.shape}"
            )
        object.__setattr__(data, "groups", _group_numbers(groups))
    if data.nominal is not None and data.nominal.shape != (columns,):
        raise EquipoiseError(f"{data.name}: `nominal` must have shape ({columns},), not {data.nominal.shape}")


def _group_numbers(groups: NDArray[Any]) -> NDArray[np.int64]:
    """The groups, numbered in the order of their first rows, so that names of groups do not matter."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups.tolist()], dtype=np.int64)


def _parts(data: Dataset) -> Iterator[bytes | memoryview]:
    """The bytes that are hashed, independent of the platform: fixed widths, little-endian, CSR in canonical order."""
    yield str(data.Y.shape).encode()
    yield data.Y.data.cast("B")  # a view, so that Y is not copied
    yield from (label.encode() for label in data.labels)
    yield from input_parts(data.X)
    if data.groups is not None:
        yield b"groups"
        yield data.groups.astype("<i8").tobytes()
    # The split of a built-in data set is a property of its name; that of a user's table is part of its content.
    if data.table is not None and data.official is not None:
        yield b"official"
        yield data.official.tobytes()


def input_parts(X: Features) -> Iterator[bytes]:
    """The bytes of X, in one of the forms of `Dataset`, that a hash of a data set covers."""
    if isinstance(X, np.ndarray) and X.ndim == 1:
        # Texts from the wild may contain lone surrogates, which plain UTF-8 rejects.
        yield from (text.encode("utf-8", "surrogatepass") for text in X)
    elif isinstance(X, np.ndarray):
        yield f"dense {X.shape}".encode()
        # Adding 0 turns −0.0 into 0.0: equal numbers, equal bytes.
        yield (X + 0.0).astype("<f4").tobytes()
    else:
        yield f"sparse {X.shape}".encode()
        yield X.indptr.astype("<i8").tobytes()
        yield X.indices.astype("<i8").tobytes()
        yield X.data.astype("<f4").tobytes()


@dataclass(frozen=True)
class DatasetSource(ABC):
    """A source of a data set: reads, downloads or generates it.

    Fields that a subclass adds are its options, as in `name[rows=500,seed=1]`.

    Attributes:
        name: how it is called in a suite and on the command line; of a file, its path.
        summary: what it is, in one line.
    """

    name: str = field(metadata={"internal": True})
    summary: str = field(default="", metadata={"internal": True})

    @abstractmethod
    def load(self, data_dir: Path) -> Dataset:
        """Read the data set, download it into `data_dir/<dataset>/`, or generate it."""

    def options(self) -> dict[str, Any]:
        """The options by name, with their current values."""
        return {f.name: getattr(self, f.name) for f in options(self)}

    def with_options(self, **values: Any) -> Self:
        """A copy with these options, each a value or the text of one.

        Raises:
            EquipoiseError: it has no such option, or the value is of another type.
        """
        return replace(self, **checked("dataset", self.name, self, values))
