"""One form for every dataset: rows, a 0/1 label matrix, and where both come from."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from equipoise.contracts.options import checked, options
from equipoise.core.errors import EquipoiseError

Features: TypeAlias = "NDArray[Any] | scipy.sparse.csr_matrix"

#: The parts of a split that comes with the data (`Dataset.official`).
TRAIN, DEV, TEST = 0, 1, 2
_BLOCK = 1 << 13  # rows


@dataclass(frozen=True, eq=False)
class Dataset:
    """n rows of text or numbers with L labels each.

    X is an (n,) object array of str, an (n, d) float32 array, or an (n, d) float32 csr matrix; Y is (n, L)
    uint8. Other numeric types are converted on construction. Raises EquipoiseError, in one line, on what no
    later step could work with: shapes that differ, values other than 0/1, repeated label names, NaN features.
    """

    name: str
    X: Features
    Y: NDArray[np.uint8]
    labels: tuple[str, ...]
    source: str = ""  # a URL, or words
    terms: str = ""  # licence or terms, as stated at the source
    citation: str = ""
    generated: bool = False
    features: tuple[str, ...] = ()  # column names of a numeric X
    nominal: NDArray[np.bool_] | None = None  # (d,): coded categories, not quantities
    notes: tuple[str, ...] = ()  # what the loader decided, shown to the user
    official: NDArray[np.int8] | None = None  # (n,): TRAIN, DEV or TEST in the split the source comes with

    def __post_init__(self) -> None:
        object.__setattr__(self, "X", _checked_rows(self.name, self.X))
        object.__setattr__(self, "Y", _checked_labels(self.name, self.Y, self.X.shape[0]))
        object.__setattr__(self, "labels", _checked_names(self.name, self.labels, self.Y.shape[1]))
        object.__setattr__(self, "features", tuple(self.features))
        object.__setattr__(self, "notes", tuple(self.notes))
        _check_columns(self)

    @property
    def kind(self) -> Literal["text", "numeric"]:
        return "text" if self.X.ndim == 1 else "numeric"

    @property
    def n_rows(self) -> int:
        return int(self.Y.shape[0])

    @property
    def n_labels(self) -> int:
        return int(self.Y.shape[1])

    @cached_property
    def sha256(self) -> str:
        """Hash of what a learner sees (X, Y and the label names), the same on every platform."""
        digest = hashlib.sha256(b"equipoise dataset 1\0")
        for part in _parts(self):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.hexdigest()

    def take(self, rows: ArrayLike) -> Dataset:
        """The dataset of these rows (integer positions or an (n,) bool mask), in this order."""
        index = np.asarray(rows)
        official = None if self.official is None else self.official[index]
        return replace(self, X=self.X[index], Y=self.Y[index], official=official)


def _is_sparse(values: object) -> bool:
    """scipy's test without its type narrowing, which hides the methods every sparse format has."""
    return bool(scipy.sparse.issparse(values))


