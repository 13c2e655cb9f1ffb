"""Takes rows of published folders for a plan, so that a sweep on another machine computes only what is missing.

A row is used if its key is that of a planned cell: then the code, the libraries, the settings and the data are the same. The
published rows have no predictions; their metrics cannot be rescored, and MLflow has no pictures of them.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equipoise.core.errors import EquipoiseError
from equipoise.experiment.cell import Cell
from equipoise.experiment.versions import cpu_capability
from equipoise.publishing.cells import changes
from equipoise.publishing.folder import README, read_folder, text_of
from equipoise.publishing.readme import withdrawn
from equipoise.store.rows import Row
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan
from equipoise.sweep.rescore import stale

#: What names cells → the planned cells of these names, which differ in their settings.
Places = dict[tuple[Any, ...], list[Cell]]


@dataclass
class Reusable:
    """What the rows of published folders are to a plan.

    Attributes:
        rows: those to copy into the store, spelled as the plan spells its cells.
        lines: one or more sentences on each folder: how many rows are used, and why others are not.
    """

    rows: list[Row] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def statuses(self) -> dict[str, str]:
        """Key → status of the rows to copy."""
        return {row["key"]: row["status"] for row in self.rows}

    def copy_to(self, store: Store) -> None:
        """Append the rows to a store, without predictions."""
        if self.rows:
            # A kill in between leaves the first rows, and the next run copies the others.
            with store.locked():
                for row in self.rows:
                    store.append(row)


def reusable(paths: Sequence[Path], plan: Plan, store: Store, redo: str = "missing") -> Reusable:
    """The rows of these folders that a plan can use and the store lacks.

    Raises:
        EquipoiseError: a folder is missing, damaged, withdrawn or was not written by this package; or all is to be done anew.
    """
    if paths and redo == "all":
        raise EquipoiseError("--redo all computes every cell anew, so there is nothing to --reuse")
    out = Reusable()
    if not paths:
        return out
    # Skipped cells have rows, too.
    planned = [*plan.cells, *(cell for cell, _ in plan.skipped)]
    cells = {cell.key: cell for cell in planned}
    places: Places = {}
    for cell in planned:
        places.setdefault(_place(cell), []).append(cell)
    known = set(store.statuses())
    # A row that two folders have is taken from the first.
    for path in paths:
        folder = read_folder(path)
        # Nothing is copied into a store that was not checked against its hash.
        folder.whole()
        if withdrawn(text_of(path / README)):
            raise EquipoiseError(f"{path} is withdrawn, as its README says: its rows are not used")
        fitting = [_spelled(row, cells[row["key"]]) for row in folder.rows if row["key"] in cells]
        used = [row for row in fitting if row["key"] not in known]
        known |= {row["key"] for row in used}
        out.rows += used
        out.lines += _in_words(path, folder.rows, fitting, used, places)
    return out


def _place(cell: Cell) -> tuple[Any, ...]:
    """What names a cell, whichever code and libraries it runs with."""
    return (cell.dataset, cell.backbone_identity, cell.strategy, cell.split, cell.seed)


def _spelled(row: Row, cell: Cell) -> Row:
    """The row with the paths of files as the plan has them; published rows have none."""
    return {**row, "dataset": cell.dataset, "backbone": cell.backbone, "strategy": cell.strategy}


def _in_words(
    path: Path, rows: Sequence[Row], fitting: Sequence[Row], used: Sequence[Row], places: Places
) -> list[str]:
    keys = {row["key"] for row in fitting}
    reasons = Counter(_reason(row, places) for row in rows if row["key"] not in keys)
    there = len(fitting) - len(used)
    counts = [f"{len(used)} of {len(rows)} rows are used"]
    counts += [f"{there} are in the store already"] if there else []
    counts += [f"{count} are {reason}" for reason, count in reasons.items()]
    lines = [f"{path}: {', '.join(counts)}"]
    here = cpu_capability()
    if other := sorted({str(row.get("cpu")) for row in used} - {here}):
        lines.append(
            f"{path}: rows were made with the CPU capability {', '.join(other)}, and this machine has {here}: they are equal "
            "within a tolerance (docs/published.md), not to the bit"
        )
    if outdated := sum(map(stale, used)):
        lines.append(
            f"{path}: {outdated} of the rows hold metrics of other code, and cannot be rescored without their predictions"
        )
    return lines


def _reason(row: Row, places: Places) -> str:
    """Why a row is not used."""
    names = ("dataset", "backbone_identity", "strategy", "split", "seed")
    cells = places.get(tuple(row.get(name) for name in names), [])
    if not cells:
        return "of cells that are not planned"
    if row.get("dataset_sha256") not in {cell.dataset_sha256 for cell in cells}:
        return "of another content of the data set"
    # Two blocks of a suite may plan a cell with different settings.
    cell = next((one for one in cells if row.get("settings") == dataclasses.asdict(one.settings)), None)
    if cell is None:
        return "of other settings"
    return f"of other code or libraries ({', '.join(changes(row, cell))})"
