"""How fast cells are here, measured on short ones; and what a plan will take at that speed.

A short cell is a cell of the plan with fewer rows, epochs and trials, run through the same pipeline; features are fitted on all
rows, so that the models have their full width. On CPU the time is that of the processor, which other programs on a busy
machine hardly change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.engine.scheduler import run_one
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import run_cell, trainer_for
from equipoise.experiment.prepared import Prepared, sample
from equipoise.experiment.versions import predictions_code
from equipoise.ops.device import repeatable, resolve
from equipoise.sweep.estimate import passes, training_rows
from equipoise.sweep.grouping import paying
from equipoise.sweep.plan import Plan, describe

BASELINE = "none"
#: A short cell takes at least this many seconds, where the plan's own cells do, and no more than `ENOUGH` if rows allow.
LEAST, ENOUGH = 0.25, 1.5
#: Rows to begin with; rows from which an epoch has as many steps between two looks at the held-out fold as usual; steps.
ROWS, BROAD, GROWTH, LONGER = 400, 1600, 4, 3
#: Seconds until the first training step of a sweep.
START = 5.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Speed:
    """What a cell takes, measured.

    Attributes:
        rows_per_s: rows that models in training see in a second, those of all trials and folds added up.
        setup: seconds before the first step, for each trial (and the last training).
        rest: seconds outside of training for each row of the dataset and each trial (and the last training).
        features: seconds for each row of the dataset, once for all strategies of a split.
        rows, epochs: what was measured.
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

    def seconds(self, cell: Cell, rows: int, training: bool = True) -> float:
        """What a cell on so many rows takes at most, without its features; and without training, if others do that."""
        each = self.setup + self.rest * rows
        if not training:
            return self.rest * rows * (cell.settings.trials + 1)
        return passes(cell.settings, training_rows(rows)) / self.rows_per_s + each * (
            cell.settings.trials + 1
        )


@dataclass(frozen=True)
class Sweep:
    """What a plan takes: seconds of one core (or of the device), and with so many workers."""

    cells: int
    skipped: int
    trainings: int
    core_seconds: float
    workers: int
    seconds: float


