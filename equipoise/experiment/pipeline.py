"""One cell, dataset × backbone × strategy × outer split, from data to a row: the pipeline, top to bottom."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.engine.scheduler import TrainingCoroutine, run_one
from equipoise.experiment.cell import Cell

Result: TypeAlias = "tuple[dict[str, Any], dict[str, np.ndarray]]"


def run_cell(cell: Cell, data: Dataset, report: Callable[[float], None] | None = None) -> Result:
    """Run a cell: its row, and the predictions to keep beside it.

    Args:
        report: called with the share that is done, 0..1.
    """
    from equipoise.ops.device import repeatable, resolve

    with repeatable(resolve(cell.device)):
        return run_one(cell_steps(cell, data, report))


def cell_steps(
    cell: Cell, data: Dataset, report: Callable[[float], None] | None = None
) -> TrainingCoroutine[Result]:
    """A cell from data to row, asking for the trainings it needs (`equipoise.engine.scheduler`).

    Test rows are read after everything is chosen. All randomness comes from streams named by the cell's role.
    """
    from equipoise import metrics
    from equipoise.catalog.backbones import get_backbone
    from equipoise.catalog.registry import registry
    from equipoise.catalog.strategies import get_strategy, with_params
    from equipoise.experiment.budget import edges
    from equipoise.experiment.cross_validation import CrossValidator
    from equipoise.experiment.decision import fit_decision_rule
    from equipoise.experiment.prepared import prepared
    from equipoise.experiment.search import search, search_space
    from equipoise.ops.device import resolve
    from equipoise.splits.outer import split_hash

    if cell.plugin is not None:
        registry("strategy").add_file(cell.plugin)
    device = resolve(cell.device)
    strategy, backbone = get_strategy(cell.strategy), get_backbone(cell.backbone)
    ready = prepared(cell, data, backbone)
    train, test = ready.train, ready.test
    began = time.perf_counter()  # what all strategies share is no strategy's cost
    bench = CrossValidator(
        strategy,
        backbone,
        ready.on(device),
        ready.averaged,
        ready.nominal,
        ready.Y,
        ready.folds,
        ready.role,
        cell.settings,
        device,
    )
    clock = [0.0]
    found = yield from search(bench, report)
    clock.append(bench.work.spent(began))
    oof = found.outcome.logits[found.rows]
    chosen = with_params(strategy, found.params)
    decider = fit_decision_rule(chosen, oof, bench.Y[found.rows], found.folds, bench.role)
    model = yield from bench.refitting(found.params)
    clock.append(bench.work.spent(began))
    logits = bench.predict([model], ready.test_inputs.to(device), [np.arange(len(test))])[0]
    made = decider.all(logits)
    clock.append(bench.work.spent(began))
    names = ("fixed", "tuned", "own")
    Y, Y_train = data.Y[test], data.Y[train]
    scores = {f"scores/{k}": v for k, v in metrics.score_metrics(Y, made["scores"], Y_train).items()}
    decided = {f"{n}/{k}": v for n in names for k, v in metrics.decision_metrics(Y, made[n], Y_train).items()}
    labels = {
        f"{n}/{k}": v
        for n in names[:2]
        for k, v in metrics.per_label(Y, made[n], made["scores"], Y_train).items()
    }
    row = cell.row(
        "ok",
        generated=data.generated,
        split_sha256=split_hash(train, test),
        params=found.params,
        settled=found.outcome.settled,
        edges=edges(search_space(bench), found.params),
        objective=found.value,
        metrics={**decided, **scores},
        per_label=labels,
        labels=list(data.labels),
        audit=model.audit,
        trials=found.trials,
        decision_trials=found.deciding,
        cost={**_cost(clock, bench.work), "seconds_features": ready.seconds},
    )
    predictions = {
        "test_rows": test,
        "test_logits": made["scores"].astype(np.float32),
        "test_Y": Y,
        **{f"test_{n}": made[n].astype(np.uint8) for n in names},
        "oof_rows": train[found.rows],
        "oof_logits": oof.astype(np.float32),
        "oof_Y": Y_train[found.rows],
        "oof_folds": found.folds,
    }
    return row, predictions


def _cost(clock: list[float], work: Any) -> dict[str, Any]:
    """What the cell took by itself: seconds in which only others' lanes were trained are not in it.

    `lanes_reused` were trained for another cell that asked for the same; alone they would have taken `seconds_reused` more.
    """
    search, refit, predict = (b - a for a, b in itertools.pairwise(clock))
    return {
        "seconds_total": clock[-1],
        "seconds_search": search,
        "seconds_refit": refit,
        "seconds_predict": predict,
        "seconds_training": work.seconds,
        "train_rows_per_s": work.rows / work.seconds if work.seconds else float("nan"),
        "steps": work.steps,
        "lanes": work.lanes,
        "lanes_side_by_side": work.widest,
        "lanes_reused": work.reused,
        "seconds_reused": work.seconds_reused,
    }
