"""The user's own table: text or numbers, with labels as 0/1 columns or as one column of label names.

Columns that the user does not assign are detected automatically, and `Dataset.notes` reports the result. `TableSource`
describes the options.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.contracts.dataset import Dataset, DatasetSource, TableColumns
from equipoise.core.errors import EquipoiseError
from equipoise.core.paths import user_path
from equipoise.datasets._column_roles import WORD, assign
from equipoise.datasets._label_matrix import constant, label_matrix
from equipoise.datasets._table_options import TableOptions
from equipoise.readers.columns import Column
from equipoise.readers.records import read_records, reads
from equipoise.readers.tables import Table, read_table

MIN_ROWS = 10
_MOST_CATEGORIES = 50
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class TableSource(TableOptions, DatasetSource):
    """A CSV, TSV, Parquet or JSON lines file, or a Hugging Face folder; `name` is its path. Options: see `TableOptions`."""

    def load(self, data_dir: Path | None = None) -> Dataset:
        """Read the file; `data_dir` is not used.

        Raises:
            EquipoiseError: the table cannot be read or used. The message names the file, and line and column if any.
        """
        path = user_path(self.name)
        table = self._read(path)
        if table.rows < MIN_ROWS:
            raise EquipoiseError(f"{table.file} has {table.rows} rows; at least {MIN_ROWS} are needed")
        groups = None if self.group_column is None else _taken_groups(table, str(self.group_column))
        roles = assign(table, self.text, self.features, self.labels, self.label_column)
        used = {*roles.inputs, *roles.named}
        others = tuple(name for name in table.columns if name not in used)
        if self.group_column is not None:
            others = (*others, str(self.group_column))
        # Columns are dropped as soon as they are no longer needed, so that the table never is in memory twice.
        table.keep((*roles.inputs, *roles.named))
        Y, names, label_notes = label_matrix(table, roles, self.separator)
        table.keep(roles.inputs)
        categories: dict[str, tuple[str, ...]] = {}
        X, nominal, input_notes = (
            texts(table, roles.text) if roles.text else _numbers(table, roles.features, categories)
        )
        separator = None if self.separator is None else str(self.separator)
        return Dataset(
            name=path.stem,
            X=X,
            Y=Y,
            labels=names,
            source=str(self.name),
            terms="the user's own data",
            features=() if roles.text else roles.features,
            nominal=nominal,
            notes=(*roles.notes, *label_notes, *constant(table, Y, names), *input_notes),
            table=TableColumns(roles.inputs, roles.label_column, separator, others, categories),
            groups=groups,
        )

    def _read(self, path: Path) -> Table:
        if not reads(path):
            return read_table(path, self.delimiter, self.encoding)
        if self.delimiter is not None or self.encoding.lower() != "utf-8":
            raise EquipoiseError(f"{path.name}: delimiter and encoding are for CSV and TSV files only")
        return read_records(path)


def _taken_groups(table: Table, name: str) -> NDArray[np.int64]:
    """The group of each row (n,) by the cells of a column, which is removed from the table, so that nothing else uses it."""
    column = table.columns.pop(table.name_of(name))
    numbers = {"": -1}
    groups = column.map(
        lambda cells: np.array([numbers.setdefault(cell.strip(), len(numbers)) for cell in cells])
    )
    # Of an empty cell nothing is known: its row is a group by itself.
    empty = np.flatnonzero(groups < 0)
    groups[empty] = -1 - empty
    return groups.astype(np.int64)


def texts(table: Table, columns: tuple[str, ...]) -> tuple[NDArray[Any], None, list[str]]:
    """The texts (n,), where several columns are joined by blank lines; None, as text has no nominal columns; notes."""
    out, begin = np.empty(table.rows, dtype=object), 0
    for block in zip(*(table.columns[name].drain() for name in columns), strict=True):
        # Each distinct cell is stripped once, and rows then share the string.
        cells = [np.array([v.strip() for v in values], dtype=object)[codes] for values, codes in block]
        joined = ["\n\n".join(filter(None, row)) for row in zip(*cells, strict=True)]
        out[begin : begin + len(joined)] = joined
        begin += len(joined)
    empty = np.flatnonzero(out == "")
    if len(empty) == len(out):
        raise EquipoiseError(
            f"{table.file}: every text in column {' and '.join(map(repr, columns))} is empty"
        )
    where = table.at(int(empty[0]), columns[0]) if len(empty) else ""
    return out, None, [f"{len(empty)} texts are empty, the first at {where}"] if len(empty) else []


def _numbers(
    table: Table, columns: tuple[str, ...], categories: dict[str, tuple[str, ...]]
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None, list[str]]:
    """The features (n, d), which of them are categories (d,) or None if none are, and notes.

    The words of each categorical column are put into `categories`, in the order of their codes.
    """
    X = np.empty((table.rows, len(columns)), dtype=np.float32)
    nominal, notes = np.zeros(len(columns), dtype=bool), list[str]()
    for index, name in enumerate(columns):
        column = table.columns[name]
        numbers = column.numbers(table.decimal_comma)
        # Only a column without a single number is categorical; one bad cell among numbers is an error.
        if np.isnan(numbers).all() and (words := _categories(column)):
            X[:, index], nominal[index] = coded(column, words), True
            categories[name] = tuple(words)
            empty = ", one of them for empty cells" if "" in words else ""
            notes.append(f"column {name!r} holds words: coded as {len(words)} categories{empty}")
        else:
            check_numbers(table, name, numbers)
            X[:, index] = numbers
    return X, nominal if nominal.any() else None, notes


def check_numbers(table: Table, name: str, numbers: NDArray[np.float64]) -> None:
    """Raise EquipoiseError at the first cell of a numeric column that is not a finite float32 number."""
    valid = np.abs(numbers) <= _LARGEST  # False for NaN as well
    if valid.all():
        return
    row = int((~valid).argmax())
    column = table.columns[name]
    cell = column.cell(row).strip()
    if not cell:
        fault = "is empty"
    elif np.isfinite(numbers[row]):
        fault = f"has {cell!r:.40}, which is beyond float32"
    else:
        too_many = WORD.search(cell) and np.isnan(numbers).all() and len(set(column.values())) > _most(column)
        why = f" (and over {_most(column)} different words are too many for categories)" if too_many else ""
        fault = f"has {cell!r:.40}, not a finite number{why}"
    raise EquipoiseError(f"{table.at(row, name)} {fault}; fill it, drop the row, or leave the column out")


def _categories(column: Column) -> list[str]:
    """The distinct words of a column, sorted; empty if there are too many or one of them is a malformed number."""
    words: set[str] = set()
    for cell in column.values():
        words.add(cell.strip())
        if len(words) > _most(column) or (cell.strip() and not WORD.search(cell)):
            return []
    return sorted(words) if words != {""} else []


def _most(column: Column) -> int:
    """The largest number of categories: with fewer than two rows each, the column is more likely an identifier."""
    return min(_MOST_CATEGORIES, len(column) // 2)


def coded(column: Column, words: Sequence[str]) -> NDArray[np.float64]:
    """The codes (n,) of a column of words: each word's position in the list, which holds them all."""
    code = {word: float(i) for i, word in enumerate(words)}
    return column.map(lambda cells: np.array([code[cell.strip()] for cell in cells]))


#: Empty, because there is no named data set here; `load_dataset` uses `TableSource` when it is given a path.
sources: tuple[DatasetSource, ...] = ()
