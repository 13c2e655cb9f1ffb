"""Turns hyperparameters into the lanes of a model: resampling, tasks and weights. Nothing is trained here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.catalog.strategies import with_params
from equipoise.contracts import hook_results
from equipoise.contracts.hyperparameters import bind
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import LabelInputs, Task, chained
from equipoise.core.seeds import stream
from equipoise.engine.lanes import Lane, Softmax, Trained
from equipoise.engine.loss import cells
from equipoise.engine.sampler import mean_probabilities
from equipoise.resampling.audit import audit

if TYPE_CHECKING:
    from equipoise.experiment.cross_validation import CrossValidator

Params = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """One model before its training is finished.

    Attributes:
        tasks: the sub-problems. ctx: the context in which the strategy made them.
        audit: what resampling did to the rows, for a refit; else empty.
        lanes: one per task; a task whose training is finished has its result there instead.
        repeat: which of several refits it is, from 0.
    """

    tasks: Sequence[Task]
    ctx: Context
    audit: dict[str, Any]
    lanes: Sequence[Lane | Trained]
    repeat: int = 0

    def paused_at(self, share: float) -> TrainingJob:
        """This job, to be trained up to a share of its steps and then paused."""
        # At least one step, so that there is something to score.
        return self._each(lambda lane, _: replace(lane, pause=max(1, round(share * lane.steps))), self.lanes)

    def resumed(self, networks: Sequence[Trained]) -> TrainingJob:
        """The rest of a paused job, from the networks that its first part gave."""
        # A lane that was paused at its last step has no state to resume: it is finished.
        return self._each(
            lambda lane, n: n if n.paused is None else replace(lane, pause=None, resume=n.paused), networks
        )

    def _each(self, change: Any, others: Sequence[Any]) -> TrainingJob:
        """This job with `change(lane, other)` in place of each lane that is not finished."""
        pairs = zip(self.lanes, others, strict=True)
        return replace(self, lanes=[x if isinstance(x, Trained) else change(x, other) for x, other in pairs])


@dataclass(frozen=True, eq=False)
class _Fold:
    """The rows to train on, and the held-out rows with their labels; the same arrays for every trial.

    The engine recognises equal arrays by their identity first, so sharing them saves memory and hashing.
    """

    rows: Rows
    held_out: np.ndarray | None
    Y_held_out: np.ndarray | None


class JobBuilder:
    """Builds training jobs on the rows of a `CrossValidator`."""

    def __init__(self, validator: CrossValidator) -> None:
        self._validator = validator
        self._folds: dict[int | None, _Fold] = {}
        self._targets: dict[tuple[int, tuple[int, ...]], np.ndarray] = {}

    def model(self, params: Params, fold: int | None, repeat: int = 0) -> TrainingJob:
        """The job of one model with these parameters.

        Args:
            fold: the inner fold that is held out; None: train on all rows and hold out none (the refit).
            repeat: which of several trainings that differ in their random numbers alone.
        """
        strategy = with_params(self._validator.strategy, params)
        role = repeat_role(self._validator.role, repeat)
        of_fold = self._fold(fold)
        rows, Y = of_fold.rows, of_fold.rows.Y
        ctx = Context(Y.sum(0, dtype=np.int64), len(Y))
        resamplers = strategy.chain("resample")
        # Streams are named by role and fold, not by trial: trials differ in their parameters and in no random number.
        for i, part in enumerate(resamplers):
            made = part.resample(rows, replace(ctx, rng=stream("resample", *role, fold, i)))
            rows = hook_results.resampled_rows(part, made, rows)
        ctx = replace(ctx, trained_pos=rows.Y.sum(0, dtype=np.int64), trained_rows=len(rows))
        splitter = strategy.owner("tasks")
        split = splitter.tasks(rows.Y, replace(ctx, rng=stream("tasks", *role, fold)))
        tasks = hook_results.sub_problems(splitter, split, rows.Y)
        lanes = [
            self._lane(strategy, params, rows, task, of_fold, (*role, fold, t))
            for t, task in enumerate(tasks)
        ]
        if chained(tasks):
            lanes = [
                _with_label_inputs(lane, task, rows, of_fold) for lane, task in zip(lanes, tasks, strict=True)
            ]
        resampled = audit(of_fold.rows, rows) if fold is None and resamplers else {}
        if resampled and self._validator.external is not None:
            resampled["external"] |= self._validator.external.counts
        return TrainingJob(tasks, ctx, resampled, lanes, repeat)

    def _fold(self, fold: int | None) -> _Fold:
        if fold not in self._folds:
            validator = self._validator
            index = np.arange(len(validator.Y)) if fold is None else np.flatnonzero(validator.folds != fold)
            held_out = None if fold is None else np.flatnonzero(validator.folds == fold)
            offered = None if validator.external is None else validator.external.offer(held_out)
            rows = Rows(
                index, validator.Y[index], validator.features, nominal=validator.nominal, offered=offered
            )
            self._folds[fold] = _Fold(rows, held_out, None if held_out is None else validator.Y[held_out])
        return self._folds[fold]

    def _encoded(self, task: Task, Y: np.ndarray, fold: _Fold) -> np.ndarray:
        """The targets (n, L_t) of a task; one array for all trials if they use the rows of the fold unchanged."""
        # The cache is keyed by identity, so only arrays that live as long as this object may enter it.
        if task.classes is not None or (Y is not fold.rows.Y and Y is not fold.Y_held_out):
            return task.encode(Y)
        key = (id(Y), task.columns)
        if key not in self._targets:
            self._targets[key] = task.encode(Y)
        return self._targets[key]

    def _lane(
        self,
        strategy: Strategy,
        params: Params,
        rows: Rows,
        task: Task,
        fold: _Fold,
        role: tuple[object, ...],
    ) -> Lane:
        """The lane of one task on resampled rows."""
        validator, task_rows = self._validator, rows if task.rows is None else rows.take(task.rows)
        targets = self._encoded(task, task_rows.Y, fold)
        before = self._encoded(task, fold.rows.Y, fold)
        n_pos = before.sum(0, dtype=np.int64)
        ctx = Context(
            n_pos,
            len(before),
            rng=stream("weights", *role),
            trained_pos=targets.sum(0, dtype=np.int64),
            trained_rows=len(targets),
        )
        drawer = strategy.owner("weights")
        drawn = hook_results.sampling_weights(drawer, drawer.weights(targets, ctx), len(targets))
        # Equal weights mean shuffled epochs, see `Strategy.weights`.
        weights = None if np.ptp(drawn) == 0 else drawn
        loss = strategy.owner("loss") if task.classes is None else Softmax()
        return Lane(
            index=task_rows.index,
            synthetic=task_rows.synthetic,
            targets=targets,
            weights=weights,
            n_pos=n_pos,
            n_rows=ctx.n_rows,
            trained_pos=ctx.trained_pos if weights is None else drawn_positives(targets, weights),
            trained_rows=ctx.trained_rows,
            strategy=loss,
            backbone=bind(validator.backbone, _backbone_params(validator.backbone.name, params)),
            # Estimators have no learning rate and no penalty of ours.
            lr=params.get("lr", 0.0),
            # C Σ loss + ½ ‖w‖² (as in scikit-learn) divided by C and by the number of terms of the sum: the engine
            # minimises mean loss + l2/2 ‖w‖².
            l2=1.0 / (params["C"] * ctx.n_rows * cells(loss, n_pos, ctx.n_rows)) if "C" in params else 0.0,
            role=role,
            steps=validator.settings.epochs * validator.steps_per_epoch(len(fold.rows)),
            precision=validator.settings.precision,
            held_out=fold.held_out,
            held_targets=None if fold.Y_held_out is None else self._encoded(task, fold.Y_held_out, fold),
        )


def repeat_role(role: tuple[object, ...], repeat: int) -> tuple[object, ...]:
    """The role that names the random streams of a repeat; the first repeat has the role itself."""
    return (*role, "repeat", repeat) if repeat else role


def drawn_positives(targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Positives of each label, (L,), if as many rows as targets (m, L) has are drawn with weights (m,) or (S, m).

    Weights that change are averaged over the training.
    """
    # Not a matrix product: a library may add in another order on another machine.
    share = (mean_probabilities(weights)[:, None] * targets).sum(0)
    # Rounding must not make more positives than rows.
    positives: np.ndarray = np.minimum(share, 1.0) * len(targets)
    return positives


def _with_label_inputs(lane: Lane, task: Task, rows: Rows, fold: _Fold) -> Lane:
    """The lane with the true labels as additional inputs, for its training rows and for its held-out rows."""
    task_rows = rows if task.rows is None else rows.take(task.rows)
    held_out = None if fold.Y_held_out is None else LabelInputs(fold.Y_held_out, task.label_inputs)
    return replace(lane, label_inputs=LabelInputs(task_rows.Y, task.label_inputs), val_label_inputs=held_out)


def _backbone_params(name: str, params: Params) -> dict[str, Any]:
    """The parameters named "backbone.field", by field."""
    return {k.split(".", 1)[1]: v for k, v in params.items() if k.startswith(f"{name}.")}
