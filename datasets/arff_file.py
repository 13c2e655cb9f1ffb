"""A user's own ARFF file, with the labels that MULAN's XML beside it lists, that MEKA's header counts, or that are named."""

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
from equipoise.datasets.mulan import columns, label_names
from equipoise.readers.arff import Arff, read_arff
from equipoise.readers.tables import check_readable, split_names

_BLOCK = 1 << 13  # rows
_MEKA = re.compile(r"-[Cc]\s+(-?\d+)")


@dataclass(frozen=True)
class ArffFile(DatasetSource):
    """An ARFF file; `name` is its path. Options: `xml`, the path of MULAN's list of labels (default: the same name with
    .xml); `labels`, the label columns as "a+b" or a list; `encoding`.
    """

    xml: Any = None
    labels: Any = None
    encoding: str = "utf-8"

    def load(self, data_dir: Path | None = None) -> Dataset:
        """Read the file; `data_dir` is not used. Raises EquipoiseError with file, and line and attribute if any."""
        path = Path(self.name).expanduser()
        check_readable(path)
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
        """The names of the label columns and where they come from."""
        listed = Path(str(self.xml)).expanduser() if self.xml is not None else path.with_suffix(".xml")
        if self.labels is not None:
            one = not isinstance(self.labels, list | tuple)
            names = split_names(str(self.labels), table.names) if one else [str(n) for n in self.labels]
            note = "labels as named"
        elif self.xml is not None or listed.is_file():
            names, note = sorted(label_names(listed)), f"labels are those of {listed.name}"
        elif (found := _MEKA.search(table.relation)) and (count := int(found[1])):
            names = list(table.names[:count] if count > 0 else table.names[count:])
            note = f"labels are the {'first' if count > 0 else 'last'} {abs(count)} attributes ({found[0]})"
        else:
            raise EquipoiseError(
                f"{path}: which columns are labels? put {listed.name} beside it, or say labels=a+b"
            )
        for name in names:
            if name not in table.names:
                raise unknown(f"label of {path.name}:", str(name), table.names)
        return {str(name) for name in names}, note


def _labels(values: Any, index: NDArray[np.intp]) -> NDArray[np.uint8]:
    """(n, L), some thousand rows at a time: as numbers they would take four times the memory."""
    Y = np.empty((values.shape[0], len(index)), dtype=np.uint8)
    for begin in range(0, len(Y), _BLOCK):
        Y[begin : begin + _BLOCK] = columns(values[begin : begin + _BLOCK], index, dense=True)
    return Y


def _check_values(path: Path, table: Arff, is_label: NDArray[np.bool_]) -> None:
    """No value is missing, and a label is 0 or 1. Raises EquipoiseError with line and attribute."""
    for begin in range(0, table.values.shape[0], _BLOCK):
        found = _first_wrong(table.values[begin : begin + _BLOCK], is_label)
        if found is not None:
            row, place, value = found
            where = f"{path} line {table.lines[begin + row]}, attribute {table.names[place]!r}"
            raise EquipoiseError(f"{where} {_fault(value, table.categories[place], bool(is_label[place]))}")


def _first_wrong(rows: Any, is_label: NDArray[np.bool_]) -> tuple[int, int, float] | None:
    """Row, column and value."""
    if not isinstance(rows, np.ndarray):
        rows = rows.tocoo()
        wrong = ~np.isfinite(rows.data) | is_label[rows.col] & ~np.isin(rows.data, (0, 1))
        at = int(wrong.argmax()) if wrong.any() else -1
        return None if at < 0 else (int(rows.row[at]), int(rows.col[at]), float(rows.data[at]))
    wrong = ~np.isfinite(rows) | is_label & (rows != 0) & (rows != 1)
    row, place = divmod(int(wrong.argmax()), rows.shape[1])
    return (row, place, float(rows[row, place])) if wrong[row, place] else None


def _fault(value: float, categories: tuple[str, ...] | None, is_label: bool) -> str:
    if np.isnan(value):
        return "is missing; " + ("a label is 0 or 1" if is_label else "fill it, or drop the row or attribute")
    if is_label:
        shown = f"{value:g}" if categories is None else repr(categories[int(value)])
        return f"has {shown}; a label is 0 or 1, or one of two categories"
    return "has a number that is infinite or beyond float32"


#: A file has no name of its own, so none is listed; `load_dataset` comes here with a path.
sources: tuple[DatasetSource, ...] = ()
