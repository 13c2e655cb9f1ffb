"""Tells 0/1 columns from others, and 0/1 columns with a few odd cells from both."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.datasets._label_names import THRESHOLD, truth
from equipoise.readers.columns import Column
from equipoise.readers.tables import Table

_FEW, _SHARE = 2, 0.05  # odd cells that a 0/1 column may have before it is another kind of column
_HEAD = 4096  # rows
_MINUS = re.compile(r"-1(\.0*)?")


class _Counts(NamedTuple):
    """How many cells of a column are 0, 1, empty, −1, a fraction between 0 and 1, or anything else."""

    zero: int = 0
    one: int = 0
    empty: int = 0
    minus: int = 0
    fraction: int = 0
    other: int = 0


def is_truth(table: Table, name: str) -> bool:
    """Whether every cell of a column is 0 or 1."""
    return all(truth(cell, table.decimal_comma) is not None for cell in table.columns[name].values())


def check_truth(table: Table, name: str) -> None:
    """Raise EquipoiseError unless the column holds only 0 and 1, or their synonyms (no/yes, false/true)."""
    if (row := _first_odd(table, name)) >= 0:
        raise EquipoiseError(_fault(table, name, row))


def check_not_nearly(table: Table, name: str, beside_text: bool) -> None:
    """Refuse a column that is a 0/1 column but for a few odd cells: it must neither be lost as a label nor become an input.

    Beside texts, gaps and −1 (not annotated) may be many, and so may fractions beside a majority of 0 and 1; among columns of
    numbers these can be features.

    Raises:
        EquipoiseError: the column is of this kind; the message names the first odd cell.
    """
    # The first rows tell most columns of other kinds.
    if _counts(table, table.columns[name].head(_HEAD)).other > max(_FEW, _SHARE * table.rows):
        return
    counts = _counts(table, table.columns[name])
    if not counts.zero or not counts.one:
        return
    odd, sure = table.rows - counts.zero - counts.one, counts.zero + counts.one
    few = odd <= max(_FEW, _SHARE * table.rows) and odd < sure
    if few or (beside_text and not counts.other and (not counts.fraction or sure >= counts.fraction)):
        raise EquipoiseError(
            f"{_fault(table, name, _first_odd(table, name))}; correct it, drop the row, or say which columns are the labels: "
            "--labels a+b (or [labels=a+b])"
        )


def fractions(table: Table, name: str) -> bool:
    """Whether all cells are numbers from 0 to 1 and some are fractions, as scores of labels are."""
    counts = _counts(table, table.columns[name])
    return counts.fraction > 0 and counts.fraction + counts.zero + counts.one == table.rows


def _first_odd(table: Table, name: str) -> int:
    return table.columns[name].first(lambda cell: truth(cell, table.decimal_comma) is None)


def _counts(table: Table, column: Column) -> _Counts:
    total = np.zeros(len(_Counts()), dtype=int)
    for values, codes in column.coded():
        kinds = [_kind(cell, table.decimal_comma) for cell in values]
        np.add.at(total, kinds, np.bincount(codes, minlength=len(values)))
    return _Counts(*total.tolist())


def _kind(cell: str, decimal_comma: bool) -> int:
    """The position of a cell's kind in `_Counts`."""
    if (known := truth(cell, decimal_comma)) is not None:
        return known
    text = cell.strip()
    if not text or text.lower() in ("nan", "na", "n/a", "none", "null"):
        return 2
    if _MINUS.fullmatch(text):
        return 3
    return 4 if 0 < _number(text, decimal_comma) < 1 else 5


def _fault(table: Table, name: str, row: int) -> str:
    """What is wrong with a cell of a 0/1 column, and where it is."""
    cell = table.columns[name].cell(row).strip()
    rule = "a label is 0 or 1 (or no/yes, false/true)"
    hint = f": {THRESHOLD}" if 0 < _number(cell, table.decimal_comma) < 1 else ""
    return f"{table.at(row, name)} {f'has {cell!r:.40}' if cell else 'is empty'}; {rule}{hint}"


def _number(cell: str, decimal_comma: bool) -> float:
    try:
        return float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError:
        return math.nan
