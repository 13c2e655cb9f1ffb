"""Reads the labels of a table from one column that names them, in any of the forms of `_label_formats`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.core.errors import EquipoiseError
from equipoise.datasets._label_formats import LIST, SPLIT, LabelFormat, label_format, spelt
from equipoise.datasets._label_names import THRESHOLD, LabelFault, is_list, truth
from equipoise.readers.tables import Table, name_list, split_names

MULTI_HOT = "multi-hot"
_SHOWN = 3  # names in a warning


def label_column(
    table: Table, name: str, separator: Any, kind: str, positions: Any, chosen: bool
) -> tuple[NDArray[np.uint8], tuple[str, ...], list[str]]:
    """The labels (n, L), their names, sorted or in the order of their positions, and notes. Empties the column.

    Args:
        separator, kind: what the user says (see `label_format`). positions: the names of the positions of multi-hot lists.
        chosen: whether the user has named the column.

    Raises:
        EquipoiseError: a cell is not readable, or two readings are plausible.
    """
    column = table.columns[name]
    where = f"{table.file}, column {name!r}"
    cells = list(dict.fromkeys(column.values()))
    mark = None if separator is None else str(separator)
    form = _format(where, cells, kind, mark, positions)
    pieces = _pieces(table, name, cells, form)
    if positions is not None or kind == MULTI_HOT or _multi_hot(pieces):
        return _by_position(table, name, pieces, positions)
    _refuse_scores(table, name, pieces)
    Y, names = _by_name(table, name, pieces, chosen)
    return Y, names, [*_notes(name, form, mark, cells, Y), *_warnings(names)]


def _format(where: str, cells: list[str], kind: str, mark: str | None, positions: Any) -> LabelFormat:
    if kind != MULTI_HOT and positions is None:
        return label_format(where, cells, kind, mark)
    # The digits of a text such as "0110" have nothing between them.
    texts = [cell.strip() for cell in cells if cell.strip() and not is_list(cell)]
    if mark is None and texts and all(set(text) <= {"0", "1"} for text in texts):
        return _Digits("split")
    return label_format(where, cells, "auto", mark)


class _Digits(LabelFormat):
    """Every character is a digit of its own."""

    def items(self, cell: str) -> list[str]:
        return list(cell.strip())


class _Split(Mapping[str, tuple[str, ...]]):
    """The names in each distinct cell, divided anew whenever they are asked for: all of them would take twice the file."""

    def __init__(self, cells: Sequence[str], form: LabelFormat) -> None:
        self._cells, self._form = cells, form

    def __getitem__(self, cell: str) -> tuple[str, ...]:
        return tuple(self._form.items(cell))

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)


def _pieces(
    table: Table, name: str, cells: Sequence[str], form: LabelFormat
) -> Mapping[str, tuple[str, ...]]:
    """The names in each distinct cell; an error says where the cell is."""
    # Literals are slow to parse, so they are kept. A name is one object in all cells.
    kept: dict[str, tuple[str, ...]] = {}
    known: dict[str, str] = {}
    for cell in cells:
        try:
            found = form.items(cell)
        except LabelFault as fault:
            raise _at(table, name, cell, str(fault)) from None
        if form.kind == LIST:
            kept[cell] = tuple(known.setdefault(item, item) for item in found)
    return kept if form.kind == LIST else _Split(cells, form)


def _at(table: Table, name: str, cell: str, fault: str) -> EquipoiseError:
    row = table.columns[name].first(lambda other: other == cell)
    return EquipoiseError(f"{table.at(row, name)} {fault}")


def _multi_hot(pieces: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the lists hold a 0 or 1 for each label: all are equally long, or a list repeats an item."""
    lengths, repeats = set(), False
    for cell in filter(None, pieces.values()):
        if any(_truth(item) is None for item in cell):
            return False
        lengths.add(len(cell))
        repeats = repeats or len(set(cell)) < len(cell)
    # Lists of the numbers of labels, such as [0], [1] and [0, 1], are not equally long and repeat nothing.
    return bool(lengths) and lengths != {1} and (len(lengths) == 1 or repeats)


def _truth(item: str) -> int | None:
    """0 or 1; words such as yes and no are names in a list."""
    return None if item.lower() in ("yes", "no") else truth(item)


def _by_position(
    table: Table, name: str, pieces: Mapping[str, tuple[str, ...]], positions: Any
) -> tuple[NDArray[np.uint8], tuple[str, ...], list[str]]:
    """One label for each position of the lists."""
    listed = isinstance(positions, list | tuple)
    names = [] if positions is None else [*map(str, positions)] if listed else split_names(str(positions), ())
    width = len(names) or max(map(len, pieces.values()))
    truths = {}
    for cell, row in pieces.items():
        truths[cell] = [_truth(item) for item in row]
        if len(row) != width:
            said = "label names" if names else "in other rows"
            raise _at(
                table, name, cell, f"holds {len(row)} values, not {width} as {said}: one for each label"
            )
        if None in truths[cell]:
            item = row[truths[cell].index(None)]
            hint = f": {THRESHOLD}" if "." in item else ""
            raise _at(table, name, cell, f"has {item!r:.40} in a list of 0 and 1{hint}")
    parts = [
        np.array([truths[value] for value in values], dtype=np.uint8)[codes]
        for values, codes in table.columns[name].drain()
    ]
    labels = tuple(names) or tuple(f"{name}_{i}" for i in range(width))
    how = "" if names else "; name them with --label-names a+b+c or [label_names=a+b+c]"
    notes = [f"labels are read from column {name!r}, lists of 0 and 1, a label for each position{how}"]
    return np.concatenate(parts), labels, notes


