"""Reads the features of a table: numbers, words as categories, and the parts of dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.core.errors import EquipoiseError, unknown
from equipoise.datasets._dates import PARTS, UNKNOWN, date_format, date_parts
from equipoise.datasets._identifiers import WORD, is_word
from equipoise.readers.chunks import LIST_SEPARATOR
from equipoise.readers.columns import Column
from equipoise.readers.tables import Table

_MOST_CATEGORIES = 50
_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class NumberColumns:
    """The features that were read from a table.

    Attributes:
        names: of each feature.
        used: the columns that they are made of.
        categories: of each column of words, its words in the order of their codes.
        dates: of each column of dates, how they are written, and the indices of the parts that are features.
        notes: for the user.
    """

    table: Table
    names: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    dates: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def read(self, columns: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None, list[str]]:
        """The features (n, d), which of them are categories (d,) or None if none are, and notes.

        Raises:
            EquipoiseError: a cell is no number; the message names file, line and column.
        """
        known = [name for name in columns if self._read_date(name)]
        widths = [len(self.dates[name][1]) if name in self.dates else 1 for name in columns]
        skipped = {name for name in known if name not in self.dates}
        kept = [(name, width) for name, width in zip(columns, widths, strict=True) if name not in skipped]
        if not sum(width for _, width in kept):
            raise EquipoiseError(
                f"{self.table.file}: no column of numbers is left for the inputs ({self.notes[-1]})"
            )
        X = np.empty((self.table.rows, sum(width for _, width in kept)), dtype=np.float32)
        nominal = np.zeros(X.shape[1], dtype=bool)
        for name, width in kept:
            at = len(self.names)
            nominal[at] = self._fill(X[:, at : at + width], name)
            self.names += self._features(name)
            self.used.append(name)
        return X, nominal if nominal.any() else None, self.notes

    def _features(self, name: str) -> list[str]:
        return [f"{name} {PARTS[i]}" for i in self.dates[name][1]] if name in self.dates else [name]

    def _read_date(self, name: str) -> bool:
        """Whether a column holds dates. Says which parts are features; none if all dates are the same, or cannot be read."""
        column = self.table.columns[name]
        # Numbers such as 20210509 stay numbers.
        if not (form := date_format(column)):
            return False
        if form == UNKNOWN:
            self.notes.append(
                f"column {name!r} is left out: its dates may begin with the day or the month; write them as 2021-05-09"
            )
            return True
        parts = date_parts(column, form)
        _check_dates(self.table, name, parts)
        varying = tuple(i for i in range(len(PARTS)) if (parts[:, i] != parts[0, i]).any())
        if not varying:
            self.notes.append(f"column {name!r} is left out: its dates are all the same day")
            return True
        self.dates[name] = (form, varying)
        self.notes.append(
            f"column {name!r} holds dates: used as {', '.join(PARTS[i] for i in varying)} (or leave it out with features=…)"
        )
        return True

    def _fill(self, X: NDArray[np.float32], name: str) -> bool:
        """Put the features of a column into X (n, width). Whether they are categories."""
        column = self.table.columns[name]
        if name in self.dates:
            X[:] = dates(self.table, name, self.dates[name])
            return False
        numbers = column.numbers(self.table.decimal_comma)
        # Only a column without a single number is categorical; one bad cell among numbers is an error.
        if np.isnan(numbers).all() and (words := _categories(column)):
            X[:, 0] = coded(column, words)
            self.categories[name] = tuple(words)
            empty = ", one of them for empty cells" if "" in words else ""
            self.notes.append(f"column {name!r} holds words: coded as {len(words)} categories{empty}")
            return True
        check_numbers(self.table, name, numbers)
        X[:, 0] = numbers
        if before := _indistinct(numbers):
            after = len(np.unique(X[:, 0]))
            self.notes.append(
                f"column {name!r} loses digits: float32 has seven, and its {before} different numbers become {after}; subtract "
                "what they have in common"
            )
        return False


def dates(table: Table, name: str, how: tuple[str, Sequence[int]]) -> NDArray[np.float64]:
    """The parts (n, p) of a column of dates that is written and used as in `TableColumns.dates`.

    Raises:
        EquipoiseError: a cell is no such date.
    """
    form, wanted = how
    parts = date_parts(table.columns[name], form)
    _check_dates(table, name, parts)
    return parts[:, list(wanted)]


def known_columns(
    table: Table,
    inputs: Sequence[str],
    categories: Mapping[str, Sequence[str]],
    known_dates: Mapping[str, tuple[str, Sequence[int]]],
    columns: int,
) -> NDArray[np.float32]:
    """The features (n, columns) of a second table, read as those of the first, whose `TableColumns` are given.

    Raises:
        EquipoiseError: a cell is no number, date or known word; the message names file, line and column.
    """
    parts: list[NDArray[Any]] = []
    for name in inputs:
        column = table.columns[name]
        if name in known_dates:
            parts.append(dates(table, name, known_dates[name]))
        elif words := categories.get(name):
            known = frozenset(words)
            if (row := column.first(lambda cell, known=known: cell.strip() not in known)) >= 0:  # type: ignore[misc]
                raise unknown(f"word at {table.at(row, name)}:", column.cell(row).strip(), words)
            parts.append(coded(column, words)[:, None])
        else:
            numbers = column.numbers(table.decimal_comma)
            check_numbers(table, name, numbers)
            parts.append(numbers[:, None])
    X = np.empty((table.rows, columns), dtype=np.float32)
    np.concatenate(parts, axis=1, out=X, casting="same_kind")
    return X


def _check_dates(table: Table, name: str, parts: NDArray[np.float64]) -> None:
    if not (wrong := np.isnan(parts).any(1)).any():
        return
    row = int(wrong.argmax())
    cell = table.columns[name].cell(row).strip()
    fault = f"has {cell!r:.40}, which is no date" if cell else "is empty"
    raise EquipoiseError(f"{table.at(row, name)} {fault}; fill it, drop the row, or leave the column out")


def check_numbers(table: Table, name: str, numbers: NDArray[np.float64]) -> None:
    """Raise EquipoiseError at the first cell of a numeric column that is not a finite float32 number."""
    valid = np.abs(numbers) <= _LARGEST  # False for NaN as well
    if valid.all():
        return
    row = int((~valid).argmax())
    column = table.columns[name]
    if column.cell(row).startswith(LIST_SEPARATOR):
        raise EquipoiseError(
            f"{table.at(row, name)} holds a list; give each of its items a column of its own, or leave the column out"
        )
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


def _indistinct(numbers: NDArray[np.float64]) -> int:
    """The number of different values where several of them are one in float32; 0 where float32 keeps them apart."""
    spread = float(np.ptp(numbers))
    # Counting different numbers means sorting, and only numbers that are close together for their size can become equal.
    if not 0 < spread < 2**-12 * float(np.abs(numbers).max()):
        return 0
    before = len(np.unique(numbers))
    return before if len(np.unique(numbers.astype(np.float32))) < before else 0


def _categories(column: Column) -> list[str]:
    """The distinct words of a column, sorted; empty if there are too many or one of them is a malformed number."""
    words: set[str] = set()
    for cell in column.values():
        words.add(cell.strip())
        if len(words) > _most(column) or (cell.strip() and not is_word(cell)):
            return []
    return sorted(words) if words != {""} else []


def _most(column: Column) -> int:
    """The largest number of categories: with fewer than two rows each, the column is more likely an identifier."""
    return min(_MOST_CATEGORIES, len(column) // 2)


def coded(column: Column, words: Sequence[str]) -> NDArray[np.float64]:
    """The codes (n,) of a column of words: each word's position in the list, which holds them all."""
    code = {word: float(i) for i, word in enumerate(words)}
    return column.map(lambda cells: np.array([code[cell.strip()] for cell in cells]))
