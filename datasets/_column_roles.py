"""Decides which columns of a table are text, features and labels: as the user says, or detected and reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.datasets._dates import date_format
from equipoise.datasets._identifiers import ENOUGH, identifier_note, is_identifier
from equipoise.datasets._label_names import THRESHOLD, is_list, truth
from equipoise.datasets._literals import looks_listed
from equipoise.datasets._truth import check_not_nearly, fractions, is_truth
from equipoise.readers.tables import Table, name_list, split_names

# Column names by which a role is detected, in order of preference.
_HEADINGS = ("subject", "title", "summary", "headline")
_BODIES = (
    "text",
    "body",
    "message",
    "email",
    "mail",
    "content",
    "comment",
    "description",
    "abstract",
    "overview",
    "plot",
    "synopsis",
    "review",
    "tweet",
    "question",
)
TAGS = (
    "labels",
    "label",
    "tags",
    "tag",
    "categories",
    "category",
    "topics",
    "topic",
    "classes",
    "class",
    "genres",
    "genre",
)


@dataclass(frozen=True)
class Roles:
    """The columns by role: either `text` or `features`, and either `labels` (0/1 columns) or `label_column`."""

    text: tuple[str, ...]
    features: tuple[str, ...]
    labels: tuple[str, ...]
    label_column: str | None
    notes: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that hold inputs."""
        return self.text or self.features

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that hold labels."""
        return self.labels if self.label_column is None else (self.label_column,)


def assign(table: Table, text: Any, features: Any, labels: Any, label_column: Any) -> Roles:
    """Assign the roles; a role that the user leaves open is detected, with a note.

    Raises:
        EquipoiseError: a column does not exist or is used twice, or a role cannot be detected.
    """
    _only_one(text=text, features=features)
    _only_one(labels=labels, label_column=label_column)
    inputs = _named(table, text if text is not None else features)
    named = _named(table, labels) or (() if label_column is None else (table.label_name(label_column),))
    taken = set(named)
    if both := [name for name in inputs if name in taken]:
        raise EquipoiseError(f"{table.file}: column {both[0]!r} cannot be both an input and a label")
    notes: list[str] = []
    # The text is detected before the labels: beside known inputs all remaining 0/1 columns can be labels.
    guessed = () if inputs else _guess_text(table, named)
    is_text = bool(guessed) or text is not None
    if not named:
        named, label_column = _guess_labels(table, inputs or guessed)
        notes.append(
            _detected("labels", named, "--labels or --label-column, in brackets labels=… or label_column=…")
        )
    if not inputs:
        inputs, numbering = (guessed, []) if guessed else _guess_features(table, named)
        notes += [identifier_note(name) for name in numbering]
        notes.append(
            _detected(
                "text" if is_text else "features",
                inputs,
                "--text or --features, in brackets text=… or features=…",
            )
        )
    used = {*inputs, *named}
    if left := [name for name in table.columns if name not in used]:
        notes.append(f"columns left out: {name_list(left)}")
    notes += [f"column left out: {why}" for why in table.refused.values()]
    # A column called "0" or "1": the file may lack a header.
    if all(truth(name) is not None for name in named):
        notes.append(
            "line 1 is read as the column names; if it is a row of data, insert a line of names above it"
        )
    return Roles(
        text=inputs if is_text else (),
        features=() if is_text else inputs,
        labels=() if label_column is not None else named,
        label_column=named[0] if label_column is not None else None,
        notes=tuple(notes),
    )


def _only_one(**options: Any) -> None:
    if all(value is not None for value in options.values()):
        raise EquipoiseError(f"give {' or '.join(options)}, not both")


def _named(table: Table, value: Any) -> tuple[str, ...]:
    """The existing columns that "a+b" or a list of names refers to."""
    if value is None:
        return ()
    single = not isinstance(value, Iterable) or isinstance(value, str)
    names = split_names(str(value), table.columns) if single else [str(name).strip() for name in value]
    columns = tuple(table.name_of(name) for name in names)
    if repeated := sorted(name for name, times in Counter(columns).items() if times > 1):
        raise EquipoiseError(f"column {repeated[0]!r} is named twice")
    if not columns:
        raise EquipoiseError(f"the list of columns is empty (the table has: {name_list(table.columns)})")
    return columns


def _detected(role: str, columns: tuple[str, ...], option: str) -> str:
    return f"detected as {role}: {name_list(columns, 8)} (to override, use {option})"


def _guess_labels(table: Table, inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Detect the label columns, and the label column if there is only a column of names.

    With known inputs these are all other 0/1 columns. Otherwise they are the 0/1 columns at the end of the table, because
    a 0/1 column further in front can be a feature. Failing both, it is a column called "labels", "tags" or the like.
    """
    taken = set(inputs)
    free = [name for name in table.columns if name not in taken]
    if inputs:
        binary = [name for name in free if is_truth(table, name)]
    else:
        binary = list(takewhile(lambda name: is_truth(table, name), reversed(free)))[::-1]
    _check_odd(table, free, binary, beside_text=bool(inputs))
    if binary:
        return tuple(binary), None
    for tag in TAGS:
        for name in (*free, *table.nested):
            if name.lower() == tag:
                return (table.label_name(name),), name
    _check_refused(table)
    scores = next((name for name in free if fractions(table, name)), "")
    hint = f"; column {scores!r} holds fractions: to make labels of them, {THRESHOLD}" if scores else ""
    if lists := [name for name in (*free, *table.nested) if _holds_lists(table, name)]:
        hint = f"; column {lists[0]!r} holds lists: --label-column {lists[0]} (or [label_column={lists[0]}])"
    raise EquipoiseError(
        f"{table.file}: cannot tell which columns are labels: none holds only 0 and 1; use --labels a+b or --label-column a "
        f"(in brackets labels=a+b or label_column=a; columns: {name_list(table.columns)}){hint}"
    )