def measure(plan: Plan, say: Say = lambda line: None) -> tuple[list[Speed], list[tuple[Cell, str]]]:
    """The speed of each dataset, backbone and strategy of a plan, `none` first; and cells that failed, with the error.

    Where a backbone meets several datasets, a strategy is timed on the first that it fits, `none` on all.

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
        _measure_group([cells[0], *new], data, say, speeds, failures)
    return speeds, failures


def estimate(plan: Plan, speeds: Sequence[Speed], workers: int) -> Sweep:
    """What a plan will take with so many processes, all trainings running to their last epoch."""
    trained = paying(plan.cells)
    each = [
        at.seconds(cell, plan.data[cell.dataset].n_rows, training=cell.key in trained)
        for cell, at in _speeds(plan, speeds)
    ]
    splits = {(c.dataset, c.backbone, c.split): at.features for c, at in _speeds(plan, speeds)}
    total = sum(each) + sum(at * plan.data[name].n_rows for (name, _, _), at in splits.items())
    longest = max(each, default=0.0)
    clock = START + max(total / workers, longest) if each else 0.0
    return Sweep(**describe(plan), core_seconds=total, workers=workers, seconds=clock)


def records(plan: Plan, speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """For each speed its fields, the seconds of a cell of the plan, and how many times those of `none` that is."""
    base = {(s.dataset, s.backbone): s for s in speeds if s.strategy == BASELINE}
    cells = {(c.dataset, c.backbone): c for c in plan.cells}
    out = []
    for speed in speeds:
        pair = (speed.dataset, speed.backbone)
        rows = plan.data[speed.dataset].n_rows
        own, none = speed.seconds(cells[pair], rows), base[pair].seconds(cells[pair], rows)
        out.append({**asdict(speed), "seconds_per_cell": own, "times_none": own / none})
    return out


def _groups(plan: Plan) -> dict[tuple[str, str], list[Cell]]:
    """One cell for each strategy, by dataset and backbone; `none` leads, also where the plan is without it."""
    groups: dict[tuple[str, str], dict[str, Cell]] = {}
    for planned in plan.cells:
        cell = replace(planned, split=0)  # a sample of the rows has no official split
        code = predictions_code(get_strategy(BASELINE), get_backbone(cell.backbone))
        none = replace(cell, strategy=BASELINE, plugin=None, code=code)
        own = groups.setdefault((cell.dataset, cell.backbone), {BASELINE: none})
        own.setdefault(cell.strategy, cell)
    return {pair: list(own.values()) for pair, own in groups.items()}


def _measure_group(
    cells: Sequence[Cell], data: Dataset, say: Say, speeds: list[Speed], failures: list[tuple[Cell, str]]
) -> None:
    """Cells of one dataset and backbone: the size is found with the first, and all have the same."""
    try:
        small, epochs = _size(cells[0], data, say)
        for cell in cells:
            try:
                speeds.append(_speed(cell, small, epochs, say))
            except Exception as error:
                failures.append((cell, f"{type(error).__name__}: {' '.join(str(error).split())}"))
    except EquipoiseError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise EquipoiseError(f"{cells[0].dataset} with {cells[0].backbone} fails: {said}") from error


def _size(cell: Cell, data: Dataset, say: Say) -> tuple[Prepared, int]:
    """As many rows, then epochs, as take a time that can be measured, or all there are."""
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
    """From two lengths of training: what one epoch more takes, and what is to be paid before the first."""
    say(f"{cell.dataset} · {cell.backbone} · {cell.strategy}")
    more = min(LONGER * epochs, cell.settings.epochs)
    first = _timed(cell, small, epochs)
    last = _timed(cell, small, more) if more > epochs else first
    if last.total < ENOUGH:
        last = min(last, _timed(cell, small, more))
    near, far = (passes(_short(cell, n).settings, training_rows(small.data.n_rows)) for n in (epochs, more))
    slope = (last.training - first.training) / (far - near) if far > near else 0.0
    if slope < last.training / far / 4:  # the two are too close to each other to say
        slope = last.training / far
    models = _short(cell, epochs).settings.trials + 1
    return Speed(
        cell.dataset,
        cell.backbone,
        cell.strategy,
        cell.device,
        rows_per_s=1 / slope,
        setup=max(0.0, last.training - slope * far) / models,
        rest=max(0.0, last.total - last.training) / (small.data.n_rows * models),
        features=small.seconds / small.data.n_rows,
        rows=small.data.n_rows,
        epochs=more,
    )


class _Timed(NamedTuple):
    total: float
    training: float


def _timed(cell: Cell, small: Prepared, epochs: int) -> _Timed:
    """Seconds of a short cell, and of the training in it: of the processor, or where another device trains, of the clock."""
    clock, cpu = time.perf_counter(), time.process_time()
    short = _short(cell, epochs)
    with repeatable(resolve(cell.device)):
        row, _ = run_one(run_cell(short, small, trainer_for(short, small)))
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    spent = clock if cell.device == "cuda" else cpu
    return _Timed(spent, row["cost"]["seconds_training"] * spent / clock)


def _short(cell: Cell, epochs: int) -> Cell:
    """A few epochs of one full batch of trials in each half of the search."""
    s = cell.settings
    trials = min(s.trials, 2 * s.trial_batch)
    return replace(cell, settings=replace(s, epochs=epochs, trials=trials))


def _speeds(plan: Plan, speeds: Sequence[Speed]) -> Iterable[tuple[Cell, Speed]]:
    """Each cell with its speed: measured, or `none`'s there times what the strategy costs more elsewhere."""
    known = {(s.dataset, s.backbone, s.strategy): s for s in speeds}
    for cell in plan.cells:
        own = known.get((cell.dataset, cell.backbone, cell.strategy))
        yield cell, own or _carried_over(cell, plan.data, known)


def _carried_over(
    cell: Cell, data: Mapping[str, Dataset], known: Mapping[tuple[str, str, str], Speed]
) -> Speed:
    """A strategy that trains a network for each label or so costs by their number; others a share."""
    here = known[cell.dataset, cell.backbone, BASELINE]
    same = [
        s
        for s in known.values()
        if (s.backbone, s.strategy) == (cell.backbone, cell.strategy)
        and data[s.dataset].kind == data[cell.dataset].kind
    ]
    if not same:  # it did not fit where it would have been timed
        return here
    there, base = same[0], known[same[0].dataset, cell.backbone, BASELINE]
    factor = base.rows_per_s / there.rows_per_s
    if "tasks" in get_strategy(cell.strategy).stages:
        factor = 1 + (factor - 1) * data[cell.dataset].n_labels / data[there.dataset].n_labels
    rest = here.rest * there.rest / base.rest if base.rest else here.rest
    factor = max(factor, 0.05)
    return replace(
        here,
        strategy=cell.strategy,
        rows_per_s=here.rows_per_s / factor,
        setup=here.setup * factor,
        rest=rest,
    )
