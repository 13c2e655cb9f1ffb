"""The training side of a cell: everything a strategy may see, and nothing of the test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np

from equipoise.contracts.backbone import Backbone
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import Task, chained, decided, rounds, sources
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.predict import predict
from equipoise.engine.scheduler import Trainer
from equipoise.experiment.jobs import JobBuilder, TrainingJob
from equipoise.experiment.settings import Settings
from equipoise.ops.inputs import Dense, Inputs, Sparse

Params = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class FittedModel:
    """One model: the networks of all its tasks, trained on the same rows; `audit`: what resampling did, on a refit."""

    tasks: Sequence[Task]
    networks: Sequence[Trained]
    ctx: Context
    audit: dict[str, Any]


@dataclass(frozen=True, eq=False)
class CrossValidator:
    """Training rows of one outer split, with inner folds.

    Attributes:
        features: their features as an array (dense or CSR) where they can be averaged; the trainer has them on the device.
        Y: (n, L) uint8 labels; folds: (n,) the inner fold that holds each row out, −1: none does.
        role: dataset, backbone, split and seed, from which all streams derive.
    """

    strategy: Strategy
    backbone: Backbone
    features: Any
    nominal: np.ndarray | None
    Y: np.ndarray
    folds: np.ndarray
    role: tuple[object, ...]
    settings: Settings
    trainer: Trainer

    @property
    def n_folds(self) -> int:
        """How many inner folds hold rows out."""
        return int(self.folds.max()) + 1

    def steps_per_epoch(self, rows: int) -> int:
        """Gradient steps of one pass over so many training rows (before any resampling)."""
        return max(1, round(rows / self.settings.batch_size))

    async def cross_validate(
        self,
        trials: Sequence[Params],
        on_step: Callable[[int], None] | None = None,
        rungs: Sequence[int] = (),
        hopeless: Callable[[int, int, float], bool] | None = None,
    ) -> list[CVResult | None]:
        """Train every trial on every inner fold, all as lanes; a trial found hopeless at a rung has no result.

        Args:
            rungs: epochs after which `hopeless(trial, epoch, score)` is asked, the score being the mean over folds and tasks
                of the macro average precision then.
        """
        folds = range(self.n_folds)
        plans = {t: [self._jobs.model(params, fold) for fold in folds] for t, params in enumerate(trials)}
        for epoch in rungs if hopeless is not None else ():
            flat = [plan.paused_at(epoch / self.settings.epochs) for own in plans.values() for plan in own]
            models = await self._train(flat, on_step)
            for t in list(plans):
                own, models = models[: len(folds)], models[len(folds) :]
                score = float(np.mean([n.score for m in own for n in m.networks]))
                if hopeless is not None and hopeless(t, epoch, score):
                    del plans[t]
                else:
                    plans[t] = [plan.resumed(m.networks) for plan, m in zip(plans[t], own, strict=True)]
        models = await self._train([plan for own in plans.values() for plan in own], on_step)
        rows = [np.flatnonzero(self.folds == fold) for _ in plans for fold in folds]
        logits = self.predict(models, self.trainer.inputs, rows)
        outcomes: list[CVResult | None] = [None] * len(trials)
        for place, t in enumerate(plans):
            part = slice(place * len(folds), (place + 1) * len(folds))
            outcomes[t] = self._outcome(models[part], logits[part])
        return outcomes

    async def refit(self, params: Params, on_step: Callable[[int], None] | None = None) -> FittedModel:
        """Train on all rows, for as many passes as on a fold's."""
        return (await self._train([self._jobs.model(params, None)], on_step))[0]

    def predict(
        self, models: Sequence[FittedModel], inputs: Inputs, rows: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Merged logits (v_m, L) of each model for its own rows of the inputs; a chain's tasks in turn."""
        done: list[dict[int, np.ndarray]] = [{} for _ in models]
        links = [sources(m.tasks) for m in models]
        for turn in zip_longest(*map(rounds, links), fillvalue=()):
            asked = [(m, t) for m, tasks in enumerate(turn) for t in tasks]
            networks = [models[m].networks[t] for m, t in asked]
            given = [self._decided(models[m], links[m][t], done[m], len(rows[m])) for m, t in asked]
            answers = predict(networks, inputs, [rows[m] for m, _ in asked], self.trainer.device, given)
            for (m, t), logits in zip(asked, answers, strict=True):
                done[m][t] = logits
        join = self.strategy.owner("tasks").merge
        return [
            join(m.tasks, [own[t] for t in range(len(own))], m.ctx)
            for m, own in zip(models, done, strict=True)
        ]

    def _decided(
        self, model: FittedModel, needed: Mapping[int, int], logits: Mapping[int, np.ndarray], n: int
    ) -> np.ndarray | None:
        if not chained(model.tasks):
            return None
        return decided(model.tasks, needed, logits, (n, len(model.ctx.n_pos)))

    def lanes(self, params: Params, fold: int | None) -> list[Lane]:
        """The lanes of one model, not yet trained."""
        return [lane for lane in self._jobs.model(params, fold).lanes if isinstance(lane, Lane)]

    @cached_property
    def _jobs(self) -> JobBuilder:
        return JobBuilder(self)

    async def _train(
        self, jobs: Sequence[TrainingJob], on_step: Callable[[int], None] | None
    ) -> list[FittedModel]:
        """Have the lanes of several models trained; a lane that is done already stays as it is."""
        waiting = [lane for job in jobs for lane in job.lanes if isinstance(lane, Lane)]
        trained = iter(await self.trainer.train(waiting, on_step))
        return [
            FittedModel(
                j.tasks, [n if isinstance(n, Trained) else next(trained) for n in j.lanes], j.ctx, j.audit
            )
            for j in jobs
        ]

    def _outcome(self, models: Sequence[FittedModel], logits: Sequence[np.ndarray]) -> CVResult:
        joined = np.full(self.Y.shape, np.nan, dtype=np.float32)
        for fold, own in enumerate(logits):
            joined[self.folds == fold] = own
        return CVResult(joined, float(np.mean([n.settled for m in models for n in m.networks])))


@dataclass(frozen=True, eq=False)
class CVResult:
    """What cross-validation of one trial gave.

    Attributes:
        logits: (n, L) out-of-fold logits, NaN in rows that no fold held out.
        settled: the share of the steps from which on the folds' held-out scores hardly changed, the mean over folds and tasks.
    """

    logits: np.ndarray
    settled: float


def features_of(inputs: Inputs, vector_features: bool) -> Any:
    """Inputs as an array that resamplers may take distances in, or None."""
    if not vector_features:
        return None
    if isinstance(inputs, Dense):
        return inputs.array()
    if isinstance(inputs, Sparse):
        return inputs.matrix
    return None
