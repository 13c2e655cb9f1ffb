"""Reads a file of external rows for a data set: the columns of the data set's own file, and `parent`.

`parent` holds the row of the data set (counted from 0) that a row was made from; several are divided by ; , | or blanks, or are a
list. Labels are 0/1 columns or a column of names, as in the data set's file; without either, a row has its parent's labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from equipoise.contracts.dataset import Dataset, Features, TableColumns
from equipoise.contracts.external import ExternalRows
from equipoise.core.arrays import is_sparse
from equipoise.core.errors import EquipoiseError, unknown
from equipoise.datasets._column_roles import TAGS
from equipoise.datasets._identifiers import ROW_NAMES
from equipoise.datasets._label_formats import BRACKETS, LIST, SEPARATORS, SPLIT, WHOLE, LabelFormat
from equipoise.datasets._label_names import LabelFault, is_list, truth
from equipoise.datasets._number_columns import known_columns
from equipoise.datasets._truth import check_truth
from equipoise.datasets.table import texts
from equipoise.readers.chunks import LIST_SEPARATOR
from equipoise.readers.records import read_records, reads
from equipoise.readers.tables import Table, name_list, read_table

PARENT = "parent"
_BETWEEN = re.compile(rf"[;,|\s{LIST_SEPARATOR}]+")
_ROW = re.compile(r"\d+(\.0*)?$")  # a column of whole numbers with a gap is often written as 3.0


def read_external(file: str, data: Dataset) -> ExternalRows:
    """Read the external rows in a CSV, TSV, Parquet or JSON lines file, or in a Hugging Face folder.

    Raises:
        EquipoiseError: the file cannot be read, a column is missing or unknown, a parent is no row of the data set, or a label
            none of its labels. The message names the file, and line and column if any.
    """
    path = Path(file).expanduser()
    if not path.exists():
        raise EquipoiseError(f"there is no file of external rows at {file}")
    table = read_records(path) if reads(path) else read_table(path)
    own = data.table or TableColumns(("text",) if data.kind == "text" else data.features)
    _check_columns(table, data, own)
    rows, parents = _parents(table, data)
    # Before the inputs, whose columns are emptied while they are read.
    Y = _labels(table, data, own, rows, parents)
    return ExternalRows(table.file, _inputs(table, data, own), Y, rows, parents)


def _check_columns(table: Table, data: Dataset, own: TableColumns) -> None:
    """Refuse a table that lacks a column, or has one that the data set does not know.

    A misspelt label column must not pass for a column that is not used: its labels would be lost without a word.
    """
    if not table.rows:
        raise EquipoiseError(f"{table.file} has no rows")
    if PARENT not in table.columns:
        raise EquipoiseError(
            f"{table.file} has no column {PARENT!r}, the row of {data.name} (counted from 0) that each row was made from "
            f"(columns: {name_list(table.columns)})"
        )
    if not own.inputs:
        raise EquipoiseError(f"the columns of {data.name} have no names by which {table.file} could be read")
    if missing := [name for name in own.inputs if name not in table.columns]:
        raise EquipoiseError(
            f"{table.file} has no column {missing[0]!r}, an input of {data.name} (columns: {name_list(table.columns)})"
        )
    known = {PARENT, *own.inputs, *own.others, *data.labels, *TAGS, *filter(None, [own.label_column])}
    if strange := [name for name in table.columns if name not in known and name.lower() not in ROW_NAMES]:
        raise unknown(f"column of {table.file} beside those of {data.name}:", strange[0], known - {*TAGS})


def _parents(table: Table, data: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of an external row and one of its parents."""
    column, of_row = table.columns[PARENT], list[list[int]]()
    for values, codes in column.coded():
        numbers = [_numbers(cell) for cell in values]
        for code in codes:
            if not (parents := numbers[code]) or max(parents) >= data.n_rows:
                raise EquipoiseError(
                    f"{table.at(len(of_row), PARENT)} has {values[code]!r:.40}, which names no row of {data.name}: a number "
                    f"from 0 to {data.n_rows - 1}, several divided by ;"
                )
            of_row.append(parents)
    rows = np.repeat(np.arange(len(of_row), dtype=np.int64), [len(parents) for parents in of_row])
    return rows, np.array([p for parents in of_row for p in parents], dtype=np.int64)


