"""The search of a cell: Optuna proposes, lanes train, cross-fitted scores decide."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.catalog.strategies import space, with_params
from equipoise.contracts.hyperparameters import Tunable, tunables
from equipoise.core.seeds import seed_of
from equipoise.engine.scheduler import TrainingCoroutine
from equipoise.experiment.cross_validation import CrossValidator, CVResult
from equipoise.experiment.decision import decision_folds, objective
from equipoise.experiment.settings import WEIGHT_DECAY, Settings


@dataclass(frozen=True, eq=False)
class Found:
    """The winner of a search, its out-of-fold rows, and all trials in the order they were asked for."""

    params: dict[str, Any]
    value: float
    outcome: CVResult
    rows: np.ndarray
    folds: np.ndarray
    trials: list[dict[str, Any]]


def search_space(bench: CrossValidator) -> dict[str, Tunable]:
    """Shared part first (learning rate, weight decay, the backbone's), then the strategy's own."""
    backbone = bench.backbone
    shared = {f"{backbone.name}.{n}": t for n, t in tunables(backbone).items() if n not in backbone.fixed}
    return {"lr": backbone.lr, "weight_decay": WEIGHT_DECAY, **shared, **space(bench.strategy)}


def search(bench: CrossValidator, report: Callable[[float], None] | None = None) -> TrainingCoroutine[Found]:
    """Try `settings.trials` settings, trial 0 being the defaults, in batches that train side by side.

    The proposals depend on the role and on what earlier batches scored, not on the number of processes. With
    `settings.pruning` a batch pauses at the rungs of successive halving, where hopeless trials end.

    Args:
        report: called with the share of the search that is done, 0..1.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ranges = search_space(bench)
    settings = bench.settings
    sampler = optuna.samplers.TPESampler(seed=seed_of("search", *bench.role) % 2**32, n_startup_trials=5)
    pruner = _pruner(settings)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    study.enqueue_trial({name: spec.default for name, spec in ranges.items()})
    distributions = {name: _distribution(spec) for name, spec in ranges.items()}
    rows = np.flatnonzero(bench.folds >= 0)
    folds = decision_folds(bench.folds[rows], bench.Y[rows], seed_of("decision folds", *bench.role) % 2**63)
    best: tuple[float, CVResult, dict[str, Any]] | None = None
    done: list[dict[str, Any]] = []
    while len(done) < settings.trials:
        batch = [
            study.ask(distributions) for _ in range(min(settings.trial_batch, settings.trials - len(done)))
        ]
        started = _steps_reporter(bench, len(done), len(batch), report)
        hopeless = _judge(batch) if settings.pruning else None
        asked = [t.params for t in batch]
        outcomes = yield from bench.cross_validation(asked, started, _rungs(settings), hopeless)
        for trial, outcome in zip(batch, outcomes, strict=True):
            if outcome is None:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                done.append({"params": dict(trial.params), "value": math.nan, "pruned": True})
                continue
            value = _value(bench, trial.params, outcome, rows, folds)
            study.tell(trial, value)
            done.append({"params": dict(trial.params), "value": value})
            if best is None or value > best[0]:
                best = (value, outcome, dict(trial.params))
    assert best is not None
    return Found(best[2], best[0], best[1], rows, folds, done)


def _rungs(settings: Settings) -> list[int]:
    """Epochs at which trials are compared: a ninth and a third of all."""
    return sorted({max(1, settings.epochs // 9), max(1, settings.epochs // 3)})


def _pruner(settings: Settings) -> Any:
    """Successive halving (Jamieson & Talwalkar 2016, arXiv 1502.07943; asynchronous as in Optuna): the best third goes on."""
    import optuna

    if not settings.pruning:
        return optuna.pruners.NopPruner()
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=_rungs(settings)[0], reduction_factor=3)


def _judge(batch: Sequence[Any]) -> Callable[[int, int, float], bool]:
    def hopeless(trial: int, epoch: int, score: float) -> bool:
        batch[trial].report(score, epoch)
        return bool(batch[trial].should_prune())

    return hopeless


def _value(
    bench: CrossValidator, params: Mapping[str, Any], outcome: CVResult, rows: np.ndarray, folds: np.ndarray
) -> float:
    """The objective, with a training that diverged scoring nothing."""
    logits = outcome.logits[rows]
    if not np.isfinite(logits).all():
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        strategy = with_params(bench.strategy, params)
        value = objective(strategy, logits, bench.Y[rows], folds, bench.role, bench.settings.objective)
    return value if np.isfinite(value) else 0.0


def _distribution(spec: Tunable) -> Any:
    from optuna import distributions as d

    if spec.choices is not None:
        return d.CategoricalDistribution(spec.choices)
    assert spec.low is not None
    assert spec.high is not None
    if isinstance(spec.default, int):
        return d.IntDistribution(int(spec.low), int(spec.high), log=spec.log)
    return d.FloatDistribution(spec.low, spec.high, log=spec.log)


def _steps_reporter(
    bench: CrossValidator, done: int, asked: int, report: Callable[[float], None] | None
) -> Callable[[int], None] | None:
    """Turn lane steps into the share of the search that is done."""
    if report is None:
        return None
    trials, total = bench.settings.trials, 0
    most = asked * bench.n_folds * bench.settings.epochs * bench.steps_per_epoch

    def on_step(lanes: int) -> None:
        nonlocal total
        total += lanes
        report((done + asked * min(total / most, 1.0)) / trials)

    return on_step
