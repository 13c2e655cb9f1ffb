"""The user's own ARFF file. Its labels are named by the user, by MULAN's XML file beside it, or by MEKA's header."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.contracts.dataset import Dataset, DatasetSource
from equipoise.core.errors import EquipoiseError, unknown
from equipoise.core.paths import user_path
from equipoise.datasets.mulan import columns, label_names
from equipoise.readers.arff import Arff, read_arff
from equipoise.readers.tables import check_readable, split_names

_BLOCK = 1 << 13  # rows
_MEKA = re.compile(r"-[Cc]\s+(-?\d+)")


@dataclass(frozen=True)
class ArffFile(DatasetSource):
    """An ARFF file; `name` is its path.

    Options: `xml`, the path of MULAN's list of labels (default: the file's own name with .xml); `labels`, the label
    columns as "a+b" or a list, which override the XML file and the header; `encoding`.
    """

    xml: Any = None
    labels: Any = None
    encoding: str = "utf-8"

    def load(self, data_dir: Path | None = None) -> Dataset:
        """Read the file; `data_dir` is not used.

        Raises:
            EquipoiseError: the file is malformed, has no data or no known labels, or a value is missing. The message
                names the file, and line and attribute where there is one.
        """
        path = user_path(self.name)
        check_readable(path)  # a clear error for a folder, a missing or a binary file
        table = read_arff(path, self.encoding)
        if table.values.shape[0] == 0:
            raise EquipoiseError(f"{path} has no data rows")
        if twice := [name for name, times in Counter(table.names).items() if times > 1]:
            raise EquipoiseError(f"{path}: attribute {twice[0]!r} is declared twice")
        marked, note = self._marked(path, table)
        is_label = np.array([name in marked for name in table.names])
        if is_label.all():
            raise EquipoiseError(f"{path}: every attribute is a label; none is left for the inputs")
        _check_values(path, table, is_label)
        nominal = np.array([table.categories[i] is not None for i in np.flatnonzero(~is_label)])
        return Dataset(
            name=path.stem,
            X=columns(table.values, np.flatnonzero(~is_label)),
            Y=_labels(table.values, np.flatnonzero(is_label)),
            labels=tuple(name for name in table.names if name in marked),
            source=str(self.name),
            terms="the user's own data",
            features=tuple(name for name in table.names if name not in marked),
            nominal=nominal if nominal.any() else None,
            notes=(note,),
        )

    def _marked(self, path: Path, table: Arff) -> tuple[set[str], str]:
        """The names of the label columns, and a note that says how they were determined."""
        listed = user_path(str(self.xml)) if self.xml is not None else path.with_suffix(".xml")
        if self.labels is not None:
            single = not isinstance(self.labels, list | tuple)
            names = split_names(str(self.labels), table.names) if single else [str(n) for n in self.labels]
            note = "labels are the columns given by labels=…"
            if repeated := sorted(name for name, times in Counter(names).items() if times > 1):
                raise EquipoiseError(f"label {repeated[0]!r} is named twice")
        elif self.xml is not None or listed.is_file():
            names, note = sorted(label_names(listed)), f"labels are those listed in {listed.name}"
        elif (option := _MEKA.search(table.relation)) and (count := int(option[1])):
            # MEKA writes "-C 6" (or -6) into @relation: the first (or last) six attributes are labels.
            names = list(table.names[:count] if count > 0 else table.names[count:])
            note = f"labels are the {'first' if count > 0 else 'last'} {abs(count)} attributes ({option[0]})"
        else:
            raise EquipoiseError(
                f"{path}: which columns are labels? put {listed.name} in the same folder, or use --labels a+b (or [labels=a+b])"
            )
        known = set(table.names)
        for name in names:
            if name not in known:
                raise unknown(f"label of {path.name}:", str(name), table.names)
        return {str(name) for name in names}, note


def _labels(values: Any, index: NDArray[np.intp]) -> NDArray[np.uint8]:
    """The labels, (n, L) of 0 and 1, converted in blocks: the float32 columns at once would take four times the memory."""
    Y = np.empty((values.shape[0], len(index)), dtype=np.uint8)
    for begin in range(0, len(Y), _BLOCK):
        Y[begin : begin + _BLOCK] = columns(values[begin : begin + _BLOCK], index, dense=True)
    return Y


def _check_values(path: Path, table: Arff, is_label: NDArray[np.bool_]) -> None:
    """Raise EquipoiseError, with line and attribute, if a value is not finite or a label is not 0 or 1."""
    for begin in range(0, table.values.shape[0], _BLOCK):
        wrong = _first_wrong(table.values[begin : begin + _BLOCK], is_label)
        if wrong is not None:
            row, column, value = wrong
            where = f"{path} line {table.lines[begin + row]}, attribute {table.names[column]!r}"
            raise EquipoiseError(f"{where} {_fault(value, table.categories[column], bool(is_label[column]))}")


def _first_wrong(rows: Any, is_label: NDArray[np.bool_]) -> tuple[int, int, float] | None:
    """Row, column and value of the first value that is not finite, or is a label other than 0 and 1."""
    if not isinstance(rows, np.ndarray):  # sparse: an omitted value is 0, which is always valid
        rows = rows.tocoo()
        wrong = ~np.isfinite(rows.data) | is_label[rows.col] & ~np.isin(rows.data, (0, 1))
        index = int(wrong.argmax()) if wrong.any() else -1
        return None if index < 0 else (int(rows.row[index]), int(rows.col[index]), float(rows.data[index]))
    wrong = ~np.isfinite(rows) | is_label & (rows != 0) & (rows != 1)
    # `argmax` finds the first True in row order.
    row, column = divmod(int(wrong.argmax()), rows.shape[1])
    return (row, column, float(rows[row, column])) if wrong[row, column] else None


def _fault(value: float, categories: tuple[str, ...] | None, is_label: bool) -> str:
    """What is wrong with a value, in words."""
    if np.isnan(value):
        return "is missing; " + ("a label is 0 or 1" if is_label else "fill it, or drop the row or attribute")
    if is_label:
        # A sparse row may hold any number under an attribute of categories.
        coded = categories is not None and value in range(len(categories))
        shown = repr(categories[int(value)]) if categories is not None and coded else f"{value:g}"
        return f"has {shown}; a label is 0 or 1, or one of two categories"
    return "has a number that is infinite or beyond float32"


#: Empty, because there is no named data set here; `load_dataset` uses `ArffFile` when it is given a path.
sources: tuple[DatasetSource, ...] = ()
