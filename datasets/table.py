"""The user's own table: text or numbers, labels as 0/1 columns or as one column of names.

What is not said is guessed, and every guess is told in `Dataset.notes`. Options: see `TableSource`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.columns import Column
from equipoise.dataset import Dataset, DatasetSource
from equipoise.datasets._table_roles import Roles, assign, truth
from equipoise.errors import EquipoiseError
from equipoise.pieces import LISTED
from equipoise.records import read_records, reads
from equipoise.tables import Table, read_table

MIN_ROWS = 10
_SEPARATORS = (LISTED, ";", "|", ",")
_MOST_CATEGORIES = 50
_WORD = re.compile(r"[^\W\d_]")  # a letter, without which a cell is a number gone wrong ("1,000")


@dataclass(frozen=True)
class TableSource(DatasetSource):
    """A CSV, TSV, Parquet or JSON lines file, or a Hugging Face folder; `name` is its path.

    Columns are given as "a+b" or as a list.

    Options: `text` (columns joined to one text) or `features` (columns of numbers, or of categories); `labels` (0/1
    columns) or `label_column` (names between `separator`); `delimiter` (of the file), `encoding`.
    """

    text: Any = None
    features: Any = None
    labels: Any = None
    label_column: Any = None
    separator: Any = None
    delimiter: Any = None
    encoding: str = "utf-8"

    def load(self, data_dir: Path | None = None) -> Dataset:
        """Read the file; `data_dir` is not used. Raises EquipoiseError with file, and line and column if any."""
        path = Path(self.name).expanduser()
        table = read_records(path) if reads(path) else read_table(path, self.delimiter, self.encoding)
        if table.rows < MIN_ROWS:
            raise EquipoiseError(f"{table.file} has {table.rows} rows; at least {MIN_ROWS} are needed")
        roles = assign(table, self.text, self.features, self.labels, self.label_column)
        table.keep((*roles.inputs, *roles.named))  # a column is let go when it has been read: memory
        Y, names, label_notes = _label_matrix(table, roles, self.separator)
        table.keep(roles.inputs)
        X, nominal, input_notes = _texts(table, roles.text) if roles.text else _numbers(table, roles.features)
        return Dataset(
            name=path.stem,
            X=X,
            Y=Y,
            labels=names,
            source=str(self.name),
            terms="the user's own data",
            features=() if roles.text else roles.features,
            nominal=nominal,
            notes=(*roles.notes, *label_notes, *_constant(table, Y, names), *input_notes),
        )


def _label_matrix(
    table: Table, roles: Roles, separator: Any
) -> tuple[NDArray[np.uint8], tuple[str, ...], list[str]]:
    if roles.label_column is not None:
        return _from_names(table, roles.label_column, separator)
    for name in roles.labels:
        _check_truth(table, name)
    Y, begin = _zeros(table, len(roles.labels)), 0
    for block in zip(*(table.columns[name].drained() for name in roles.labels), strict=True):
        end = begin + len(block[0].codes)
        for place, (values, codes) in enumerate(block):
            Y[begin:end, place] = np.array([truth(cell) for cell in values], dtype=np.uint8)[codes]
        begin = end
    return Y, roles.labels, []


def _check_truth(table: Table, name: str) -> None:
    """A column of 0 and 1; yes/no and true/false will do."""
    column = table.columns[name]
    if (row := column.first(lambda cell: truth(cell) is None)) >= 0:
        cell = column.cell(row)
        found = f"has {cell!r:.40}" if cell.strip() else "is empty"
        raise EquipoiseError(f"{table.at(row, name)} {found}; a label is 0 or 1 (or no/yes, false/true)")


def _from_names(
    table: Table, name: str, separator: Any
) -> tuple[NDArray[np.uint8], tuple[str, ...], list[str]]:
    """A column of label names; the labels are sorted by name."""
    column = table.columns[name]
    mark = str(separator) if separator is not None else _guess_separator(column)
    number: dict[str, int] = {}  # of a label, in the order they turn up
    blocks = [_ones(values, codes, mark, number) for values, codes in column.drained()]
    if not number:
        raise EquipoiseError(f"{table.file} column {name!r} holds no label in any row")
    if len(number) > table.rows:
        shown = f"{len(number)} different labels in {table.rows} rows"
        raise EquipoiseError(f"{table.file} column {name!r} holds {shown}: is it the label column?")
    names = tuple(sorted(number))
    places = np.empty(len(names), dtype=np.int32)
    places[[number[label] for label in names]] = np.arange(len(names))
    Y, begin = _zeros(table, len(names)), 0
    for lengths, numbers in blocks:
        rows = begin + np.repeat(np.arange(len(lengths)), lengths)
        Y[rows, places[numbers]] = 1
        begin += len(lengths)
    return Y, names, _separator_notes(name, mark, separator, Y)


def _ones(
    values: list[str], codes: NDArray[Any], mark: str, number: dict[str, int]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """How many labels each row has, and the numbers of all of them; labels met first are put into `number`."""
    split = [
        [number.setdefault(label, len(number)) for label in sorted(_labels(cell, mark))] for cell in values
    ]
    lengths = np.array([len(found) for found in split], dtype=np.int32)[codes]
    flat = chain.from_iterable(split[code] for code in codes)
    return lengths, np.fromiter(flat, dtype=np.int32, count=int(lengths.sum()))


def _labels(cell: str, mark: str) -> set[str]:
    inside = cell.strip().removeprefix("[").removesuffix("]")
    return {label.strip(" '\"\t") for label in (inside.split(mark) if mark else [inside])} - {""}


def _zeros(table: Table, labels: int) -> NDArray[np.uint8]:
    try:
        return np.zeros((table.rows, labels), dtype=np.uint8)
    except MemoryError:
        size = f"{table.rows} rows × {labels} labels take {table.rows * labels / 2**30:.0f} GiB"
        raise EquipoiseError(
            f"{table.file}: {size} of memory; keep the commoner labels, or fewer rows"
        ) from None


def _guess_separator(column: Column) -> str:
    """The one of ; | , that most rows hold, in this order where they tie; none where no row has any."""
    counts = np.zeros(len(_SEPARATORS))
    for values, codes in column.coded():
        counts += np.array([[mark in cell for mark in _SEPARATORS] for cell in values])[codes].sum(axis=0)
    return _SEPARATORS[int(counts.argmax())] if counts.any() else ""


def _separator_notes(column: str, mark: str, separator: Any, Y: NDArray[np.uint8]) -> list[str]:
    how = (
        "lists"
        if mark == LISTED
        else f"split at {mark!r}"
        if mark
        else "one label a cell (no separator found; separator=… sets one)"
    )
    notes = [] if separator is not None else [f"labels are read from column {column!r}, {how}"]
    unlabelled = int((Y.sum(axis=1) == 0).sum())
    return notes + ([f"{unlabelled} rows have no label"] if unlabelled else [])


def _constant(table: Table, Y: NDArray[np.uint8], names: tuple[str, ...]) -> list[str]:
    """A label that never changes cannot be learned; when none does, there is nothing to do."""
    positives = Y.sum(axis=0)
    never = [name for name, count in zip(names, positives, strict=True) if count == 0]
    always = [name for name, count in zip(names, positives, strict=True) if count == len(Y)]
    if len(never) + len(always) == len(names):
        what = f"never: {', '.join(never) or 'none'}; always: {', '.join(always) or 'none'}"
        raise EquipoiseError(
            f"{table.file}: every label has one class only ({what:.150}); nothing can be learned"
        )
    shown = (("never", never), ("always", always))
    return [f"label {name!r} is {when} on and cannot be learned" for when, found in shown for name in found]


def _texts(table: Table, columns: tuple[str, ...]) -> tuple[NDArray[Any], None, list[str]]:
    """The columns joined by blank lines."""
    texts, begin = np.empty(table.rows, dtype=object), 0
    for block in zip(*(table.columns[name].drained() for name in columns), strict=True):
        cells = [np.array([v.strip() for v in values], dtype=object)[codes] for values, codes in block]
        joined = ["\n\n".join(filter(None, row)) for row in zip(*cells, strict=True)]
        texts[begin : begin + len(joined)] = joined
        begin += len(joined)
    empty = np.flatnonzero(texts == "")
    if len(empty) == len(texts):
        raise EquipoiseError(
            f"{table.file}: every text in column {' and '.join(map(repr, columns))} is empty"
        )
    where = table.at(int(empty[0]), columns[0]) if len(empty) else ""
    return texts, None, [f"{len(empty)} texts are empty, the first at {where}"] if len(empty) else []


def _numbers(
    table: Table, columns: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None, list[str]]:
    X = np.empty((table.rows, len(columns)), dtype=np.float32)
    nominal = np.zeros(len(columns), dtype=bool)
    with np.errstate(over="ignore"):  # what overflows becomes inf, which `Dataset` reports
        for place, name in enumerate(columns):
            X[:, place], nominal[place] = _column(table, name)
    coded = [name for name, is_coded in zip(columns, nominal, strict=True) if is_coded]
    notes = [f"column {name!r} holds words: coded as categories" for name in coded]
    return X, nominal if nominal.any() else None, notes


def _column(table: Table, name: str) -> tuple[NDArray[np.float64], bool]:
    """Numbers, or the codes of at most 50 different words."""
    column = table.columns[name]
    numbers = column.numbers(table.decimal_comma)
    if np.isfinite(numbers).all():
        return numbers, False
    if np.isnan(numbers).all() and (words := _categories(column)):
        code = {word: i for i, word in enumerate(words)}
        return column.map(lambda cells: np.array([float(code[cell.strip()]) for cell in cells])), True
    row = int((~np.isfinite(numbers)).argmax())
    cell = column.cell(row).strip()
    found = f"has {cell!r:.40}, not a finite number" if cell else "is empty"
    raise EquipoiseError(f"{table.at(row, name)} {found}; fill it, drop the row, or leave the column out")


def _categories(column: Column) -> list[str]:
    """The different words, sorted; none where there are too many or one is a number gone wrong."""
    words: set[str] = set()
    for cell in column.values():
        words.add(cell.strip())
        if len(words) > min(_MOST_CATEGORIES, len(column) // 2) or not _WORD.search(cell):
            return []
    return sorted(words)


#: A table has no name of its own, so none is listed; `load_dataset` comes here with a path.
sources: tuple[DatasetSource, ...] = ()
