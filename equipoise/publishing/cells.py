"""Chooses cells of published rows, and plans them again with the code and the libraries that are here."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.catalog.parts import only_part, parts
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError, shown
from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings
from equipoise.experiment.versions import versions
from equipoise.publishing.rows import names_folder, seconds_of
from equipoise.splits.outer import OFFICIAL
from equipoise.store.rows import Row
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.suite import Block, Suite

#: Strategy → the file of the folder that defines it, for submissions.
Files = Mapping[str, Path]


def sample(
    rows: Sequence[Row], number: int, seed: int, most_seconds: float | None, keys: Sequence[str]
) -> tuple[list[Row], str]:
    """The rows to recompute, and a sentence that says how they were chosen.

    Args:
        number: of cells that are drawn at random, each with the same probability, from those that have finished.
        most_seconds: only cells are drawn that took at most so long when they were published.
        keys: these cells instead.

    Raises:
        EquipoiseError: a key is unknown or its cell has not finished, or there is nothing to draw from.
    """
    finished = {row["key"]: row for row in rows if row["status"] == "ok"}
    if keys:
        for key in keys:
            if key not in finished:
                raise EquipoiseError(f"no finished cell has the key {key!r:.80}")
        chosen = [finished[key] for key in dict.fromkeys(keys)]
        return chosen, f"{len(chosen)} cell{'s' * (len(chosen) != 1)}, chosen by key"
    if number < 1:
        raise EquipoiseError(f"--sample must be 1 or more, got {number}")
    limit = math.inf if most_seconds is None else most_seconds
    # In the order of the file, so that a seed draws the same cells everywhere.
    # A cell whose time is not known (NaN) is drawn only without a limit.
    drawn_from = [row for row in finished.values() if most_seconds is None or seconds_of(row) <= limit]
    if not drawn_from:
        raise EquipoiseError(f"none of the {len(finished)} finished cells took at most {limit:g} s")
    drawn = random.Random(seed).sample(drawn_from, min(number, len(drawn_from)))
    within = "" if most_seconds is None else f" that took at most {limit:g} s"
    if len(drawn) == len(drawn_from):
        return drawn, f"all {len(drawn)} finished cells{within}"
    return (
        drawn,
        f"{len(drawn)} of {len(drawn_from)} finished cells{within}, drawn at random with seed {seed}",
    )


def planned(row: Row, files: Files, data: dict[str, Dataset], data_dir: Path | None) -> tuple[Cell, Plan]:
    """The cell of a row as it would run here. Data sets that are loaded are added to `data`.

    Raises:
        EquipoiseError: its data set, backbone or strategy is not here, or it can no longer run.
    """
    _check_names(row)
    split = row["split"]
    block = Block(
        datasets=(row["dataset"],),
        backbones=(row["backbone"],),
        strategies=(placed(row["strategy"], files),),
        settings=Settings.of(row.get("settings") or {}),
        # Split k is the same however many there are, so the smallest plan that has it is made.
        splits=OFFICIAL if split == OFFICIAL else int(split) + 1,
        seed=int(row.get("seed") or 0),
    )
    plan = make_plan(
        Suite("verify", "", (block,)), device=str(row.get("device") or "cpu"), data_dir=data_dir, data=data
    )
    data.update(plan.data)
    # One cell for each split up to the one that is wanted.
    for cell in plan.cells:
        if cell.split == split:
            return cell, plan
    reason = plan.skipped[0][1] if plan.skipped else "it is no longer planned"
    raise EquipoiseError(f"it cannot run here: {reason}")


def _check_names(row: Row) -> None:
    """Refuse a row that names code by its place, or a file by its folder: no published row does.

    Looking up such a name would run code that nobody has checked, since the folder of a stranger may name any.
    """
    for kind in ("dataset", "backbone", "strategy"):
        spec = row[kind]
        listed = parts(spec) if kind == "strategy" else [only_part(spec)]
        if names_folder(spec) or any(part.place(kind) is not None for part in listed):
            raise EquipoiseError(f"its {kind} is a place, {shown(spec)}, and not a name: it is not looked up")


def placed(spec: str, files: Files) -> str:
    """The spec with the files of a submission in the place of the names that they define."""
    if not files:
        return spec
    return "+".join(
        f"{files[part.name]}:{part.name}{part.settings}"
        if part.name in files and not part.file
        else f"{part.name}{part.settings}"
        for part in parts(spec)
    )


def changes(row: Mapping[str, Any], cell: Cell) -> list[str]:
    """What differs between the row and the cell here, of all that decides predictions; empty if the keys are equal."""
    if cell.key == row["key"]:
        return []
    found = code_changes(row, cell.code)
    for field, value in (("external_sha256", cell.external or None), ("device", cell.device)):
        if row.get(field) != value:
            found.append(field)
    if row.get("settings") != vars(cell.settings):
        found.append("settings that this version adds or names otherwise")
    return found or ["the key, for a reason that the row does not tell"]


def code_changes(row: Mapping[str, Any], code: str) -> list[str]:
    """What differs between the code and libraries that made a row and those that are here; `code` as in `Cell.code`."""
    found = []
    names = ("engine", "backbone's code", "strategy's code")
    before, now = str(row.get("code") or "").split("/"), code.split("/")
    if len(before) == len(now) == len(names):
        found += [name for name, b, n in zip(names, before, now, strict=True) if b != n]
    elif before != now:
        found.append("code")
    # The version of equipoise decides nothing by itself: its code is compared.
    libraries = {name: v for name, v in (row.get("versions") or {}).items() if name != "equipoise"}
    here = versions()
    return found + [f"{name} {v} → {here[name]}" for name, v in libraries.items() if here.get(name, v) != v]
