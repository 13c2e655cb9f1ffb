"""Measures how fast cells run on this machine, on short cells, and estimates how long a plan takes at that speed.

A short cell is a cell of the plan with fewer rows, epochs and trials, run through the same pipeline. Its features are fitted on
all rows, so that the models have their full width. On CPU, processor time is measured, which other programs on a busy machine
hardly change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError, one_line
from equipoise.engine.scheduler import run_one
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import run_cell, trainer_for
from equipoise.experiment.prepared import Prepared, sample
from equipoise.experiment.versions import predictions_code
from equipoise.ops.device import repeatable, resolve
from equipoise.readers.downloads import data_folder
from equipoise.sweep.estimate import official_rows, passes, training_rows
from equipoise.sweep.grouping import training_keys
from equipoise.sweep.plan import Plan, describe

BASELINE = "none"
#: A short cell grows until it takes `LEAST` seconds, as long as the plan's cells are larger; above `ENOUGH` it is not repeated.
LEAST, ENOUGH = 0.25, 1.5
#: Rows of the first attempt. From `BROAD` rows on, scoring held-out rows costs its usual share of an epoch.
ROWS, BROAD = 400, 1600
#: Factor by which rows or epochs grow between attempts; factor between the two lengths of training that are compared.
GROWTH, LONGER = 4, 3
#: Seconds until the first training step of a sweep.
START = 5.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Speed:
    """The measured speed of a strategy with one backbone on one data set.

    Attributes:
        rows_per_s: rows that models see in a second of training, added up over all trials and folds.
        setup: seconds before the first step, for each trial and for the refit.
        rest: seconds outside of training, for each row of the data set and each trial, and for the refit.
        features: seconds for each row of the data set, once for all strategies of a split.
        rows, epochs: the size of the measured cell.
    """

    dataset: str
    backbone: str
    strategy: str
    device: str
    rows_per_s: float
    setup: float
    rest: float
    features: float
    rows: int
    epochs: int

    def seconds(self, cell: Cell, data: Dataset, training: bool = True) -> float:
        """Seconds of a cell on a data set, at most, without features.

        Args:
            training: False if the cell reuses the networks of another.
        """
        models, rest = cell.settings.trials + cell.settings.repeats, self.rest * data.n_rows
        if not training:
            return rest * models
        rows = training_rows(data.n_rows, cell.split, official_rows(data))
        return passes(cell.settings, rows) / self.rows_per_s + (self.setup + rest) * models


@dataclass(frozen=True)
class Sweep:
    """The estimated cost of a plan: seconds of one core (or of the device), and seconds on the clock with `workers`."""

    cells: int
    skipped: int
    trainings: int
    core_seconds: float
    workers: int
    seconds: float


def measure(plan: Plan, say: Say = lambda line: None) -> tuple[list[Speed], list[tuple[Cell, str]]]:
    """Measure the speed of each data set, backbone and strategy of a plan; also returns the cells that failed, with the error.

    `none` is timed on every data set, another strategy only on the first one that it fits of each kind, text or numbers.

    Raises:
        EquipoiseError: `none` itself fails.
    """
    speeds: list[Speed] = []
    failures: list[tuple[Cell, str]] = []
    seen: set[tuple[str, str, str]] = set()
    for (dataset, spec), cells in _groups(plan).items():
        data = plan.data[dataset]
        new = [c for c in cells[1:] if (spec, c.strategy, data.kind) not in seen]
        seen |= {(spec, c.strategy, data.kind) for c in new}
        with data_folder(plan.data_dir):
            _measure_pair([cells[0], *new], data, say, speeds, failures)
    return speeds, failures


def estimate(plan: Plan, speeds: Sequence[Speed], workers: int) -> Sweep:
    """Estimate the cost of a plan with `workers` processes, if no trial is pruned."""
    trained = training_keys(plan.cells)
    each = [
        speed.seconds(cell, plan.data[cell.dataset], training=cell.key in trained)
        for cell, speed in _speeds(plan, speeds)
    ]
    # Features are computed once for all strategies of a split.
    splits = {(c.dataset, c.backbone, c.split): speed.features for c, speed in _speeds(plan, speeds)}
    total = sum(each) + sum(per_row * plan.data[name].n_rows for (name, _, _), per_row in splits.items())
    # However many workers there are, a sweep takes at least as long as its longest cell.
    longest = max(each, default=0.0)
    clock = START + max(total / workers, longest) if each else 0.0
    return Sweep(**describe(plan), core_seconds=total, workers=workers, seconds=clock)


def records(plan: Plan, speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """For each speed: its fields, the seconds of a cell of the plan, and these as a multiple of the seconds of `none`."""
    base = {(s.dataset, s.backbone): s for s in speeds if s.strategy == BASELINE}
    cells = {(c.dataset, c.backbone): c for c in plan.cells}
    out = []
    for speed in speeds:
        pair = (speed.dataset, speed.backbone)
        data = plan.data[speed.dataset]
        seconds, none = speed.seconds(cells[pair], data), base[pair].seconds(cells[pair], data)
        out.append({**asdict(speed), "seconds_per_cell": seconds, "times_none": seconds / none})
    return out


def _groups(plan: Plan) -> dict[tuple[str, str], list[Cell]]:
    """One cell for each strategy, by data set and backbone; `none` comes first, even if the plan does not hold it."""
    groups: dict[tuple[str, str], dict[str, Cell]] = {}
    for planned in plan.cells:
        # A sample of the rows has no official split.
        cell = replace(planned, split=0)
        code = predictions_code(get_strategy(BASELINE), get_backbone(cell.backbone))
        places = tuple(place for place in cell.places if place.kind == "backbone")
        none = replace(cell, strategy=BASELINE, places=places, code=code, external="", strategy_identity="")
        by_strategy = groups.setdefault((cell.dataset, cell.backbone), {BASELINE: none})
        by_strategy.setdefault(cell.strategy, cell)
    return {pair: list(by_strategy.values()) for pair, by_strategy in groups.items()}


def _measure_pair(
    cells: Sequence[Cell], data: Dataset, say: Say, speeds: list[Speed], failures: list[tuple[Cell, str]]
) -> None:
    """Time the cells of one data set and backbone, all at the size that suits the first, and append to both lists."""
    try:
        small, epochs = _size(cells[0], data, say)
        for cell in cells:
            try:
                speeds.append(_speed(cell, small, epochs, say))
            except Exception as error:
                failures.append((cell, one_line(error)))
    except EquipoiseError:
        raise
    except Exception as error:
        raise EquipoiseError(
            f"{cells[0].dataset} with {cells[0].backbone} fails: {one_line(error)}"
        ) from error


def _size(cell: Cell, data: Dataset, say: Say) -> tuple[Prepared, int]:
    """A sample and a number of epochs that take long enough to be timed; rows grow first, then epochs, up to the plan's."""
    most = cell.settings.epochs
    rows, epochs = min(data.n_rows, max(ROWS, 10 * cell.settings.folds)), 1
    while True:
        say(f"{cell.dataset} · {cell.backbone}: {rows:,} rows")
        small = sample(cell, data, get_backbone(cell.backbone), rows)
        spent = _timed(cell, small, epochs).total
        broad = rows >= min(BROAD, data.n_rows) or spent >= ENOUGH
        if (broad and spent >= LEAST) or (rows == data.n_rows and epochs == most):
            return small, epochs
        if rows < data.n_rows:
            rows = min(data.n_rows, GROWTH * rows)
        else:
            epochs = min(most, GROWTH * epochs)


