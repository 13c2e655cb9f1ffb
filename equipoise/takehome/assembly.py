"""Puts a trained network, its decision and the facts of its card together to a model."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import numpy as np

from equipoise.catalog.strategies import with_params
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.strategy import Strategy
from equipoise.core.arrays import is_sparse
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.cross_validation import CrossValidator, FittedModel
from equipoise.experiment.decision import DecisionRule, fit_decision_rule
from equipoise.experiment.heads import represent
from equipoise.experiment.prepared import Prepared
from equipoise.experiment.search.trials import SearchResult
from equipoise.experiment.versions import predictions_code, versions
from equipoise.store.rows import clean
from equipoise.takehome.choice import Choice
from equipoise.takehome.expected import from_inner_folds
from equipoise.takehome.model import Evidence, Model, probabilities
from equipoise.takehome.saved import acting, plain_params
from equipoise.thresholds import ThresholdRule


def assembled(
    validator: CrossValidator,
    prepared: Prepared,
    choice: Choice,
    result: SearchResult,
    fitted: FittedModel,
    decision: str | None,
    seed: int,
) -> Model:
    """The model with its decision fitted, and everything that its card says.

    Args:
        decision: what the user asked for; None: the strategy's own, what the report recommends, or tuned thresholds.

    Raises:
        EquipoiseError: the training diverged.
    """
    data, chosen = prepared.data, with_params(validator.strategy, result.params)
    oof, Y = result.cv.logits[result.rows], validator.Y[result.rows]
    if not np.isfinite(oof).all():
        raise EquipoiseError("the training diverged: its logits are not finite; try other settings")
    rule = fit_decision_rule(chosen, oof, Y, result.folds, validator.role)
    decides = "decide" in chosen.stages or chosen.voter is not None
    used = decision or ("own" if decides else choice.decision or "tuned")
    # The inner folds tell every label's F1; the report's splits tell the whole more honestly, where there are any.
    expected = from_inner_folds(chosen, oof, Y, result.folds, validator.role, used)
    if choice.measured:
        expected |= {"source": _from_splits(len(choice.rows), used), "scores": choice.scores(used)}
    facts = {
        **_of_data(data),
        "backbone": prepared.backbone.spec,
        "backbone_identity": prepared.backbone.identity,
        "strategy": validator.strategy.spec,
        "params": plain_params(result.params),
        "decision": used,
        "thresholds": _thresholds(rule, used, data.n_labels),
        "expected": expected,
        "choice": choice.why,
        "settings": dataclasses.asdict(validator.settings),
        "seed": seed,
        "versions": versions(),
        "code": predictions_code(validator.strategy, prepared.backbone),
        # The only fact that differs where the same model is fitted twice.
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    evidence = _evidence(validator, fitted, chosen, rule, result)
    # A saved model predicts on the CPU, wherever it was trained.
    networks = [{name: p.detach().cpu() for name, p in n.params.items()} for n in fitted.networks]
    return Model(
        clean(facts),
        acting(chosen),
        fitted.networks[0].backbone,
        prepared.features,
        # Positions of training rows mean nothing without these rows.
        [dataclasses.replace(task, rows=None) for task in fitted.tasks],
        networks,
        dataclasses.replace(fitted.ctx, rng=None),  # type: ignore[arg-type]  # no stream is left
        evidence,
    )


def _from_splits(splits: int, decision: str) -> str:
    at = {
        "tuned": "at tuned thresholds",
        "fixed": "at probability 0.5",
        "own": "by the strategy's own decision",
    }
    return (
        f"Means over the test rows of {splits} splits in the report, F1 {at[decision]}. Each was predicted by a model fitted on "
        "the other rows."
    )


def _thresholds(rule: DecisionRule, decision: str, n_labels: int) -> list[float] | None:
    """The thresholds of a decision as probabilities; None if it has none."""
    values = rule.thresholds(n_labels).get(decision)
    return None if values is None else probabilities(values)


def _evidence(
    validator: CrossValidator, fitted: FittedModel, chosen: Strategy, rule: DecisionRule, result: SearchResult
) -> Evidence:
    """What the model must keep to decide as it does now, see `Evidence`."""
    tuned = np.asarray(rule.tuned.values, dtype=np.float64)
    by_thresholds = rule.own is None or isinstance(rule.own, ThresholdRule)
    # Votes and other decisions of a strategy's own have no thresholds.
    own = np.asarray(rule.own.values, dtype=np.float64) if isinstance(rule.own, ThresholdRule) else None
    evidence = Evidence(validator.role, tuned, own)
    # Thresholds can be written down as they are; anything else is fitted again where the model is loaded.
    if chosen.chain("adjust") or not by_thresholds:
        oof = np.ascontiguousarray(result.cv.logits[result.rows])
        evidence = dataclasses.replace(
            evidence, oof_logits=oof, oof_Y=validator.Y[result.rows], oof_folds=result.folds
        )
    if "head" in chosen.stages:
        every = [np.arange(len(validator.Y))]
        (h,) = represent(validator, [fitted], validator.trainer.inputs, every)
        evidence = dataclasses.replace(evidence, representation=h, train_Y=validator.Y)
    return evidence


def _of_data(data: Dataset) -> dict[str, Any]:
    """The facts about the data."""
    # Data sets in memory and the built-in ones come from no table.
    table = data.table
    return {
        "dataset": data.name,
        "dataset_sha256": data.sha256,
        "rows": data.n_rows,
        "input": "text" if data.kind == "text" else "sparse" if is_sparse(data.X) else "numbers",
        "columns": 0 if data.kind == "text" else int(data.X.shape[1]),
        "labels": list(data.labels),
        "positives": [int(n) for n in data.Y.sum(0)],
        "table": {
            "inputs": list(table.inputs if table else ("text",) if data.kind == "text" else data.features),
            "label_column": table.label_column if table else None,
            "categories": {name: list(words) for name, words in (table.categories if table else {}).items()},
            "dates": {
                name: [form, list(parts)] for name, (form, parts) in (table.dates if table else {}).items()
            },
        },
    }
