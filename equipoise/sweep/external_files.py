"""Reads the files of external rows that strategies name, while a sweep is planned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise.catalog.strategies import external_file, with_external_file
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.external import ExternalRows
from equipoise.contracts.strategy import Strategy
from equipoise.core.lazy import lazy
from equipoise.experiment.cell import Cell
from equipoise.splits.groups import row_keys

if TYPE_CHECKING:
    from equipoise.datasets import _external_file as reader
else:
    reader = lazy("equipoise.datasets._external_file")


class ExternalFiles:
    """Reads each file once for each data set, so that a bad one ends the plan and not a cell.

    Attributes:
        notes: what to tell the user about the files.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._hashes: dict[tuple[str, str], str] = {}

    def read_for(self, cell: Cell, strategy: Strategy, data: Dataset) -> Cell:
        """The cell with the hash of its external rows; the same cell if its strategy names no file.

        Raises:
            EquipoiseError: the file cannot be read, or does not fit the data set.
        """
        if not (file := external_file(strategy)):
            return cell
        if (cell.dataset, file) not in self._hashes:
            rows = reader.read_external(file, data)
            self._hashes[cell.dataset, file] = rows.sha256
            # Two paths may lead to one file.
            if (line := f"{data.name}: {note(data, rows)}") not in self.notes:
                self.notes.append(line)
        content = self._hashes[cell.dataset, file]
        return replace(
            cell, external=content, strategy_identity=with_external_file(strategy, content).identity
        )


def note(data: Dataset, rows: ExternalRows) -> str:
    """What to tell the user about a file: its rows, their parents, and how many are no new rows."""
    known = set(row_keys(data.X))
    copies = sum(key in known for key in row_keys(rows.X))
    equal = (
        f"; {copies} equal a row of the data set, and are left out where that is held out" if copies else ""
    )
    parents = len(np.unique(rows.parents))
    return f"{len(rows)} external rows in {rows.file}, made from {parents} of {data.n_rows} rows{equal}"
