"""Computes the metrics of a cell from its stored predictions, in a run and in `equipoise rescore` alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from equipoise import metrics

#: The decisions that every cell stores, each with metrics of its own.
DECISIONS = ("fixed", "tuned", "own")
#: The decisions that also get metrics per label.
BY_LABEL = ("fixed", "tuned")


def evaluate(predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the fields `metrics` and `per_label` of a row.

    Args:
        predictions: `test_Y` and the decisions `test_fixed`, `test_tuned` and `test_own`, all (n, L) of 0/1; `test_logits`
            (n, L), the logits after the strategy's score maps; `train_Y` (n_train, L), the labels of the training rows, which
            define the rare labels and labelsets.
    """
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
