"""Small cells of every strategy and every backbone in the registry, for timings; a new one needs no line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from equipoise import Dataset, load_dataset
from equipoise.api import choose
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.core.errors import EquipoiseError
from equipoise.engine.lanes import Lane
from equipoise.engine.population import Population
from equipoise.engine.train import Request
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import run_cell, trainer_for
from equipoise.experiment.prepared import Prepared, prepare
from equipoise.sweep.plan import make_plan

ROWS, LABELS, FEATURES = 480, 8, 40
#: The budget of a whole cell, which is small.
BUDGET = {"trials": 2, "folds": 2, "epochs": 2, "trial_batch": 2}
#: For the timing of a step: 8 trials on 2 folds train side by side, in 16 lanes, or 16 for each label if a strategy splits them.
MANY_LANES = {**BUDGET, "trials": 16, "trial_batch": 8}
#: Gradient steps of a lane, so many that its learning rate is still high while it is timed.
MANY = 100_000
_PREPARED: dict[tuple[str, str], Prepared] = {}


def names(kind: str) -> list[str]:
    """The names of all strategies or backbones that can be loaded, plugins included."""
    return registry(kind).names()


@lru_cache
def dataset(kind: str) -> Dataset:
    """Generated emails, or numbers whose labels have 50 % to 4 % positives."""
    if kind == "text":
        return load_dataset(f"design-emails[rows={ROWS}]")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    scores = X[:, :LABELS] + rng.normal(size=(ROWS, LABELS))
    cuts = [
        np.quantile(s, 1 - share) for s, share in zip(scores.T, np.geomspace(0.5, 0.04, LABELS), strict=True)
    ]
    return Dataset("numbers", X, (scores > cuts).astype(np.uint8), tuple(f"label{j}" for j in range(LABELS)))


def cell_of(
    strategy: str, backbone: str, device: str, budget: Mapping[str, int] = BUDGET
) -> tuple[Cell | None, str]:
    """A cell on numbers if the backbone reads them, else on text; or None and the reason why it cannot run."""
    data = dataset("numeric" if "numeric" in get_backbone(backbone).accepts else "text")
    suite = choose(None, [data.name], [backbone], [strategy], dict(budget), 1, 0)
    try:
        plan = make_plan(suite, device=device, data={data.name: data})
    except EquipoiseError as error:
        # For example an encoder whose package is not installed.
        return None, str(error)
    if plan.cells:
        return plan.cells[0], ""
    return None, "; ".join(reason for _, reason in plan.skipped)


def prepared(cell: Cell) -> Prepared:
    """The cell's split and features, prepared once for each data set and backbone."""
    key = (cell.dataset, cell.backbone)
    if key not in _PREPARED:
        data = dataset("numeric" if cell.dataset == "numbers" else "text")
        _PREPARED[key] = prepare(cell, data, get_backbone(cell.backbone))
    return _PREPARED[key]


def first_request(cell: Cell) -> Request:
    """The first lanes that the cell asks the engine to train, after its hooks on data, sampling weights and tasks."""
    base = prepared(cell)
    coroutine = run_cell(cell, base, trainer_for(cell, base))
    try:
        return coroutine.send(None)
    finally:
        coroutine.close()


def populations(request: Request, device: torch.device) -> list[Population]:
    """The lanes as populations that can be advanced for a long time, one for each signature, as the engine groups them."""
    groups: dict[object, list[Lane]] = {}
    for lane in request.lanes:
        groups.setdefault(lane.signature, []).append(replace(lane, steps=MANY, pause=None))
    return [Population(lanes, request.inputs, request.batch_size, device) for lanes in groups.values()]
