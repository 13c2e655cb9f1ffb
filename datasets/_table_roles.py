"""Which columns of a table are text, features and labels: as said, or guessed with the guess in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.readers.tables import Table, shown, split_names

TRUTH = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "no": 0, "yes": 1}
WORD = re.compile(r"[^\W\d_]")  # a letter, without which a cell is a number gone wrong ("1,000")
_HEADINGS = ("subject", "title", "summary", "headline")
_BODIES = ("text", "body", "message", "email", "mail", "content", "comment", "description", "abstract")
_TAGS = ("labels", "label", "tags", "tag", "categories", "category", "topics", "topic", "classes", "class")
_ENOUGH = 10_000  # rows that are looked at to tell words from numbers
_ROW_NAMES = ("id", "index", "row", "column 1", "unnamed: 0")


@dataclass(frozen=True)
class Roles:
    """Either `text` or `features`; either `labels` (0/1 columns) or `label_column`."""

    text: tuple[str, ...]
    features: tuple[str, ...]
    labels: tuple[str, ...]
    label_column: str | None
    notes: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.text or self.features

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that hold labels."""
        return self.labels if self.label_column is None else (self.label_column,)


def assign(table: Table, text: Any, features: Any, labels: Any, label_column: Any) -> Roles:
    """Raises EquipoiseError on a column that is not there or is used twice, or where no guess makes sense."""
    _only_one(text=text, features=features)
    _only_one(labels=labels, label_column=label_column)
    inputs = _named(table, text if text is not None else features)
    named = _named(table, labels) or (() if label_column is None else (table.name_of(label_column),))
    _check_twice(table, inputs, named)
    notes: list[str] = []
    guessed = () if inputs else _guess_text(table, named)
    is_text = bool(guessed) or text is not None
    if not named:
        named, label_column = _guess_labels(table, inputs or guessed)
        notes.append(_told("labels", named, "labels=… or label_column=…"))
    if not inputs:
        inputs = guessed or _guess_features(table, named)
        notes.append(_told("text" if is_text else "features", inputs, "text=… or features=…"))
    if left := [name for name in table.columns if name not in (*inputs, *named)]:
        notes.append(f"columns left out: {shown(left)}")
    notes += [f"column left out: {why}" for why in table.refused.values()]
    if all(truth(name) is not None for name in named):
        notes.append("line 1 is read as the names of columns; if it is a row, put a line of names above it")
    return Roles(
        text=inputs if is_text else (),
        features=() if is_text else inputs,
        labels=() if label_column is not None else named,
        label_column=named[0] if label_column is not None else None,
        notes=tuple(notes),
    )


def truth(cell: str) -> int | None:
    """The 0 or 1 a cell stands for, None where it is another one."""
    return TRUTH.get(cell.strip().lower())


def _only_one(**options: Any) -> None:
    if all(value is not None for value in options.values()):
        raise EquipoiseError(f"give {' or '.join(options)}, not both")


def _named(table: Table, value: Any) -> tuple[str, ...]:
    """ "a+b" or a list of names → existing columns."""
    if value is None:
        return ()
    one = not isinstance(value, Iterable) or isinstance(value, str)
    names = split_names(str(value), table.columns) if one else [str(name).strip() for name in value]
    found = tuple(table.name_of(name) for name in names)
    if repeated := sorted({name for name in found if found.count(name) > 1}):
        raise EquipoiseError(f"column {repeated[0]!r} is named twice")
    if not found:
        raise EquipoiseError(f"an empty list of columns was given (known: {shown(table.columns)})")
    return found


def _check_twice(table: Table, inputs: tuple[str, ...], labels: tuple[str, ...]) -> None:
    if both := [name for name in inputs if name in labels]:
        raise EquipoiseError(f"{table.file}: column {both[0]!r} cannot be both an input and a label")


def _told(role: str, columns: tuple[str, ...], option: str) -> str:
    return f"guessed as {role}: {shown(columns, 8)} ({option} says otherwise)"


def _guess_labels(table: Table, inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Beside inputs every 0/1 column; else the last columns as far as they are 0/1; else one called "tags"."""
    free = [name for name in table.columns if name not in inputs]
    if inputs:
        found = [name for name in free if _is_truth(table, name)]
    else:
        found = list(takewhile(lambda name: _is_truth(table, name), reversed(free)))[::-1]
    if found:
        return tuple(found), None
    for tag in _TAGS:
        for name in free:
            if name.lower() == tag:
                return (name,), name
    _check_refused(table)
    raise EquipoiseError(
        f"{table.file}: cannot tell which columns are labels: none holds only 0 and 1; say labels=a+b or "
        f"label_column=a (columns: {shown(table.columns)})"
    )


def _guess_text(table: Table, labels: tuple[str, ...]) -> tuple[str, ...]:
    """A heading and a body by name, else the column with the longest cells of several words; else none."""
    free = [name for name in table.columns if name not in labels and not _is_truth(table, name)]
    free = [name for name in free if _has_words(table, name)]
    by_name = {name.lower(): name for name in free}
    headings = [by_name[name] for name in _HEADINGS if name in by_name][:1]
    bodies = [by_name[name] for name in _BODIES if name in by_name][:1]
    if bodies or headings:
        return (*headings, *bodies)
    heads = {name: table.columns[name].head(_ENOUGH) for name in free}
    wordy = [name for name in free if heads[name].mean(lambda cell: cell.count(" ")) >= 2]
    return (max(wordy, key=lambda name: heads[name].mean(len)),) if wordy else ()


def _guess_features(table: Table, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Every other column but those that name the row or are empty."""
    free = [name for name in table.columns if name not in labels]
    found = tuple(name for name in free if not (_names_the_row(table, name) or _is_empty(table, name)))
    if not found:
        _check_refused(table)
        raise EquipoiseError(
            f"{table.file}: no column is left for the inputs; say text=… or features=…, and labels=… "
            f"(columns: {shown(table.columns)})"
        )
    return found


def _check_refused(table: Table) -> None:
    """Where a role cannot be filled, a column that could not be read is the likely reason."""
    for why in table.refused.values():
        raise EquipoiseError(why)


def _is_truth(table: Table, name: str) -> bool:
    return all(truth(cell) is not None for cell in table.columns[name].values())


def _has_words(table: Table, name: str) -> bool:
    """Whether most cells, of the first, are something else than numbers."""
    return bool(np.isnan(table.columns[name].head(_ENOUGH).numbers(table.decimal_comma)).mean() > 0.5)


def _is_empty(table: Table, name: str) -> bool:
    return not any(cell.strip() for cell in table.columns[name].values())


def _names_the_row(table: Table, name: str) -> bool:
    column = table.columns[name]
    words = column.head(_ENOUGH).mean(lambda cell: bool(WORD.search(cell))) > 0.5
    return (name.lower() in _ROW_NAMES or words) and column.all_differ()