def _speed(cell: Cell, small: Prepared, epochs: int, say: Say) -> Speed:
    """The speed of a cell from two lengths of training: their difference gives the cost of an epoch, the rest the setup."""
    say(f"{cell.dataset} · {cell.backbone} · {cell.strategy}")
    more = min(LONGER * epochs, cell.settings.epochs)
    first = _timed(cell, small, epochs)
    last = _timed(cell, small, more) if more > epochs else first
    # A short time is measured twice, and the smaller one counts: noise only adds.
    if last.total < ENOUGH:
        last = min(last, _timed(cell, small, more))
    few, many = (passes(_short(cell, n).settings, training_rows(small.data.n_rows)) for n in (epochs, more))
    slope = (last.training - first.training) / (many - few) if many > few else 0.0
    # The two times are too close for their difference to mean anything: no setup then.
    if slope < last.training / many / 4:
        slope = last.training / many
    models = _short(cell, epochs).settings.trials + cell.settings.repeats
    return Speed(
        cell.dataset,
        cell.backbone,
        cell.strategy,
        cell.device,
        rows_per_s=1 / slope,
        setup=max(0.0, last.training - slope * many) / models,
        rest=max(0.0, last.total - last.training) / (small.data.n_rows * models),
        features=small.seconds / small.data.n_rows,
        rows=small.data.n_rows,
        epochs=more,
    )


class _Timed(NamedTuple):
    """Seconds of a cell, and of the training in it."""

    total: float
    training: float


def _timed(cell: Cell, small: Prepared, epochs: int) -> _Timed:
    """Time a short cell: in processor time on CPU, in time on the clock on CUDA, where the processor mostly waits."""
    clock, cpu = time.perf_counter(), time.process_time()
    short = _short(cell, epochs)
    with repeatable(resolve(cell.device)):
        row, _ = run_one(run_cell(short, small, trainer_for(short, small)))
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    spent = clock if cell.device == "cuda" else cpu
    return _Timed(spent, row["cost"]["seconds_training"] * spent / clock)


def _short(cell: Cell, epochs: int) -> Cell:
    """The cell with a few epochs, and one full batch of trials in each half of the search."""
    s = cell.settings
    trials = min(s.trials, 2 * s.trial_batch)
    return replace(cell, settings=replace(s, epochs=epochs, trials=trials))


def _speeds(plan: Plan, speeds: Sequence[Speed]) -> Iterable[tuple[Cell, Speed]]:
    """Each cell of a plan with its speed: measured, or derived from a measurement on another data set."""
    known = {(s.dataset, s.backbone, s.strategy): s for s in speeds}
    for cell in plan.cells:
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
