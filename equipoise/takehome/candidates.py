"""Chooses among settings that are known already, such as those that the search chose in the splits of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.catalog.strategies import training_part, with_params
from equipoise.core.seeds import seed_of
from equipoise.experiment.cross_validation import CrossValidator, CVResult
from equipoise.experiment.decision import decision_folds, objective
from equipoise.experiment.search.after_training import search_decision, search_head
from equipoise.experiment.search.trials import SearchResult


async def choose_among(validator: CrossValidator, candidates: Sequence[Mapping[str, Any]]) -> SearchResult:
    """The best of some settings by the inner folds, as `search` scores its trials.

    Settings of heads, score maps and decisions are not compared but searched afterwards, as in a search.
    """
    rows = np.flatnonzero(validator.folds >= 0)
    groups = None if validator.groups is None else validator.groups[rows]
    seed = seed_of("decision folds", *validator.role) % 2**63
    folds = decision_folds(validator.folds[rows], validator.Y[rows], seed, groups)
    # Heads, score maps and decisions take no part in the choice of a network.
    trained = training_part(validator.strategy)
    # All candidates train side by side, as the trials of a search do.
    results = await validator.cross_validate(list(candidates))
    best: tuple[float, CVResult, Mapping[str, Any]] | None = None
    trials: list[dict[str, Any]] = []
    for params, cv in zip(candidates, results, strict=True):
        assert cv is not None  # nothing is pruned
        chosen, logits = with_params(trained, params), cv.logits[rows]
        value = 0.0
        # Training that diverged is worth nothing; where all of it did, there is no model (see `assembled`).
        if np.isfinite(logits).all():
            metric = validator.settings.objective
            value = objective(chosen, logits, validator.Y[rows], folds, validator.role, metric)
        # Written like the trials of a search, so that a reader finds the same fields.
        trials.append({"params": dict(params), "value": value})
        if best is None or value > best[0]:
            best = (value, cv, params)
    assert best is not None
    value, cv, params = best
    of_head, head_trials, logits = search_head(validator, cv, dict(params), rows, folds)
    decided, decision_trials = search_decision(validator, logits[rows], rows, folds)
    chosen_cv = CVResult(logits, cv.settled)
    return SearchResult(
        {**params, **of_head, **decided},
        value,
        chosen_cv,
        rows,
        folds,
        trials,
        [*head_trials, *decision_trials],
    )
