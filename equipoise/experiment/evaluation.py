"""Computes the metrics of a cell from its stored predictions, in a run and in `equipoise rescore` alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from equipoise import metrics
from equipoise.core.arrays import mean_defined

#: The decisions that every cell stores, each with metrics of its own.
DECISIONS = ("fixed", "tuned", "own")
#: The decisions that also get metrics per label.
BY_LABEL = ("fixed", "tuned")


#: Logits and decisions → the array with those of the refits after the first, (R - 1, n, L).
REPEATS = {name: f"repeat_{name}" for name in ("logits", *DECISIONS)}


def evaluate(predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the fields `metrics`, `spread` and `per_label` of a row.

    Of several refits, `metrics` and `per_label` are averages of those where they are defined, and `spread` holds the standard
    deviation of each metric over the refits (NaN where fewer than two are defined). With one refit, `spread` is empty.

    Args:
        predictions: `test_Y` and the decisions `test_fixed`, `test_tuned` and `test_own`, all (n, L) of 0/1; `test_logits`
            (n, L), the logits after the strategy's score maps; `train_Y` (n_train, L), the labels of the training rows, which
            define the rare labels and labelsets. With R refits, also `repeat_logits` and `repeat_*`, (R - 1, n, L).
    """
    each = [_of_one(refit) for refit in _refits(predictions)]
    names, labels = each[0]["metrics"], each[0]["per_label"]
    if len(each) == 1:
        return {"metrics": names, "spread": {}, "per_label": labels}
    values = {name: np.array([one["metrics"][name] for one in each], dtype=np.float64) for name in names}
    by_label = {name: np.array([one["per_label"][name] for one in each]) for name in labels}
    return {
        "metrics": {name: mean_defined(of_refits) for name, of_refits in values.items()},
        "spread": {name: _deviation(of_refits) for name, of_refits in values.items()},
        # Counts of rows are the same in all refits, and stay whole numbers.
        "per_label": {
            name: (of_refits[0] if of_refits.dtype.kind in "iu" else _mean_by_column(of_refits)).tolist()
            for name, of_refits in by_label.items()
        },
    }


def _refits(predictions: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The predictions of each refit under the names of the first."""
    names = ["test_Y", "train_Y", *(f"test_{name}" for name in REPEATS)]
    first = {name: predictions[name] for name in names}
    stacked = {name: predictions[array] for name, array in REPEATS.items() if array in predictions}
    others = len(stacked["logits"]) if stacked else 0
    return [
        first,
        *(
            {**first, **{f"test_{name}": values[r] for name, values in stacked.items()}}
            for r in range(others)
        ),
    ]


def _of_one(predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The metrics of one refit, and those per label."""
    Y, Y_train, scores = predictions["test_Y"], predictions["train_Y"], predictions["test_logits"]
    decided = {name: predictions[f"test_{name}"] for name in DECISIONS}
    decision_metrics = {
        f"{name}/{metric}": value
        for name, decision in decided.items()
        for metric, value in metrics.decision_metrics(Y, decision, Y_train).items()
    }
    score_metrics = {f"scores/{k}": v for k, v in metrics.score_metrics(Y, scores, Y_train).items()}
    by_label = {
        f"{name}/{column}": values
        for name in BY_LABEL
        for column, values in metrics.per_label(Y, decided[name], scores, Y_train).items()
    }
    return {"metrics": {**decision_metrics, **score_metrics}, "per_label": by_label}


def _deviation(values: np.ndarray) -> float:
    """The sample standard deviation of the defined values; NaN if there are fewer than two."""
    defined = values[~np.isnan(values)]
    return float(defined.std(ddof=1)) if len(defined) > 1 else float("nan")


def _mean_by_column(values: np.ndarray) -> np.ndarray:
    """(L,) the mean of the defined values (R, L) of each column; NaN where none is."""
    return np.array([mean_defined(column) for column in values.T])
