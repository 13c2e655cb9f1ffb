"""The user's own table: text or numbers, with labels as 0/1 columns or as one column of label names.

Columns that the user does not assign are detected automatically, and `Dataset.notes` reports the result. `TableSource`
describes the options.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.contracts.dataset import TEST, TRAIN, Dataset, DatasetSource, TableColumns
from equipoise.core.errors import EquipoiseError
from equipoise.core.paths import user_path
from equipoise.datasets._column_roles import assign
from equipoise.datasets._label_matrix import constant, label_matrix
from equipoise.datasets._number_columns import NumberColumns
from equipoise.datasets._own_split import split_note, split_of, with_test
from equipoise.datasets._table_options import TableOptions
from equipoise.readers.records import read_records, reads
from equipoise.readers.tables import Table, read_table

MIN_ROWS = 10


@dataclass(frozen=True)
class TableSource(TableOptions, DatasetSource):
    """A CSV, TSV, Parquet or JSON lines file, or a Hugging Face folder; `name` is its path. Options: see `TableOptions`."""

    def load(self, data_dir: Path | None = None) -> Dataset:
        """Read the file; `data_dir` is not used.

        Raises:
            EquipoiseError: the table cannot be read or used. The message names the file, and line and column if any.
        """
        path = user_path(self.name)
        table, official = self._with_split(path)
        if table.rows < MIN_ROWS:
            raise EquipoiseError(f"{table.file} has {table.rows} rows; at least {MIN_ROWS} are needed")
        groups = None if self.group_column is None else _taken_groups(table, str(self.group_column))
        roles = assign(table, self.text, self.features, self.labels, self.label_column)
        used = {*roles.inputs, *roles.named}
        others = tuple(name for name in table.columns if name not in used)
        others += tuple(str(name) for name in (self.group_column, self.split_column) if name is not None)
        # Columns are dropped as soon as they are no longer needed, so that the table never is in memory twice.
        table.keep((*roles.inputs, *roles.named))
        Y, names, label_notes = label_matrix(
            table, roles, self.separator, self.label_format, self.label_names, self.label_column is not None
        )
        table.keep(roles.inputs)
        numbers = NumberColumns(table)
        X, nominal, input_notes = texts(table, roles.text) if roles.text else numbers.read(roles.features)
        others += tuple(name for name in roles.features if name not in numbers.used)
        separator = None if self.separator is None else str(self.separator)
        return Dataset(
            name=path.stem,
            X=X,
            Y=Y,
            labels=names,
            source=str(self.name),
            terms="the user's own data",
            features=tuple(numbers.names),
            nominal=nominal,
            notes=(
                *roles.notes,
                *label_notes,
                *constant(table, Y, names),
                *input_notes,
                *split_note(official),
            ),
            official=official,
            table=TableColumns(
                roles.text or tuple(numbers.used),
                roles.label_column,
                separator,
                others,
                numbers.categories,
                numbers.dates,
            ),
            groups=groups,
        )

    def _with_split(self, path: Path) -> tuple[Table, NDArray[np.int8] | None]:
        """The table and the user's own split of its rows, if there is one."""
        if self.test is not None and self.split_column is not None:
            raise EquipoiseError(f"{path.name}: give test or split_column, not both")
        table = self._read(path)
        if self.split_column is not None:
            return table, split_of(table, str(self.split_column))
        if self.test is None:
            return table, None
        other = user_path(str(self.test))
        if other.exists() and other.samefile(path):
            raise EquipoiseError(
                f"{path.name}: test names the same file, whose rows would be trained and tested on"
            )
        train, table = table.rows, with_test(table, self._read(other))
        return table, np.where(np.arange(table.rows) < train, TRAIN, TEST).astype(np.int8)

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


#: Empty, because there is no named data set here; `load_dataset` uses `TableSource` when it is given a path.
sources: tuple[DatasetSource, ...] = ()
