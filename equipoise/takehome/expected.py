"""What to expect of a model on new rows: cross-fitted scores of its out-of-fold predictions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from equipoise import metrics
from equipoise.contracts.strategy import Strategy
from equipoise.experiment.decision import fit_decision_rule


def from_inner_folds(
    strategy: Strategy,
    logits: np.ndarray,
    Y: np.ndarray,
    folds: np.ndarray,
    role: tuple[object, ...],
    decision: str,
) -> dict[str, Any]:
    """The scores of a decision ("tuned", "fixed" or "own") on the held-out rows, and the F1 of each label (None if undefined).

    Each fold is decided by rules that were fitted on the other folds. Votes of sub-problems are not among the out-of-fold
    logits; a strategy that decides by them is scored at tuned thresholds.
    """
    # Thresholds look better on the rows that they were fitted on, hence the cross-fitting.
    adjusted, decided = np.array(logits), np.zeros(Y.shape, dtype=bool)
    for fold in np.unique(folds):
        held_out, rest = folds == fold, folds != fold
        rule = fit_decision_rule(strategy, logits[rest], Y[rest], folds[rest], (*role, int(fold)))
        adjusted[held_out] = rule.adjust(logits[held_out])
        rules: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "tuned": rule.tuned,
            "fixed": rule.fixed,
            "own": rule.own or rule.tuned,
        }
        decided[held_out] = rules[decision](adjusted[held_out])
    with warnings.catch_warnings():
        # A label without positives has no F1.
        warnings.simplefilter("ignore", RuntimeWarning)
        scores = {
            "map": float(metrics.mean_average_precision(Y, adjusted)),
            "macro_f1": float(metrics.macro_f1(Y, decided)),
            "micro_f1": float(metrics.micro_f1(Y, decided)),
        }
        # The macro average of one label is its F1, undefined in the same cases.
        by_label = [float(metrics.macro_f1(Y[:, [j]], decided[:, [j]])) for j in range(Y.shape[1])]
    return {
        "source": "Cross-fitted on the inner folds of all rows. The settings were chosen on the same folds, so new rows will "
        "score a little lower.",
        "scores": {name: _defined(value) for name, value in scores.items()},
        "f1_by_label": [_defined(value) for value in by_label],
    }


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
