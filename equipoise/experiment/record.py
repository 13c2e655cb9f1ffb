"""Assembles the results of a finished cell: the predictions to store, its cost, and its row."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.experiment import versions
from equipoise.experiment.evaluation import DECISIONS, REPEATS, evaluate
from equipoise.splits.groups import groups_of, twins
from equipoise.splits.outer import split_hash

if TYPE_CHECKING:
    from equipoise.contracts.equality import Equality
    from equipoise.engine.train import TrainingCost
    from equipoise.experiment.cell import Cell
    from equipoise.experiment.cross_validation import FittedModel
    from equipoise.experiment.decision import DecisionRule
    from equipoise.experiment.prepared import Prepared
    from equipoise.experiment.search.trials import SearchResult

#: Seconds since the cell began, at three moments: after the search, after the refit, and after predicting.
Clock = Sequence[float]


def predictions(
    prepared: Prepared,
    result: SearchResult,
    rule: DecisionRule,
    decided: Sequence[Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """Return the arrays that are stored with a row, from which every metric and every decision can be computed again.

    `*_rows` are positions in the data set. `test_logits` are the logits after the score maps of the strategy; a decision by
    thresholds compares them with its `*_thresholds` (L,). `results/README.md` lists all arrays.

    Args:
        decided: for each refit, what `DecisionRule.all` says of the test rows. The first refit has the names it has without
            repeats, and what reads the predictions of one model reads these; the others are stacked.
    """
    first, others = decided[0], decided[1:]
    Y = prepared.data.Y
    return {
        "test_rows": prepared.test,
        "test_logits": first["scores"],
        "test_Y": Y[prepared.test],
        # As uint8, like labels, which every reader of npz files understands.
        **{f"test_{name}": first[name].astype(np.uint8) for name in DECISIONS},
        **_stacked(others),
        **{f"{name}_thresholds": values for name, values in rule.thresholds(Y.shape[1]).items()},
        "train_rows": prepared.train,
        "train_Y": prepared.Y,
        "oof_rows": prepared.train[result.rows],
        "oof_logits": result.cv.logits[result.rows].astype(np.float32),
        "oof_Y": prepared.Y[result.rows],
        "oof_folds": result.folds,
    }


def _stacked(others: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The logits and decisions (R - 1, n, L) of the refits after the first; nothing if there are none."""
    if not others:
        return {}
    decisions = {name: np.stack([o[name] for o in others]).astype(np.uint8) for name in DECISIONS}
    return {
        REPEATS["logits"]: np.stack([o["scores"] for o in others]),
        **{REPEATS[name]: values for name, values in decisions.items()},
    }


def row_of(
    cell: Cell,
    prepared: Prepared,
    result: SearchResult,
    model: FittedModel,
    arrays: dict[str, np.ndarray],
    edges: Sequence[str],
    same_as: Sequence[Equality],
    cost: dict[str, Any],
) -> dict[str, Any]:
    """Return the row of a cell that succeeded."""
    return cell.row(
        "ok",
        generated=prepared.data.generated,
        split_sha256=split_hash(prepared.train, prepared.test),
        **_grouping(prepared),
        params=result.params,
        settled=result.cv.settled,
        edges=list(edges),
        # In the row, because the code that ran declares it; a report must not need the plugin.
        same_as=[{**dataclasses.asdict(e), "columns": dict(e.columns)} for e in same_as],
        objective=result.value,
        # From the arrays that are stored, not from those in memory, so that a rescore gives the same numbers.
        **evaluate(arrays),
        metrics_code=versions.metrics_code(),
        labels=list(prepared.data.labels),
        features=getattr(prepared.features, "note", ""),
        audit=model.audit,
        trials=result.trials,
        decision_trials=result.decision_trials,
        cost=cost,
    )


def _grouping(prepared: Prepared) -> dict[str, Any]:
    """How many groups of rows the splits keep together (None if every row is by itself), and what of that held.

    `test_twins` is the share of test rows with a row of the same group, or else with equal inputs, among the training rows.
    """
    equal = groups_of(prepared.data)
    kept = prepared.groups
    return {
        "groups": None if kept is None else len(np.unique(kept)),
        "test_twins": twins(equal if kept is None else kept, prepared.train, prepared.test),
    }


def cost_of(clock: Clock, training: TrainingCost, prepared: Prepared) -> dict[str, Any]:
    """Return the cost of this cell alone: seconds in which only lanes of other cells were trained do not count.

    `lanes_reused` counts lanes that were trained for another cell with an equal lane; training them for this cell alone would
    have taken `seconds_reused` more.
    """
    # The clock counts from the start of the cell; the differences are the durations of its three phases.
    search, refit, predict = (b - a for a, b in itertools.pairwise((0.0, *clock)))
    return {
        "seconds_total": clock[-1],
        "seconds_search": search,
        "seconds_refit": refit,
        "seconds_predict": predict,
        "seconds_training": training.seconds,
        # NaN if all lanes were reused, so that nothing was trained.
        "train_rows_per_s": training.rows / training.seconds if training.seconds else float("nan"),
        "steps": training.steps,
        "lanes": training.lanes,
        "lanes_side_by_side": training.widest,
        "lanes_reused": training.reused,
        "seconds_reused": training.seconds_reused,
        "seconds_features": prepared.seconds,
    }
