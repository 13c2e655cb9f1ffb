"""The split that a user brings: a second file with the rows to test on, or a column that says where each row belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.contracts.dataset import DEV, TEST, TRAIN
from equipoise.core.errors import EquipoiseError
from equipoise.datasets._identifiers import named_as_identifier
from equipoise.readers.columns import Column
from equipoise.readers.tables import Table

_WORDS = {
    TRAIN: ("train", "training", "tr", "learn"),
    DEV: ("dev", "development", "val", "valid", "validation"),
    TEST: ("test", "testing", "te", "eval", "evaluation", "holdout"),
}
_PART = {word: part for part, words in _WORDS.items() for word in words}


@dataclass(frozen=True)
class _Joined(Table):
    """Two tables under each other; the position of a cell names the file that it is in."""

    parts: tuple[Table, ...] = field(default=())

    def at(self, row: int, name: str) -> str:
        first, second = self.parts
        return first.at(row, name) if row < first.rows else second.at(row - first.rows, name)


def with_test(table: Table, test: Table) -> Table:
    """The rows of a table, and below them those of the file to test on.

    Raises:
        EquipoiseError: the second file lacks a column, such as the labels.
    """
    if not test.rows:
        raise EquipoiseError(f"{test.file} has no rows to test on")
    missing = [name for name in table.columns if name not in test.columns]
    if lacking := [name for name in missing if not named_as_identifier(name)]:
        raise EquipoiseError(
            f"{test.file} has no column {lacking[0]!r}, which {table.file} has; rows to test on need the inputs and the labels"
        )
    columns = {
        name: Column([*column.chunks, *test.columns[name].chunks])
        for name, column in table.columns.items()
        if name not in missing
    }
    nested = {
        name: Column([*column.chunks, *test.nested[name].chunks])
        for name, column in table.nested.items()
        if name in test.nested
    }
    # Copies without their columns only say where a row is.
    return _Joined(
        file=table.file,
        columns=columns,
        rows=table.rows + test.rows,
        place=table.place,
        decimal_comma=table.decimal_comma,
        refused={**test.refused, **table.refused},
        nested=nested,
        parts=(_positions(table), _positions(test)),
    )


def _positions(table: Table) -> Table:
    place: Callable[[int], str] = table.place
    return Table(table.file, {}, table.rows, place)


def split_of(table: Table, name: str) -> NDArray[np.int8]:
    """TRAIN, DEV or TEST of each row (n,) by a column, which is removed from the table, so that nothing else uses it.

    Raises:
        EquipoiseError: a cell names no part, or no row is to train or to test on.
    """
    column = table.columns[table.name_of(name)]
    if (row := column.first(lambda cell: _part(cell) is None)) >= 0:
        raise EquipoiseError(
            f"{table.at(row, name)} has {column.cell(row)!r:.40}; a split column holds train, validation or test"
        )
    official = column.map(lambda cells: np.array([_part(cell) for cell in cells], dtype=np.int8))
    for part, word in ((TRAIN, "train"), (TEST, "test")):
        if not (official == part).any():
            raise EquipoiseError(f"{table.file} column {name!r} says {word} in no row; a split needs both")
    del table.columns[name]
    return official


def _part(cell: str) -> int | None:
    return _PART.get(cell.strip().lower())


def split_note(official: NDArray[Any] | None) -> list[str]:
    """A note on the rows of the user's split, and on how it is used."""
    if official is None:
        return []
    train, dev, test = ((official == part).sum() for part in (TRAIN, DEV, TEST))
    validation = f", {dev} to validate on" if dev else ""
    return [
        f"your own split: {train} rows to train on{validation}, {test} to test on; it is the official split (--splits official)"
    ]