def _refuse_scores(table: Table, name: str, pieces: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse equally long lists of fractions, which are probabilities and no names."""
    if len({len(row) for row in pieces.values()}) != 1:
        return
    for cell, row in pieces.items():
        if len(row) > 1 and any(_is_fraction(item) for item in row):
            scores = all(_is_fraction(i) or _truth(i) is not None for r in pieces.values() for i in r)
            if scores:
                raise _at(table, name, cell, f"holds fractions; a label is 0 or 1: {THRESHOLD}")


def _is_fraction(item: str) -> bool:
    try:
        return 0 < float(item) < 1
    except ValueError:
        return False


def _by_name(
    table: Table, name: str, pieces: Mapping[str, tuple[str, ...]], chosen: bool
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """The labels by name, sorted."""
    names = tuple(sorted({item for row in pieces.values() for item in row if item}))
    if not names:
        raise EquipoiseError(f"{table.file} column {name!r} holds no label in any row")
    # A column of free text shows by more labels than rows. The user who names the column knows what it is.
    if len(names) > table.rows and not chosen:
        raise EquipoiseError(
            f"{table.file} column {name!r} holds {len(names)} different labels in {table.rows} rows: is it the label column? "
            f"If so, say it: --label-column {name} or [label_column={name}]"
        )
    number = {label: i for i, label in enumerate(names)}
    Y, begin = zeros(table, len(names)), 0
    for values, codes in table.columns[name].drain():
        # Each distinct cell is read once; rows refer to it by their code.
        split = [sorted({number[item] for item in pieces[value] if item}) for value in values]
        lengths = np.array([len(numbers) for numbers in split], dtype=np.int64)[codes]
        rows = begin + np.repeat(np.arange(len(codes)), lengths)
        flat = chain.from_iterable(split[code] for code in codes)
        Y[rows, np.fromiter(flat, dtype=np.int64, count=int(lengths.sum()))] = 1
        begin += len(codes)
    return Y, names


def zeros(table: Table, labels: int) -> NDArray[np.uint8]:
    """A matrix of zeros for all rows (n, labels); EquipoiseError where memory is too short for it."""
    try:  # a column of free text taken for labels can ask for any amount of memory
        return np.zeros((table.rows, labels), dtype=np.uint8)
    except MemoryError:
        size = f"{table.rows} rows × {labels} labels take {table.rows * labels / 2**30:.0f} GiB"
        raise EquipoiseError(
            f"{table.file}: {size} of memory; keep only the more frequent labels, or fewer rows"
        ) from None


def _notes(
    name: str, form: LabelFormat, mark: str | None, cells: list[str], Y: NDArray[np.uint8]
) -> list[str]:
    how = form.words
    if form.kind == "whole" and mark is None:
        how += " (no separator found; set one with --separator or [separator=…])"
    notes = [f"labels are read from column {name!r}, {how}"] if mark is None or form.kind != SPLIT else []
    if mark is not None and form.kind == "list":
        notes.append(f"warning: separator {mark!r} is not used, because column {name!r} holds lists")
    elif form.kind == SPLIT and not any(form.separator in cell for cell in cells):
        notes.append(f"warning: separator {spelt(form.separator)!r} occurs in no cell of column {name!r}")
    unlabelled = int((Y.sum(axis=1) == 0).sum())
    return notes + ([f"{unlabelled} rows have no label"] if unlabelled else [])


def _warnings(names: Sequence[str]) -> list[str]:
    """Warnings about names that look as if they had been read wrongly."""
    notes = []
    if marked := [name for name in names if set(name) & set("[{(<'\"")]:
        notes.append(
            f"warning: labels with brackets or quotation marks in their names: {_examples(marked)}; if these are not part of "
            "the names, set --separator or --label-format (or [separator=…], [label_format=…])"
        )
    if blank := [name for name in names if name.lower() in ("nan", "none", "null", "n/a", "na")]:
        notes.append(
            f"warning: labels named {_examples(blank)}; if these are missing values, empty the cells"
        )
    return notes + alike(names)


def alike(names: Sequence[str]) -> list[str]:
    """A warning about labels that differ only in case or blanks; none if there are no such labels."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault("".join(name.casefold().split()), []).append(name)
    same = [group for group in groups.values() if len(group) > 1]
    if not same:
        return []
    shown = "; ".join(" and ".join(map(repr, group[:2])) for group in same[:_SHOWN])
    more = f" and {len(same) - _SHOWN} more" if len(same) > _SHOWN else ""
    return [f"warning: labels that differ only in case or blanks: {shown}{more}; are they the same?"]


def _examples(names: list[str]) -> str:
    return name_list(map(repr, names), _SHOWN)
