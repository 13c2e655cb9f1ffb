"""Measures how fast cells run on this machine, on short cells of a plan.

A short cell is a cell of the plan with fewer rows, epochs and trials, run through the same pipeline. Its features are fitted on
all rows, so that the models have their full width. On CPU, processor time is measured, which other programs on a busy machine
hardly change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

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
from equipoise.sweep.plan import Plan

BASELINE = "none"
#: A short cell grows until it takes `LEAST` seconds, as long as the plan's cells are larger. Rows grow no further at `ENOUGH`
#: seconds, and a cell that takes `TOO_LONG` is measured once only.
LEAST, ENOUGH, TOO_LONG = 0.25, 1.5, 10.0
#: Rows of the first attempt. From `BROAD` rows on, scoring held-out rows costs its usual share of an epoch.
ROWS, BROAD = 400, 1600
#: Factor by which rows or epochs grow between attempts; factor between the two lengths of training that are compared.
GROWTH, LONGER = 4, 3
Say: TypeAlias = "Callable[[str], None]"
#: Cells that failed, with the error.
Failures: TypeAlias = "list[tuple[Cell, str]]"


@dataclass(frozen=True)
class Speed:
    """The measured speed of a strategy with one backbone on one data set.

    Attributes:
        rows_per_s: rows that models see in a second of training, added up over all trials and folds.
        setup: seconds before the first step, for each trial and for the refit.
        rest: seconds outside of training, for each row of the data set and each trial, and for the refit.
        features: seconds for each row of the data set, once for all strategies of a split.
        rows, epochs: the size of the measured cell.
        noise: by how much two measurements of it differ, as a share; None if it was measured once.
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
    noise: float | None = None

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


def measure(plan: Plan, say: Say = lambda line: None) -> tuple[list[Speed], Failures]:
    """Measure the speed of each data set, backbone and strategy of a plan; also returns the cells that failed, with the error.

    `none` is timed on every data set, another strategy only on the first one that it fits of each kind, text or numbers. Where
    `none` fails, so does everything with that data set and backbone; the others go on.

    Raises:
        EquipoiseError: everything fails.
    """
    speeds: list[Speed] = []
    failures: Failures = []
    seen: set[tuple[str, str, str]] = set()
    for (dataset, spec), cells in _groups(plan).items():
        data = plan.data[dataset]
        new = [c for c in cells[1:] if (spec, c.strategy, data.kind) not in seen]
        with data_folder(plan.data_dir):
            measured, failed = _measure_pair([cells[0], *new], data, say)
        speeds += measured
        failures += failed
        # A strategy is timed on the next data set if nothing ran on this one.
        seen |= {(spec, c.strategy, data.kind) for c in new if measured}
    if not speeds:
        cell, why = failures[0]
        raise EquipoiseError(f"{cell.dataset} with {cell.backbone} fails: {why}")
    return speeds, failures


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


def _measure_pair(cells: Sequence[Cell], data: Dataset, say: Say) -> tuple[list[Speed], Failures]:
    """Time the cells of one data set and backbone, all at the size that suits the first; returns speeds and failures.

    All are measured once, and then all again, so that a disturbance does not hit both measurements of one.
    """
    try:
        small, epochs = _size(cells[0], data, say)
    except Exception as error:
        return [], [(cell, one_line(error)) for cell in cells]
    measured: dict[str, _Measured] = {}
    failures: dict[str, tuple[Cell, str]] = {}
    for cell in [*cells, *cells]:
        if cell.strategy in failures:
            continue
        try:
            if cell.strategy in measured:
                measured[cell.strategy].repeat(cell, small)
            else:
                say(f"{cell.dataset} · {cell.backbone} · {cell.strategy}")
                measured[cell.strategy] = _measured(cell, small, epochs)
        except Exception as error:
            failures[cell.strategy] = (cell, one_line(error))
    if BASELINE in failures:
        return [], [(cell, failures[BASELINE][1]) for cell in cells]
    good = [cell for cell in cells if cell.strategy not in failures]
    return [measured[cell.strategy].speed(cell, small) for cell in good], list(failures.values())


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


def _measured(cell: Cell, small: Prepared, epochs: int) -> _Measured:
    """Time a cell with two lengths of training."""
    more = min(LONGER * epochs, cell.settings.epochs)
    first = _timed(cell, small, epochs)
    return _Measured(epochs, more, first, [_timed(cell, small, more) if more > epochs else first])


@dataclass
class _Measured:
    """The times of a short cell: one with a short training, and one or two with a longer one."""

    epochs: int
    more: int
    first: _Timed
    long: list[_Timed]

    def repeat(self, cell: Cell, small: Prepared) -> None:
        """Time the longer training again, unless it takes very long."""
        if self.long[0].total < TOO_LONG:
            self.long.append(_timed(cell, small, self.more))

    @property
    def noise(self) -> float | None:
        totals = [timed.total for timed in self.long]
        return (max(totals) - min(totals)) / min(totals) if len(totals) > 1 and min(totals) > 0 else None

    def speed(self, cell: Cell, small: Prepared) -> Speed:
        """The difference of the two lengths gives the cost of an epoch, the rest the setup."""
        # Of two times, the smaller one counts: noise only adds.
        last = min(self.long)
        few, many = (
            passes(_short(cell, n).settings, training_rows(small.data.n_rows))
            for n in (self.epochs, self.more)
        )
        slope = (last.training - self.first.training) / (many - few) if many > few else 0.0
        # The two times are too close for their difference to mean anything: no setup then.
        if slope < last.training / many / 4:
            slope = last.training / many
        models = _short(cell, self.epochs).settings.trials + cell.settings.repeats
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
            epochs=self.more,
            noise=self.noise,
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
