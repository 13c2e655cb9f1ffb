"""The results of a finished cell: the predictions to store, its cost, and its row."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.experiment import versions
from equipoise.experiment.evaluation import DECISIONS, evaluate
from equipoise.splits.outer import split_hash

if TYPE_CHECKING:
    from equipoise.engine.train import TrainingCost
    from equipoise.experiment.cell import Cell
    from equipoise.experiment.cross_validation import FittedModel
    from equipoise.experiment.decision import DecisionRule
    from equipoise.experiment.prepared import Prepared
    from equipoise.experiment.search import Found

#: Seconds since the cell began: after the search, after the refit, after predicting.
Clock = Sequence[float]


def predictions(
    ready: Prepared, found: Found, decider: DecisionRule, logits: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the arrays that are stored with a row, from which every metric and every decision can be computed again.

    `*_rows` are positions in the data set. `test_logits` are the logits after the score maps of the strategy; for decisions by
    thresholds, `*_thresholds` (L,) are what these logits are compared with. `results/README.md` lists all arrays.
    """
    made = decider.all(logits)
    Y = ready.data.Y
    return {
        "test_rows": ready.test,
        "test_logits": made["scores"],
        "test_Y": Y[ready.test],
        **{f"test_{name}": made[name].astype(np.uint8) for name in DECISIONS},
        **{f"{name}_thresholds": own for name, own in decider.thresholds(Y.shape[1]).items()},
        "train_rows": ready.train,
        "train_Y": ready.Y,
        "oof_rows": ready.train[found.rows],
        "oof_logits": found.outcome.logits[found.rows].astype(np.float32),
        "oof_Y": ready.Y[found.rows],
        "oof_folds": found.folds,
    }


def row_of(
    cell: Cell,
    ready: Prepared,
    found: Found,
    model: FittedModel,
    kept: dict[str, np.ndarray],
    edges: Sequence[str],
    cost: dict[str, Any],
) -> dict[str, Any]:
    """Return the row of a cell that succeeded."""
    return cell.row(
        "ok",
        generated=ready.data.generated,
        split_sha256=split_hash(ready.train, ready.test),
        params=found.params,
        settled=found.outcome.settled,
        edges=list(edges),
        objective=found.value,
        **evaluate(kept),
        metrics_code=versions.metrics_code(),
        labels=list(ready.data.labels),
        audit=model.audit,
        trials=found.trials,
        decision_trials=found.deciding,
        cost=cost,
    )


def cost_of(clock: Clock, work: TrainingCost, ready: Prepared) -> dict[str, Any]:
    """Return the cost of this cell alone: seconds in which only lanes of other cells were trained do not count.

    `lanes_reused` were trained for another cell that asked for the same; alone they would have taken `seconds_reused` more.
    """
    search, refit, predict = (b - a for a, b in itertools.pairwise((0.0, *clock)))
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
        "seconds_features": ready.seconds,
    }
