"""Searches the settings of heads, score maps and decisions, after the network is chosen. Nothing is trained here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from equipoise.catalog.strategies import deciding_parts, space, with_params
from equipoise.contracts.hyperparameters import Tunable
from equipoise.experiment.cross_validation import CrossValidator, CVResult, Params
from equipoise.experiment.decision import decision_score
from equipoise.experiment.heads import FoldNetworks
from equipoise.experiment.search.proposals import new_study, stream_names

#: Replaces an undefined score of a decision: finite, since Optuna accepts no NaN, and below every real score.
_WORST = -1e300


def search_head(
    validator: CrossValidator, cv: CVResult, params: Params, rows: np.ndarray, folds: np.ndarray
) -> tuple[dict[str, Any], list[dict[str, Any]], np.ndarray]:
    """The best settings of the head on the networks of a trial, all trials, and the out-of-fold logits (n, L) after the head.

    Args:
        params: the settings of the trial.
    """
    if "head" not in validator.strategy.stages:
        return {}, [], cv.logits
    strategy = with_params(validator.strategy, params)
    owner = strategy.owner("head")
    ranges = space(owner) if owner in deciding_parts(strategy) else {}
    # Nothing can be fitted to a network that diverged.
    if not np.isfinite(cv.logits[rows]).all():
        return {name: spec.default for name, spec in ranges.items()}, [], cv.logits
    networks = FoldNetworks.of(validator, cv)

    def score(values: Params) -> float:
        head = with_params(owner, values)
        logits = networks.out_of_fold(head)[rows]
        metric = validator.settings.objective
        return decision_score(head, logits, validator.Y[rows], folds, validator.role, metric)

    chosen, trials = _tuned(validator, ranges, "head", score)
    return chosen, trials, networks.out_of_fold(with_params(owner, chosen))


def search_decision(
    validator: CrossValidator, logits: np.ndarray, rows: np.ndarray, folds: np.ndarray
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The best settings of the score maps and the decision, and all trials."""
    parts = [p for p in deciding_parts(validator.strategy) if "head" not in p.stages]
    ranges = {n: t for part in parts for n, t in space(part).items()}
    # A network that diverged has no scores to choose by.
    if not np.isfinite(logits).all():
        return {name: spec.default for name, spec in ranges.items()}, []

    def score(values: Params) -> float:
        strategy = with_params(validator.strategy, values)
        metric = validator.settings.objective
        return decision_score(strategy, logits, validator.Y[rows], folds, validator.role, metric)

    return _tuned(validator, ranges, "decision", score)


def _tuned(
    validator: CrossValidator, ranges: Mapping[str, Tunable], role: str, score: Callable[[Params], float]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The settings with the best score, and all trials; of equally good ones, the first.

    There are as many trials as for the network: the defaults first, half spread over the ranges, half from TPE. They need no
    training.

    Args:
        role: names the random draws, which must have nothing to do with those for the network.
    """
    if not ranges:
        return {}, []
    study, propose = new_study(
        dict(ranges), {}, (role, *validator.role), validator.settings.trials, streams=stream_names(ranges)
    )
    trials: list[dict[str, Any]] = []
    for _ in range(validator.settings.trials):
        trial = propose()
        value = score(trial.params)
        study.tell(trial, value if math.isfinite(value) else _WORST)
        trials.append({"params": dict(trial.params), "value": value})
    # `max` returns the first of equal trials, as above.
    best = max(trials, key=lambda t: t["value"] if math.isfinite(t["value"]) else _WORST)
    return best["params"], trials
