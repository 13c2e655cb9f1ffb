"""Finds the columns that number or name the rows of a table, which are identifiers and measure nothing."""

from __future__ import annotations

import re

import numpy as np

from equipoise.datasets._dates import date_format
from equipoise.readers.tables import Table

WORD = re.compile(r"[^\W\d_]")  # a letter; a cell without letters is a malformed number ("1,000"), not a word
_EXPONENT = re.compile(r"\s*[+-]?(\d+[.,]?\d*|[.,]\d+)[eE][+-]?\d+\s*")
#: Rows that are examined to tell words from numbers.
ENOUGH = 10_000
#: Names of identifiers, of rows or of what they belong to: id, user_id, "user id" and userId, but not "grid" or "humid".
_ID = re.compile(
    r"^(id|uuid|guid|idx|index|unnamed: 0)$|[_\s-](id|uuid|guid|idx)$|(?-i:[a-z]I[dD]$)", re.IGNORECASE
)
#: Names that features have, too: such a column is an identifier only if all its cells differ.
ROW_NAMES = ("id", "index", "row", "column 1", "unnamed: 0")


def named_as_identifier(name: str) -> bool:
    """Whether a column is called as identifiers are: id, user_id, userId, uuid, …"""
    return name.lower() in ROW_NAMES or _ID.search(name) is not None


def is_word(cell: str) -> bool:
    """Whether a cell holds a word; the letter of a number such as 1.5e-05 makes none."""
    return bool(WORD.search(cell)) and not _EXPONENT.fullmatch(cell)


def is_identifier(table: Table, name: str) -> bool:
    """Whether the column is an identifier: by its name, as a running number, or because its words all differ."""
    column = table.columns[name]
    if _ID.search(name):
        return True
    # A running number stands in front. Further back, whole numbers in equal steps may be settings of an experiment.
    if name == next(iter(table.columns)) and _is_running(table, name):
        return True
    # Numbers that all differ are ordinary measurements; words that all differ are names of rows.
    words = column.head(ENOUGH).mean(is_word) > 0.5
    return (name.lower() in ROW_NAMES or (words and not date_format(column))) and column.all_differ()


def identifier_note(name: str) -> str:
    """The note on an identifier that is left out of the features."""
    return (
        f"column {name!r} is left out: it numbers or names the rows (to use it, name it in features=…; where rows with the same "
        f"{name} belong together, give it as group_column)"
    )


def _is_running(table: Table, name: str) -> bool:
    """Whether the column holds whole numbers that grow by the same step in each row."""
    numbers = table.columns[name].numbers(table.decimal_comma)
    steps = np.diff(numbers)
    whole = bool(np.equal(numbers, np.round(numbers)).all())
    return whole and len(steps) > 1 and bool(steps[0] >= 1 and (steps == steps[0]).all())