def _numbers(cell: str) -> list[int]:
    """The row numbers in a cell, ascending; empty if it holds anything else, or nothing."""
    parts = [part for part in _BETWEEN.split(cell.strip().removeprefix("[").removesuffix("]")) if part]
    return sorted({int(float(p)) for p in parts}) if all(_ROW.match(p) for p in parts) else []


def _labels(
    table: Table, data: Dataset, own: TableColumns, rows: NDArray[np.int64], parents: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The labels (e, L): from 0/1 columns, from a column of names, or those of the parents."""
    # A column of inputs may be called like a label, or "category".
    free = [name for name in table.columns if name not in own.inputs]
    named = [name for name in data.labels if name in free]
    lists = [own.label_column] if own.label_column in free else []
    lists = lists or [name for tag in TAGS for name in free if name == tag and name not in own.others]
    if named and (missing := [name for name in data.labels if name not in free]):
        raise EquipoiseError(
            f"{table.file} has columns for some labels and none for {name_list(missing)}; give all labels, or none to take "
            "those of the parents"
        )
    if named:
        return np.column_stack([_truths(table, name) for name in data.labels])
    return _listed(table, lists[0], data, own) if lists else _inherited(table, data, rows, parents)


def _truths(table: Table, name: str) -> NDArray[np.uint8]:
    check_truth(table, name)
    return table.columns[name].map(
        lambda cells: np.array([truth(cell, table.decimal_comma) for cell in cells], dtype=np.uint8)
    )


def _listed(table: Table, name: str, data: Dataset, own: TableColumns) -> NDArray[np.uint8]:
    """The labels from a column of names."""
    number = {label: i for i, label in enumerate(data.labels)}
    Y = np.zeros((table.rows, data.n_labels), dtype=np.uint8)
    for row, cell in enumerate(_cells(table, name)):
        # A cell that is a label as it stands is not split. This file need not use the separator of the data set's file.
        ways = _readings(cell, own.separator)
        if (labels := next((way for way in ways if way <= number.keys()), None)) is None:
            # Of the ways to split the cell, the one that gives most labels was probably meant.
            meant = max(ways, key=lambda way: len(way & number.keys()))
            strange = min(meant - number.keys())
            raise unknown(f"label at {table.at(row, name)}:", strange, number)
        Y[row, [number[label] for label in labels]] = 1
    return Y


def _readings(cell: str, separator: str | None) -> list[set[str]]:
    """The sets of names that a cell may stand for."""
    marks = [mark for mark in (separator, *SEPARATORS) if mark]
    forms = [
        LabelFormat(WHOLE),
        LabelFormat(LIST),
        LabelFormat(BRACKETS),
        *(LabelFormat(SPLIT, m) for m in marks),
    ]
    ways = []
    for form in forms[:1] if is_list(cell) else forms:
        try:
            ways.append({name for name in form.items(cell) if name})
        except LabelFault:
            continue
    return ways or [{cell}]


def _cells(table: Table, name: str) -> Iterator[str]:
    return (values[code] for values, codes in table.columns[name].coded() for code in codes)


def _inherited(
    table: Table, data: Dataset, rows: NDArray[np.int64], parents: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The labels of the parents."""
    first = parents[np.searchsorted(rows, np.arange(table.rows))]
    differs = (data.Y[parents] != data.Y[first][rows]).any(1)
    if differs.any():
        raise EquipoiseError(
            f"{table.at(int(rows[differs.argmax()]), PARENT)} names parents whose labels differ; such a row needs labels of "
            "its own"
        )
    return np.ascontiguousarray(data.Y[first])


def _inputs(table: Table, data: Dataset, own: TableColumns) -> Features:
    """The inputs (e,) or (e, d), in the form of the data set's."""
    if data.kind == "text":
        return texts(table, own.inputs)[0]
    X = known_columns(table, own.inputs, own.categories, own.dates, data.X.shape[1])
    return scipy.sparse.csr_matrix(X) if is_sparse(data.X) else X