def _holds_lists(table: Table, name: str) -> bool:
    """Whether the first filled cell is a list or an object."""
    column = table.columns[name] if name in table.columns else table.nested[name]
    cell = next((cell for cell in column.values() if cell.strip()), "")
    return is_list(cell) or (looks_listed(cell.strip()) and cell.strip()[0] in "[{")


def _check_odd(table: Table, free: list[str], binary: list[str], beside_text: bool) -> None:
    """Refuse a 0/1 column with an odd cell where a label was looked for."""
    known = set(binary)
    others = [name for name in free if name not in known]
    # Without texts, the search for labels from the last column ended at one column; those in front of it are features.
    for name in others if beside_text else others[-1:]:
        check_not_nearly(table, name, beside_text)


def _guess_text(table: Table, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Detect the text columns: a heading and a body by their names, or else the column with the longest cells.

    A column qualifies as text by its length only if its cells hold two spaces on average, as sentences do.
    """
    taken = set(labels)
    free = [name for name in table.columns if name not in taken and not is_truth(table, name)]
    free = [name for name in free if _has_words(table, name)]
    # Names decide first, because a heading can be longer than the body it belongs to.
    by_name = {name.lower(): name for name in free}
    headings = [by_name[name] for name in _HEADINGS if name in by_name][:1]
    bodies = [by_name[name] for name in _BODIES if name in by_name][:1]
    if bodies or headings:
        return (*headings, *bodies)
    heads = {name: table.columns[name].head(ENOUGH) for name in free}
    wordy = [name for name in free if heads[name].mean(lambda cell: cell.count(" ")) >= 2]
    wordy = [name for name in wordy if not date_format(heads[name])]
    return (max(wordy, key=lambda name: heads[name].mean(len)),) if wordy else ()


def _guess_features(table: Table, labels: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """Detect the features: all remaining columns except empty ones and row identifiers, which are returned, too."""
    taken = set(labels)
    free = [name for name in table.columns if name not in taken]
    filled = [name for name in free if any(cell.strip() for cell in table.columns[name].values())]
    named = {name for name in filled if is_identifier(table, name)}
    features = tuple(name for name in filled if name not in named)
    if not features:
        _check_refused(table)
        raise EquipoiseError(
            f"{table.file}: no column is left for the inputs; use --text or --features, and --labels "
            f"(in brackets text=…, features=…, labels=…; columns: {name_list(table.columns)})"
        )
    return features, [name for name in filled if name in named]


def _check_refused(table: Table) -> None:
    """Raise the error of an unreadable column, if there is one: the likely reason why a role cannot be detected."""
    for why in table.refused.values():
        raise EquipoiseError(why)


def _has_words(table: Table, name: str) -> bool:
    """Whether most of the first cells are not numbers."""
    return bool(np.isnan(table.columns[name].head(ENOUGH).numbers(table.decimal_comma)).mean() > 0.5)
