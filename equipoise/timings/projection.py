"""Estimates how long a plan takes at measured speeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import Dataset
from equipoise.experiment.cell import Cell
from equipoise.sweep.grouping import training_keys
from equipoise.sweep.plan import Plan, describe
from equipoise.timings.speeds import BASELINE, Speed

#: Seconds until the first training step of a sweep.
START = 5.0


@dataclass(frozen=True)
class Sweep:
    """The estimated cost of a plan.

    Attributes:
        core_seconds: of one core, or of the device. seconds: on the clock with `workers`.
        unknown: cells that the two leave out, since their data set and backbone could not be timed.
    """

    cells: int
    skipped: int
    trainings: int
    core_seconds: float
    workers: int
    seconds: float
    unknown: int = 0


def estimate(plan: Plan, speeds: Sequence[Speed], workers: int) -> Sweep:
    """Estimate the cost of a plan with `workers` processes, if no trial is pruned."""
    trained, known = training_keys(plan.cells), list(_speeds(plan, speeds))
    each = [
        speed.seconds(cell, plan.data[cell.dataset], training=cell.key in trained) for cell, speed in known
    ]
    # Features are computed once for all strategies of a split.
    splits = {(c.dataset, c.backbone, c.split): speed.features for c, speed in known}
    total = sum(each) + sum(per_row * plan.data[name].n_rows for (name, _, _), per_row in splits.items())
    # However many workers there are, a sweep takes at least as long as its longest cell.
    longest = max(each, default=0.0)
    clock = START + max(total / workers, longest) if each else 0.0
    unknown = len(plan.cells) - len(known)
    return Sweep(**describe(plan), core_seconds=total, workers=workers, seconds=clock, unknown=unknown)


def records(plan: Plan, speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """For each speed: its fields, the seconds of a cell of the plan, and these as a multiple of the seconds of `none`.

    `noise` is by how much that multiple may differ by noise alone, as a share: the larger one of the differences between the two
    measurements of the strategy and of `none`, and at least what is usual among all; None if they were measured once.
    """
    base = {(s.dataset, s.backbone): s for s in speeds if s.strategy == BASELINE}
    cells = {(c.dataset, c.backbone): c for c in plan.cells}
    out = []
    for speed in speeds:
        pair = (speed.dataset, speed.backbone)
        data = plan.data[speed.dataset]
        seconds, none = speed.seconds(cells[pair], data), base[pair].seconds(cells[pair], data)
        ratio = {"seconds_per_cell": seconds, "times_none": seconds / none}
        out.append({**asdict(speed), **ratio, "noise": _noise(speed, base[pair], speeds)})
    return out


def _noise(speed: Speed, none: Speed, all_speeds: Sequence[Speed]) -> float | None:
    if speed.noise is None or none.noise is None:
        return None
    # Two measurements may agree by chance, so that a single small difference means little.
    usual = statistics.median(s.noise for s in all_speeds if s.noise is not None)
    return max(speed.noise, none.noise, usual)


def _speeds(plan: Plan, speeds: Sequence[Speed]) -> Iterable[tuple[Cell, Speed]]:
    """Each cell of a plan with its speed: measured, or derived from a measurement on another data set.

    Cells whose data set and backbone could not be timed are left out.
    """
    known = {(s.dataset, s.backbone, s.strategy): s for s in speeds}
    for cell in plan.cells:
        if (cell.dataset, cell.backbone, BASELINE) not in known:
            continue
        measured = known.get((cell.dataset, cell.backbone, cell.strategy))
        yield cell, measured or _carried_over(cell, plan.data, known)


def _carried_over(
    cell: Cell, data: Mapping[str, Dataset], known: Mapping[tuple[str, str, str], Speed]
) -> Speed:
    """The speed of `none` on the cell's data set, slowed down as much as the strategy slows down another data set.

    For a strategy that trains about one network a label, the slow-down grows with the number of labels.
    """
    none_here = known[cell.dataset, cell.backbone, BASELINE]
    elsewhere = [
        s
        for s in known.values()
        if (s.backbone, s.strategy) == (cell.backbone, cell.strategy)
        and data[s.dataset].kind == data[cell.dataset].kind
    ]
    # It failed where it would have been timed.
    if not elsewhere:
        return none_here
    timed, none_there = elsewhere[0], known[elsewhere[0].dataset, cell.backbone, BASELINE]
    factor = none_there.rows_per_s / timed.rows_per_s
    if "tasks" in get_strategy(cell.strategy).stages:
        factor = 1 + (factor - 1) * data[cell.dataset].n_labels / data[timed.dataset].n_labels
    rest = none_here.rest * timed.rest / none_there.rest if none_there.rest else none_here.rest
    # Noise in the two times may make the factor zero or negative.
    factor = max(factor, 0.05)
    return replace(
        none_here,
        strategy=cell.strategy,
        rows_per_s=none_here.rows_per_s / factor,
        setup=none_here.setup * factor,
        rest=rest,
    )
