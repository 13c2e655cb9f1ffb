"""The search of a cell: Optuna proposes settings, the engine trains them as lanes, and cross-fitted scores pick the winner."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.catalog.strategies import space, training_part, with_params
from equipoise.contracts.hyperparameters import Tunable, tunables
from equipoise.contracts.strategy import Strategy
from equipoise.core.lazy import lazy
from equipoise.core.seeds import seed_of
from equipoise.experiment.cross_validation import CrossValidator, CVResult
from equipoise.experiment.decision import decision_folds, objective
from equipoise.experiment.search.after_training import search_decision, search_head
from equipoise.experiment.search.proposals import batches, new_study, stream_names
from equipoise.experiment.settings import Settings

if TYPE_CHECKING:
    import optuna
else:
    optuna = lazy("optuna")


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The winner of a search and the trials that led to it.

    Attributes:
        params: parameter → value, of the network and of the decision. value: the winner's objective.
        cv: the cross-validation of the winner, its logits after the head. rows: the positions that were held out. folds: a fold
            for each of them.
        trials: the trials of the network, in the order in which they were proposed.
        decision_trials: the trials of the head, then those of score maps and decisions, which are chosen after the network.
    """

    params: dict[str, Any]
    value: float
    cv: CVResult
    rows: np.ndarray
    folds: np.ndarray
    trials: list[dict[str, Any]]
    decision_trials: list[dict[str, Any]]


def shared_space(validator: CrossValidator) -> dict[str, Tunable]:
    """The parameters that are searched for every strategy: learning rate, penalty and the backbone's, except pinned ones.

    An estimator is not trained by gradient steps, so only its own parameters are searched.
    """
    backbone = validator.backbone
    of_backbone = {
        f"{backbone.name}.{n}": t for n, t in tunables(backbone).items() if n not in backbone.fixed
    }
    return {"lr": backbone.lr, "C": backbone.C, **of_backbone} if backbone.gradient else of_backbone


def search_space(validator: CrossValidator) -> dict[str, Tunable]:
    """All parameters of a row: the shared ones first, then the strategy's own."""
    return {**shared_space(validator), **space(validator.strategy)}


async def search(validator: CrossValidator, report: Callable[[float], None] | None = None) -> SearchResult:
    """Try `settings.trials` settings, in batches that are trained side by side. Trial 0 is the defaults.

    The first half of the trials are the same for every strategy; the others are proposed from the scores so far (see
    `proposals`). Neither half depends on the number of processes. With `settings.pruning`, a batch pauses at the rungs of
    successive halving, where hopeless trials end.

    Heads, score maps and decisions do not take part: `focal+platt` tries and chooses the same networks as `focal`, and `crt` and
    `platt` the same as `none`. Their own settings are trials afterwards: first those of the head, on the chosen network, then
    those of score maps and decisions, on its out-of-fold logits.

    Args:
        report: called with the finished share of the search, 0 to 1.
    """
    settings, trained = validator.settings, training_part(validator.strategy)
    own_space = space(trained)
    study, propose = new_study(
        shared_space(validator),
        own_space,
        validator.role,
        settings.trials,
        _pruner(settings),
        stream_names(own_space),
    )
    # With a single holdout, only its rows have out-of-fold logits.
    rows = np.flatnonzero(validator.folds >= 0)
    folds = decision_folds(
        validator.folds[rows],
        validator.Y[rows],
        seed_of("decision folds", *validator.role) % 2**63,
        None if validator.groups is None else validator.groups[rows],
    )
    best: tuple[float, CVResult, dict[str, Any]] | None = None
    done: list[dict[str, Any]] = []
    for size in batches(settings.trials, settings.trial_batch):
        batch = [propose() for _ in range(size)]
        on_step = _steps_reporter(validator, len(done), len(batch), report)
        # An estimator cannot pause, so its trials are never pruned.
        hopeless = _pruned_by_study(batch) if settings.pruning and validator.backbone.gradient else None
        params = [t.params for t in batch]
        results = await validator.cross_validate(params, on_step, _rungs(settings), hopeless)
        # All trials of a batch are scored in their order, so the proposals do not depend on which one finished first.
        for trial, cv in zip(batch, results, strict=True):
            if cv is None:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                done.append({"params": dict(trial.params), "value": math.nan, "pruned": True})
                continue
            value = _value(validator, with_params(trained, trial.params), cv, rows, folds)
            study.tell(trial, value)
            done.append({"params": dict(trial.params), "value": value})
            # Of equally good trials the first wins, so that the defaults win where the parameters make no difference.
            if best is None or value > best[0]:
                best = (value, cv, dict(trial.params))
        # Where heads follow, results hold networks; those of the best trial are enough to keep during the next training.
        del results, cv
    assert best is not None
    value, cv, of_network = best
    of_head, head_trials, logits = search_head(validator, cv, of_network, rows, folds)
    chosen, decision_trials = search_decision(validator, logits[rows], rows, folds)
    return SearchResult(
        {**of_network, **of_head, **chosen},
        value,
        CVResult(logits, cv.settled),
        rows,
        folds,
        done,
        [*head_trials, *decision_trials],
    )


def _rungs(settings: Settings) -> list[int]:
    """The epochs at which trials are compared: a ninth and a third of all, since a third of the trials goes on each time."""
    return sorted({max(1, settings.epochs // 9), max(1, settings.epochs // 3)})


def _pruner(settings: Settings) -> Any:
    """Successive halving (Jamieson & Talwalkar 2016, arXiv 1502.07943; asynchronous as in Optuna): the best third goes on."""
    if not settings.pruning:
        return optuna.pruners.NopPruner()
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=_rungs(settings)[0], reduction_factor=3)


def _pruned_by_study(batch: Sequence[Any]) -> Callable[[int, int, float], bool]:
    """A function of trial (its position in the batch), epoch and score: True where the study's pruner ends the trial."""

    def hopeless(trial: int, epoch: int, score: float) -> bool:
        # The study would end every trial without a score, perhaps all of them; 0 is the lowest score, as in `_value`.
        batch[trial].report(score if math.isfinite(score) else 0.0, epoch)
        return bool(batch[trial].should_prune())

    return hopeless


def _value(
    validator: CrossValidator, strategy: Strategy, cv: CVResult, rows: np.ndarray, folds: np.ndarray
) -> float:
    """The objective of a trial; 0, the lowest score, for a training that diverged."""
    logits = cv.logits[rows]
    if not np.isfinite(logits).all():
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        value = objective(
            strategy, logits, validator.Y[rows], folds, validator.role, validator.settings.objective
        )
    return value if np.isfinite(value) else 0.0


def _steps_reporter(
    validator: CrossValidator, done: int, size: int, report: Callable[[float], None] | None
) -> Callable[[int], None] | None:
    """A function that counts lane steps of a batch and reports the finished share of the search.

    Args:
        done: trials finished before this batch. size: trials in the batch.
    """
    if report is None:
        return None
    settings, total = validator.settings, 0
    # Fold 0 stands for all folds, whose sizes are as equal as groups of rows allow.
    steps = settings.epochs * validator.steps_per_epoch(int(np.sum(validator.folds != 0)))
    # An estimate for one network per fold. A strategy with several tasks takes more steps, hence the `min` below.
    expected = size * validator.n_folds * steps

    def on_step(lanes: int) -> None:
        nonlocal total
        total += lanes
        report((done + size * min(total / expected, 1.0)) / settings.trials)

    return on_step
