"""The plan of `equipoise run`, before it runs: the cells, what is skipped and why, and what it will cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.equalities import equalities
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import Dataset
from equipoise.experiment.cell import Cell
from equipoise.report.comparison import BASELINE
from equipoise.report.equalities import partners, sentences
from equipoise.splits.groups import grouping_note, groups_of, twins
from equipoise.splits.outer import OFFICIAL, OUTER_FOLDS, official_split, split_name
from equipoise.sweep.estimate import core_hours, in_words
from equipoise.sweep.plan import Plan, describe
from equipoise.sweep.worker_count import Workers


def cell_in_words(cell: Cell) -> str:
    """ "yeast · mlp · focal · split 0"."""
    return f"{cell.dataset} · {cell.backbone} · {cell.strategy} · {split_name(cell.split)}"


def print_summary(console: Console, plan: Plan, todo: int, workers: str, results: Path) -> None:
    """Print the notes of the loaders about the data, and the size of the sweep in one line."""
    # No markup anywhere: rich would take the brackets of a spec for its own.
    for data in plan.data.values():
        for note in data.notes:
            console.print(f"{data.name}: {note}", style="dim", markup=False)
    for line in _groupings(plan):
        console.print(line, style="dim", markup=False)
    for note in plan.notes:
        console.print(note, style="dim", markup=False)
    for name in dict.fromkeys(cell.dataset for cell in plan.cells if cell.split == OFFICIAL):
        console.print(f"{name}: {_official(plan.data[name])}", style="dim", markup=False)
    counts = describe(plan)
    console.print(
        f"{counts['cells']} cell{'s' * (counts['cells'] != 1)} ({len(plan.cells) - todo} there already), "
        f"{counts['trainings']} trainings, "
        f"{counts['skipped']} skipped; {workers}; results in {results}",
        markup=False,
    )


def print_cells(console: Console, plan: Plan, todo: Sequence[Cell]) -> None:
    """Print a line for each cell, and the estimated cost of the cells that are still to run."""
    keys = {c.key for c in todo}
    lines = [f"{'run' if cell.key in keys else 'there':6} {cell_in_words(cell)}" for cell in plan.cells]
    lines += [f"skip   {cell_in_words(cell)}: {reason}" for cell, reason in plan.skipped]
    for (dataset, backbone), partners_of in _equal(plan).items():
        lines += [f"equal  {dataset} · {backbone}: {s}" for s in sentences(partners_of, BASELINE)]
    # All at once, since rich takes four times as long for thousands of single lines.
    if lines:
        console.print("\n".join(lines), markup=False)
    if todo:
        price = in_words(*core_hours(todo, plan.data))
        console.print(f"estimated cost: {price} (a rough guess; equipoise time measures it)", markup=False)


def as_data(plan: Plan, todo: Sequence[Cell], workers: Workers, results: Path) -> dict[str, Any]:
    """The plan for programs: every cell with its state, every skipped pair with its reason."""
    keys = {cell.key for cell in todo}
    hours, unknown = core_hours(todo, plan.data)
    # As if the cells that are still to run were the whole plan.
    counts = describe(replace(plan, cells=tuple(todo)))
    return {
        "cells": [{**_named(c), "state": "run" if c.key in keys else "there"} for c in plan.cells],
        "skipped": [{**_named(c), "reason": reason} for c, reason in plan.skipped],
        "same_as": [
            {"dataset": dataset, "backbone": backbone, "strategy": strategy, "from": others}
            for (dataset, backbone), partners_of in _equal(plan).items()
            for strategy, others in partners_of.items()
            if others
        ],
        "trainings": describe(plan)["trainings"],
        "to_run": {
            **{k: v for k, v in counts.items() if k != "skipped"},
            "core_hours": hours,
            "cells_of_unknown_speed": unknown,
        },
        "workers": {"count": workers.count, "why": workers.why},
        "results": str(results),
        "notes": [*plan.notes, *_groupings(plan)],
    }


def _equal(plan: Plan) -> dict[tuple[str, str], dict[str, dict[str, str]]]:
    """Data set and backbone → strategy → the strategies of the plan from which it cannot differ, see `partners`."""
    planned: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for cell in plan.cells:
        declared = planned.setdefault((cell.dataset, cell.backbone), {})
        if cell.strategy not in declared:
            backbone, n_labels = get_backbone(cell.backbone), plan.data[cell.dataset].n_labels
            found = equalities(get_strategy(cell.strategy), backbone, n_labels)
            declared[cell.strategy] = [asdict(equality) for equality in found]
    out = {}
    for pair, declared in planned.items():
        partners_of = partners(declared, BASELINE)
        # Only a strategy that decides has a decision of its own.
        for strategy, others in partners_of.items():
            if "decide" not in get_strategy(strategy).stages:
                others.pop("own_macro_f1", None)
        out[pair] = partners_of
    return out


def _named(cell: Cell) -> dict[str, Any]:
    names = ("dataset", "backbone", "strategy", "split", "seed", "device", "key")
    return {name: getattr(cell, name) for name in names}


def _groupings(plan: Plan) -> list[str]:
    """What keeping groups of rows together does to the splits of each data set, one line each."""
    kinds = dict.fromkeys((c.dataset, c.split == OFFICIAL, c.settings.group_equal_inputs) for c in plan.cells)
    lines = []
    for dataset, official, equal_inputs in kinds:
        data = plan.data[dataset]
        if official:
            shared = twins(groups_of(data), *official_split(data.official))
            if shared:
                lines.append(
                    f"{dataset}: {shared:.1%} of the official test rows have equal inputs in training"
                )
        elif words := grouping_note(data, groups_of(data, equal_inputs), OUTER_FOLDS):
            lines.append(f"{dataset}: {words}")
    return lines


def _official(data: Dataset) -> str:
    train, test = official_split(data.official)
    return f"the official split, {len(train)} rows to train and tune on, {len(test)} to test on"
