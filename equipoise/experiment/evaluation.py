"""The metrics of a cell, computed from its stored predictions: by `evaluate`, in a run as in `equipoise rescore`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from equipoise import metrics

#: The decisions that every cell stores and has metrics of.
DECISIONS = ("fixed", "tuned", "own")
#: The decisions with a table of metrics by label.
BY_LABEL = ("fixed", "tuned")


def evaluate(predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the fields `metrics` and `per_label` of a row.

    Args:
        predictions: `test_Y` and the decisions `test_fixed`, `test_tuned` and `test_own`, all (n, L) of 0/1; `test_logits`
            (n, L), the scores after the strategy's maps; `train_Y` (n_train, L), which say which labels and labelsets are rare.
    """
    Y, Y_train, scores = predictions["test_Y"], predictions["train_Y"], predictions["test_logits"]
    decided = {name: predictions[f"test_{name}"] for name in DECISIONS}
    of_decisions = {
        f"{name}/{metric}": value
        for name, made in decided.items()
        for metric, value in metrics.decision_metrics(Y, made, Y_train).items()
    }
    of_scores = {f"scores/{k}": v for k, v in metrics.score_metrics(Y, scores, Y_train).items()}
    by_label = {
        f"{name}/{column}": values
        for name in BY_LABEL
        for column, values in metrics.per_label(Y, decided[name], scores, Y_train).items()
    }
    return {"metrics": {**of_decisions, **of_scores}, "per_label": by_label}
