"""From a setting of the hyperparameters to the lanes of a model: resampling, tasks, weights; nothing is trained here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.catalog.strategies import with_params
from equipoise.contracts.hyperparameters import bind
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import LabelInputs, Task, chained
from equipoise.core.seeds import stream
from equipoise.engine.lanes import Lane, Softmax, Trained
from equipoise.engine.loss import cells
from equipoise.resampling.audit import audit

if TYPE_CHECKING:
    from equipoise.experiment.cross_validation import CrossValidator

Params = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """One model before it is trained: its tasks and a lane for each, or what a lane that is done already gave.

    `audit` says what resampling did, on a refit.
    """

    tasks: Sequence[Task]
    ctx: Context
    audit: dict[str, Any]
    lanes: Sequence[Lane | Trained]

    def paused_at(self, share: float) -> TrainingJob:
        """To be trained up to a share of the steps and put aside."""
        return self._each(lambda lane, _: replace(lane, pause=max(1, round(share * lane.steps))), self.lanes)

    def resumed(self, networks: Sequence[Trained]) -> TrainingJob:
        """What is left to train after that; a lane that has stopped is done."""
        return self._each(
            lambda lane, n: n if n.paused is None else replace(lane, pause=None, resume=n.paused), networks
        )

    def _each(self, change: Any, others: Sequence[Any]) -> TrainingJob:
        pairs = zip(self.lanes, others, strict=True)
        return replace(self, lanes=[x if isinstance(x, Trained) else change(x, other) for x, other in pairs])


@dataclass(frozen=True, eq=False)
class _Fold:
    """Rows to train on, and those held out with their labels; the same arrays for every trial."""

    rows: Rows
    held: np.ndarray | None
    Y_held: np.ndarray | None


class JobBuilder:
    """Drafts of models on the rows of a workbench."""

    def __init__(self, bench: CrossValidator) -> None:
        self._bench = bench
        self._folds: dict[int | None, _Fold] = {}
        self._targets: dict[tuple[int, tuple[int, ...]], np.ndarray] = {}

    def model(self, params: Params, fold: int | None) -> TrainingJob:
        """One model: fold = None trains on all rows and watches none."""
        strategy, role = with_params(self._bench.strategy, params), self._bench.role
        own = self._fold(fold)
        rows, Y = own.rows, own.rows.Y
        ctx = Context(Y.sum(0, dtype=np.int64), len(Y))
        resamplers = strategy.chain("resample")
        for place, part in enumerate(resamplers):
            rows = part.resample(rows, replace(ctx, rng=stream("resample", *role, fold, place)))
        tasks = strategy.owner("tasks").tasks(rows.Y, replace(ctx, rng=stream("tasks", *role, fold)))
        lanes = [
            self._lane(strategy, params, rows, task, own, (*role, fold, t)) for t, task in enumerate(tasks)
        ]
        if chained(tasks):
            lanes = [_given(lane, task, rows, own) for lane, task in zip(lanes, tasks, strict=True)]
        noted = audit(own.rows, rows) if fold is None and resamplers else {}
        return TrainingJob(tasks, ctx, noted, lanes)

    def _fold(self, fold: int | None) -> _Fold:
        if fold not in self._folds:
            bench = self._bench
            index = np.arange(len(bench.Y)) if fold is None else np.flatnonzero(bench.folds != fold)
            rows = Rows(index, bench.Y[index], bench.features, nominal=bench.nominal)
            held = None if fold is None else np.flatnonzero(bench.folds == fold)
            self._folds[fold] = _Fold(rows, held, None if held is None else bench.Y[held])
        return self._folds[fold]

    def _encoded(self, task: Task, Y: np.ndarray, fold: _Fold) -> np.ndarray:
        """A task's targets; one array for all trials where their rows are the fold's as they are."""
        if task.classes is not None or (Y is not fold.rows.Y and Y is not fold.Y_held):
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
        bench, own = self._bench, rows if task.rows is None else rows.take(task.rows)
        targets = self._encoded(task, own.Y, fold)
        n_pos = self._encoded(task, fold.rows.Y, fold).sum(0, dtype=np.int64)
        ctx = Context(n_pos, len(fold.rows.Y), rng=stream("weights", *role))
        weights = strategy.owner("weights").weights(targets, ctx)
        loss = strategy.owner("loss") if task.classes is None else Softmax()
        return Lane(
            index=own.index,
            synthetic=own.synthetic,
            targets=targets,
            weights=None if np.ptp(weights) == 0 else weights,
            n_pos=n_pos,
            n_rows=ctx.n_rows,
            strategy=loss,
            backbone=bind(bench.backbone, _of(bench.backbone.name, params)),
            lr=params.get("lr", 0.0),
            l2=1.0 / (params["C"] * ctx.n_rows * cells(loss, n_pos, ctx.n_rows)) if "C" in params else 0.0,
            role=role,
            steps=bench.settings.epochs * bench.steps_per_epoch(len(fold.rows)),
            precision=bench.settings.precision,
            held_out=fold.held,
            held_targets=None if fold.Y_held is None else self._encoded(task, fold.Y_held, fold),
        )


def _given(lane: Lane, task: Task, rows: Rows, fold: _Fold) -> Lane:
    """The lane with true labels as further inputs, on the rows it learns from and on those it is watched by."""
    own = rows if task.rows is None else rows.take(task.rows)
    watched = None if fold.Y_held is None else LabelInputs(fold.Y_held, task.label_inputs)
    return replace(lane, label_inputs=LabelInputs(own.Y, task.label_inputs), val_label_inputs=watched)


def _of(name: str, params: Params) -> dict[str, Any]:
    return {k.split(".", 1)[1]: v for k, v in params.items() if k.startswith(f"{name}.")}