def _checked_rows(name: str, X: Any) -> Features:
    if not _is_sparse(X) and _dimensions(X) == 1:
        return _checked_texts(name, np.asarray(X, dtype=object))
    if _is_sparse(X):
        matrix: scipy.sparse.csr_matrix = scipy.sparse.csr_matrix(X.astype(np.float32), copy=True)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        _check_finite(name, matrix.data, lambda at: int(np.searchsorted(matrix.indptr, at, side="right")))
        return matrix
    try:
        with np.errstate(over="ignore"):  # what overflows becomes inf and is reported below
            dense = np.ascontiguousarray(X, dtype=np.float32)
    except (TypeError, ValueError) as problem:
        raise EquipoiseError(f"{name}: features must be text or numbers ({problem})") from None
    if dense.ndim != 2 or dense.shape[1] == 0:
        raise EquipoiseError(f"{name}: numeric features must have shape (rows, columns), not {dense.shape}")
    _check_finite(name, dense.ravel(), lambda at: at // dense.shape[1] + 1)
    return dense


def _dimensions(X: Any) -> int:
    """Of rows that are no array yet, as objects: NumPy would take a list of words and numbers for words."""
    return X.ndim if isinstance(X, np.ndarray) else np.asarray(X, dtype=object).ndim


def _checked_texts(name: str, texts: NDArray[Any]) -> NDArray[Any]:
    for row, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            found = f"{type(text).__name__} {text!r:.40}"
            raise EquipoiseError(f"{name}: row {row} should be text, but is {found}")
    return texts


def _check_finite(name: str, values: NDArray[Any], row_of: Callable[[int], int]) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise EquipoiseError(
            f"{name}: {len(bad)} feature values are NaN, infinite or beyond float32, the first in row "
            f"{row_of(int(bad[0]))}; fill or drop them"
        )


def _checked_labels(name: str, labels: Any, rows: int) -> NDArray[np.uint8]:
    Y = np.asarray(labels.toarray() if _is_sparse(labels) else labels)
    if Y.ndim != 2 or Y.shape[1] == 0:
        raise EquipoiseError(f"{name}: Y must have shape (rows, labels), labels at least 1, not {Y.shape}")
    if Y.shape[0] != rows:
        raise EquipoiseError(f"{name}: {rows} rows of features but {Y.shape[0]} rows of labels")
    if rows < 2:
        raise EquipoiseError(f"{name}: {rows} row(s); at least 2 are needed")
    for block in _blocks(Y):
        known = block == 0
        known |= block == 1
        if not known.all():
            raise EquipoiseError(f"{name}: labels must be 0 or 1, found {block[~known][0]}")
    return np.ascontiguousarray(Y, dtype=np.uint8)


def _blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Some thousand rows at a time: a test of all at once would take as much memory as the rows themselves."""
    return (rows[begin : begin + _BLOCK] for begin in range(0, len(rows), _BLOCK))


def _checked_names(name: str, labels: Any, columns: int) -> tuple[str, ...]:
    names = tuple(str(label) for label in labels)
    if len(names) != columns:
        raise EquipoiseError(f"{name}: {len(names)} label names for {columns} label columns")
    if repeated := sorted({label for label in names if names.count(label) > 1}):
        raise EquipoiseError(f"{name}: label names must differ; repeated: {', '.join(repeated)}")
    return names


def _check_columns(data: Dataset) -> None:
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
    if data.nominal is not None and data.nominal.shape != (columns,):
        raise EquipoiseError(f"{data.name}: `nominal` must have shape ({columns},), not {data.nominal.shape}")


def _parts(data: Dataset) -> Iterator[bytes | memoryview]:
    """The bytes that are hashed: fixed widths, little-endian, -0.0 written as 0.0, csr in canonical order."""
    yield str(data.Y.shape).encode()
    yield data.Y.data.cast("B")  # the bytes as they lie there: no copy
    yield from (label.encode() for label in data.labels)
    if isinstance(data.X, np.ndarray) and data.kind == "text":
        yield from (text.encode("utf-8", "surrogatepass") for text in data.X)
    elif isinstance(data.X, np.ndarray):
        yield f"dense {data.X.shape}".encode()
        yield (data.X + 0.0).astype("<f4").tobytes()
    else:
        yield f"sparse {data.X.shape}".encode()
        yield data.X.indptr.astype("<i8").tobytes()
        yield data.X.indices.astype("<i8").tobytes()
        yield data.X.data.astype("<f4").tobytes()


@dataclass(frozen=True)
class DatasetSource(ABC):
    """A place a dataset comes from. The fields that a subclass adds are its options (`name[rows=500,seed=1]`).

    Attributes:
        name: how it is called in a suite and on the command line; of a file, its path.
        summary: what it is, in one line.
    """

    name: str = field(metadata={"internal": True})
    summary: str = field(default="", metadata={"internal": True})

    @abstractmethod
    def load(self, data_dir: Path) -> Dataset:
        """Read the dataset, download it into `data_dir/<dataset>/`, or generate it."""

    def options(self) -> dict[str, Any]:
        """Option names with their present values."""
        return {f.name: getattr(self, f.name) for f in options(self)}

    def with_options(self, **values: Any) -> Self:
        """A copy with these options, each a value or the text of one.

        Raises:
            EquipoiseError: it has no such option, or the value is of another type.
        """
        return replace(self, **checked("dataset", self.name, self, values))
