"""The user's own table: text or numbers, labels as 0/1 columns or as one column of names.

What is not said is guessed, and every guess is told in `Dataset.notes`. Options: see `TableSource`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.dataset import Dataset, DatasetSource
from equipoise.datasets._table_roles import TRUTH, Roles, assign
from equipoise.errors import EquipoiseError
from equipoise.records import LISTED, read_records, reads
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
        if len(table.cells) < MIN_ROWS:
            raise EquipoiseError(f"{table.file} has {len(table.cells)} rows; at least {MIN_ROWS} are needed")
        roles = assign(table, self.text, self.features, self.labels, self.label_column)
        Y, names, label_notes = _label_matrix(table, roles, self.separator)
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
    columns = [_truth(table, name) for name in roles.labels]
    return np.column_stack(columns), roles.labels, []


def _truth(table: Table, name: str) -> NDArray[np.uint8]:
    """One 0/1 column; yes/no and true/false will do."""
    codes = {cell: TRUTH.get(cell.strip().lower()) for cell in table.distinct(name)}
    if None in codes.values():
        cells = table.cells[name]
        row = int(cells.map(lambda cell: codes[cell] is None).astype(bool).to_numpy().argmax())
        found = f"has {cells[row]!r:.40}" if cells[row].strip() else "is empty"
        raise EquipoiseError(f"{table.at(row, name)} {found}; a label is 0 or 1 (or no/yes, false/true)")
    return np.asarray(table.cells[name].map(codes), dtype=np.uint8)


def _from_names(
    table: Table, column: str, separator: Any
) -> tuple[NDArray[np.uint8], tuple[str, ...], list[str]]:
    """A column of label names; the labels are sorted by name."""
    cells = [cell.strip().removeprefix("[").removesuffix("]") for cell in table.cells[column]]
    mark = str(separator) if separator is not None else _guess_separator(cells)
    rows = [
        {name.strip(" '\"\t") for name in (cell.split(mark) if mark else [cell])} - {""} for cell in cells
    ]
    names = tuple(sorted(set().union(*rows)))
    if not names:
        raise EquipoiseError(f"{table.file} column {column!r} holds no label in any row")
    if len(names) > len(rows):
        shown = f"{len(names)} different labels in {len(rows)} rows"
        raise EquipoiseError(f"{table.file} column {column!r} holds {shown}: is it the label column?")
    place = {name: i for i, name in enumerate(names)}
    Y = np.zeros((len(rows), len(names)), dtype=np.uint8)
    for row, found in enumerate(rows):
        Y[row, [place[name] for name in found]] = 1
    return Y, names, _separator_notes(column, mark, separator, Y)


def _guess_separator(cells: list[str]) -> str:
    """The one of ; | , that most rows hold, in this order where they tie; none where no row has any."""
    counts = {mark: sum(mark in cell for cell in cells) for mark in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda mark: counts[mark])
    return best if counts[best] else ""


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
    parts = zip(*(table.cells[name].str.strip() for name in columns), strict=True)
    texts = np.array(["\n\n".join(part for part in row if part) for row in parts], dtype=object)
    empty = np.flatnonzero(texts == "")
    if len(empty) == len(texts):
        raise EquipoiseError(
            f"{table.file}: every text in column {' and '.join(map(repr, columns))} is empty"
        )
    where = table.at(int(empty[0]), columns[0]) if len(empty) else ""
    return texts, None, [f"{len(empty)} texts are empty, the first at {where}"] if len(empty) else []


def _numbers(
    table: Table, columns: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None, list[str]]:
    read = [_column(table, name) for name in columns]
    nominal = np.array([coded for _, coded in read])
    coded = [name for name, is_coded in zip(columns, nominal, strict=True) if is_coded]
    notes = [f"column {name!r} holds words: coded as categories" for name in coded]
    X = np.column_stack([values for values, _ in read])
    return X, nominal if nominal.any() else None, notes


def _column(table: Table, name: str) -> tuple[NDArray[np.float64], bool]:
    """Numbers, or the codes of at most 50 different words."""
    cells, numbers = table.cells[name].str.strip(), table.numbers(name)
    if np.isfinite(numbers).all():
        return numbers, False
    words = sorted(set(cells))
    few = len(words) <= min(_MOST_CATEGORIES, len(cells) // 2)
    if np.isnan(numbers).all() and few and all(_WORD.search(word) for word in words):
        codes = cells.map({word: i for i, word in enumerate(words)})
        return np.asarray(codes, dtype=np.float64), True
    row = int((~np.isfinite(numbers)).argmax())
    found = f"has {cells[row]!r:.40}, not a finite number" if cells[row] else "is empty"
    raise EquipoiseError(f"{table.at(row, name)} {found}; fill it, drop the row, or leave the column out")


#: A table has no name of its own, so none is listed; `load_dataset` comes here with a path.
sources: tuple[DatasetSource, ...] = ()
