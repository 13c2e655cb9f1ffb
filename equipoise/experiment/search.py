"""The search of a cell: Optuna proposes, lanes train, cross-fitted scores decide."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.catalog.strategies import deciding_parts, space, training_part, with_params
from equipoise.contracts.hyperparameters import Tunable, tunables
from equipoise.contracts.strategy import Strategy
from equipoise.core.seeds import seed_of
from equipoise.experiment.cross_validation import CrossValidator, CVResult
from equipoise.experiment.decision import decision_folds, decision_score, objective
from equipoise.experiment.proposals import batches, new_study
from equipoise.experiment.settings import Settings

#: What a score of a decision that is no number counts as.
_WORST = -1e300


@dataclass(frozen=True, eq=False)
class Found:
    """The winner of a search, its out-of-fold rows, and all trials in the order they were asked for.

    `deciding`: the trials of what acts on the trained networks alone, which is chosen after the network.
    """

    params: dict[str, Any]
    value: float
    outcome: CVResult
    rows: np.ndarray
    folds: np.ndarray
    trials: list[dict[str, Any]]
    deciding: list[dict[str, Any]]


def shared_space(bench: CrossValidator) -> dict[str, Tunable]:
    """What every strategy searches: the learning rate, the penalty, the backbone's own; without what is pinned.

    An estimator is not trained by gradient steps, so it has its own parameters only.
    """
    backbone = bench.backbone
    own = {f"{backbone.name}.{n}": t for n, t in tunables(backbone).items() if n not in backbone.fixed}
    return {"lr": backbone.lr, "C": backbone.C, **own} if backbone.gradient else own


def search_space(bench: CrossValidator) -> dict[str, Tunable]:
    """All that a row's settings hold: the shared part first, then the strategy's own."""
    return {**shared_space(bench), **space(bench.strategy)}


async def search(bench: CrossValidator, report: Callable[[float], None] | None = None) -> Found:
    """Try `settings.trials` settings, trial 0 being the defaults, in batches that train side by side.

    The first half are the same for every strategy; the others follow from what was scored before (`proposals`);
    neither depends on the number of processes. With `settings.pruning` a batch pauses at the rungs of successive halving,
    where hopeless trials end.

    Score maps and decisions have no say in it: `focal+platt` tries and chooses the networks that `focal` does, `platt` those
    of `none`. Their own settings are tried afterwards, on the out-of-fold logits of the network that was chosen.

    Args:
        report: called with the share of the search that is done, 0..1.
    """
    import optuna

    settings, trained = bench.settings, training_part(bench.strategy)
    study, ask = new_study(
        shared_space(bench), space(trained), bench.role, settings.trials, _pruner(settings)
    )
    rows = np.flatnonzero(bench.folds >= 0)
    folds = decision_folds(bench.folds[rows], bench.Y[rows], seed_of("decision folds", *bench.role) % 2**63)
    best: tuple[float, CVResult, dict[str, Any]] | None = None
    done: list[dict[str, Any]] = []
    for size in batches(settings.trials, settings.trial_batch):
        batch = [ask() for _ in range(size)]
        started = _steps_reporter(bench, len(done), len(batch), report)
        hopeless = _judge(batch) if settings.pruning and bench.backbone.gradient else None
        asked = [t.params for t in batch]
        outcomes = await bench.cross_validate(asked, started, _rungs(settings), hopeless)
        for trial, outcome in zip(batch, outcomes, strict=True):
            if outcome is None:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                done.append({"params": dict(trial.params), "value": math.nan, "pruned": True})
                continue
            value = _value(bench, with_params(trained, trial.params), outcome, rows, folds)
            study.tell(trial, value)
            done.append({"params": dict(trial.params), "value": value})
            if best is None or value > best[0]:
                best = (value, outcome, dict(trial.params))
    assert best is not None
    own, tried = _search_decision(bench, best[1].logits[rows], rows, folds)
    return Found({**best[2], **own}, best[0], best[1], rows, folds, done, tried)


def _search_decision(
    bench: CrossValidator, logits: np.ndarray, rows: np.ndarray, folds: np.ndarray
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The best settings of the score maps and the decision, and all that were tried; of equally good ones, the first.

    As many trials as networks had, the defaults first, half spread over the ranges and half by TPE; they take no training.
    """
    ranges = {n: t for part in deciding_parts(bench.strategy) for n, t in space(part).items()}
    if not ranges or not np.isfinite(logits).all():
        return {name: spec.default for name, spec in ranges.items()}, []
    study, ask = new_study(ranges, {}, ("decision", *bench.role), bench.settings.trials)
    tried: list[dict[str, Any]] = []
    for _ in range(bench.settings.trials):
        trial = ask()
        strategy = with_params(bench.strategy, trial.params)
        value = decision_score(strategy, logits, bench.Y[rows], folds, bench.role)
        study.tell(trial, value if math.isfinite(value) else _WORST)
        tried.append({"params": dict(trial.params), "value": value})
    best = max(tried, key=lambda t: t["value"] if math.isfinite(t["value"]) else _WORST)
    return best["params"], tried


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
    bench: CrossValidator, strategy: Strategy, outcome: CVResult, rows: np.ndarray, folds: np.ndarray
) -> float:
    """The objective, with a training that diverged scoring nothing."""
    logits = outcome.logits[rows]
    if not np.isfinite(logits).all():
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        value = objective(strategy, logits, bench.Y[rows], folds, bench.role, bench.settings.objective)
    return value if np.isfinite(value) else 0.0


def _steps_reporter(
    bench: CrossValidator, done: int, asked: int, report: Callable[[float], None] | None
) -> Callable[[int], None] | None:
    """Turn lane steps into the share of the search that is done."""
    if report is None:
        return None
    trials, total = bench.settings.trials, 0
    most = (
        asked * bench.n_folds * bench.settings.epochs * bench.steps_per_epoch(int(np.sum(bench.folds != 0)))
    )

    def on_step(lanes: int) -> None:
        nonlocal total
        total += lanes
        report((done + asked * min(total / most, 1.0)) / trials)

    return on_step
