"""Reads the labels of a table from 0/1 columns, or from one column that lists label names."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.core.errors import EquipoiseError
from equipoise.datasets._column_roles import Roles, truth
from equipoise.readers.chunks import LIST_SEPARATOR
from equipoise.readers.columns import Column
from equipoise.readers.tables import Table, name_list

SEPARATORS = (LIST_SEPARATOR, ";", "|", ",")


def label_matrix(
    table: Table, roles: Roles, separator: Any
) -> tuple[NDArray[np.uint8], tuple[str, ...], list[str]]:
    """The labels (n, L) of 0 and 1, their names, and notes for the user.

    The label columns are emptied while they are read, to save memory.

    Raises:
        EquipoiseError: a label is not readable; the message names file, line and column.
    """
    if roles.label_column is not None:
        return _from_names(table, roles.label_column, separator)
    if separator is not None:
        labels = f"0/1 columns ({name_list(roles.labels)})"
        raise EquipoiseError(
            f"{table.file}: separator is for a column of label names, but the labels are {labels}"
        )
    for name in roles.labels:
        check_truth(table, name)
    Y, begin = _zeros(table, len(roles.labels)), 0
    # Chunk by chunk over all columns: a chunk is freed once its labels are in Y.
    for block in zip(*(table.columns[name].drain() for name in roles.labels), strict=True):
        end = begin + len(block[0].codes)
        for label, (values, codes) in enumerate(block):
            Y[begin:end, label] = np.array([truth(cell) for cell in values], dtype=np.uint8)[codes]
        begin = end
    return Y, roles.labels, []


def check_truth(table: Table, name: str) -> None:
    """Raise EquipoiseError unless the column holds only 0 and 1, or their synonyms (no/yes, false/true)."""
    column = table.columns[name]
    if (row := column.first(lambda cell: truth(cell) is None)) >= 0:
        cell = column.cell(row)
        fault = f"has {cell!r:.40}" if cell.strip() else "is empty"
        raise EquipoiseError(f"{table.at(row, name)} {fault}; a label is 0 or 1 (or no/yes, false/true)")


def _from_names(
    table: Table, name: str, separator: Any
) -> tuple[NDArray[np.uint8], tuple[str, ...], list[str]]:
    """Read a column of label names; the labels are sorted by name."""
    column = table.columns[name]
    mark = str(separator) if separator is not None else _guess_separator(column)
    number: dict[str, int] = {}  # labels are numbered in the order of first occurrence, and sorted at the end
    blocks = [_ones(values, codes, mark, number) for values, codes in column.drain()]
    if not number:
        raise EquipoiseError(f"{table.file} column {name!r} holds no label in any row")
    # A wrong column (or separator) shows by more labels than rows, before it costs memory.
    if len(number) > table.rows:
        sizes = f"{len(number)} different labels in {table.rows} rows"
        raise EquipoiseError(f"{table.file} column {name!r} holds {sizes}: is it the label column?")
    names = tuple(sorted(number))
    sorted_index = np.empty(len(names), dtype=np.int32)
    sorted_index[[number[label] for label in names]] = np.arange(len(names))
    Y, begin = _zeros(table, len(names)), 0
    for lengths, numbers in blocks:
        rows = begin + np.repeat(np.arange(len(lengths)), lengths)
        Y[rows, sorted_index[numbers]] = 1
        begin += len(lengths)
    return Y, names, _separator_notes(name, mark, separator, Y)


def _ones(
    values: list[str], codes: NDArray[Any], mark: str, number: dict[str, int]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The number of labels in each row, and the numbers of all these labels; new labels are added to `number`."""
    split = [
        [number.setdefault(label, len(number)) for label in sorted(names_in(cell, mark))] for cell in values
    ]
    # Each distinct cell is split once; rows refer to it by their code.
    lengths = np.array([len(numbers) for numbers in split], dtype=np.int32)[codes]
    flat = chain.from_iterable(split[code] for code in codes)
    return lengths, np.fromiter(flat, dtype=np.int32, count=int(lengths.sum()))


def names_in(cell: str, mark: str) -> set[str]:
    """The label names in a cell, split at `mark`; the whole cell if that is ""."""
    # A list that was written to CSV looks like "['a', 'b']"; its brackets and quotation marks are removed.
    inside = cell.strip().removeprefix("[").removesuffix("]")
    return {label.strip(" '\"\t") for label in (inside.split(mark) if mark else [inside])} - {""}


def _zeros(table: Table, labels: int) -> NDArray[np.uint8]:
    try:  # a column of free text taken for labels can ask for any amount of memory
        return np.zeros((table.rows, labels), dtype=np.uint8)
    except MemoryError:
        size = f"{table.rows} rows × {labels} labels take {table.rows * labels / 2**30:.0f} GiB"
        raise EquipoiseError(
            f"{table.file}: {size} of memory; keep only the more frequent labels, or fewer rows"
        ) from None


def _guess_separator(column: Column) -> str:
    """The separator (a list's own, or ; | ,) found in most rows, the first on a tie; "" if no row has one."""
    counts = np.zeros(len(SEPARATORS))
    for values, codes in column.coded():
        counts += np.array([[mark in cell for mark in SEPARATORS] for cell in values])[codes].sum(axis=0)
    return SEPARATORS[int(counts.argmax())] if counts.any() else ""


def _separator_notes(column: str, mark: str, separator: Any, Y: NDArray[np.uint8]) -> list[str]:
    how = (
        "lists"
        if mark == LIST_SEPARATOR
        else f"split at {mark!r}"
        if mark
        else "one label in each cell (no separator found; set one with separator=…)"
    )
    notes = [] if separator is not None else [f"labels are read from column {column!r}, {how}"]
    unlabelled = int((Y.sum(axis=1) == 0).sum())
    return notes + ([f"{unlabelled} rows have no label"] if unlabelled else [])


def constant(table: Table, Y: NDArray[np.uint8], names: tuple[str, ...]) -> list[str]:
    """Notes on the labels that are the same in every row, which cannot be learned.

    Raises:
        EquipoiseError: all labels are of this kind.
    """
    positives = Y.sum(axis=0)
    never = [name for name, count in zip(names, positives, strict=True) if count == 0]
    always = [name for name, count in zip(names, positives, strict=True) if count == len(Y)]
    if len(never) + len(always) == len(names):
        what = f"never: {', '.join(never) or 'none'}; always: {', '.join(always) or 'none'}"
        raise EquipoiseError(
            f"{table.file}: every label has one class only ({what:.150}); nothing can be learned"
        )
    constants = (("never", never), ("always", always))
    return [
        f"label {name!r} is {when} on and cannot be learned" for when, labels in constants for name in labels
    ]
