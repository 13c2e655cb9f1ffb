"""The training side of a cell: everything that a strategy may see. The test rows are not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.contracts import hook_results
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import Task, chained, decided, rounds, sources
from equipoise.core.arrays import is_sparse
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.predict import predict
from equipoise.engine.scheduler import Trainer
from equipoise.experiment.jobs import JobBuilder, TrainingJob
from equipoise.experiment.settings import Settings
from equipoise.ops.inputs import Dense, Inputs, Sparse

if TYPE_CHECKING:
    from equipoise.experiment.external import External

Params = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class FittedModel:
    """One model: the networks of all its tasks, trained on the same rows.

    Attributes:
        audit: what resampling did to the rows, after a refit; else empty.
        repeat: which of several refits it is, from 0.
    """

    tasks: Sequence[Task]
    networks: Sequence[Trained]
    ctx: Context
    audit: dict[str, Any]
    repeat: int = 0


@dataclass(frozen=True, eq=False)
class CrossValidator:
    """The training rows of one outer split, with inner folds.

    Attributes:
        features: the features of the rows as an array (n, d), dense or CSR, for resamplers that compute distances; None where
            the backbone's features are no vectors. The trainer holds the same features on the device.
        nominal: the columns that are categories, as in `Rows.nominal`.
        Y: (n, L) uint8 labels.
        folds: (n,) the inner fold that holds out each row; −1 for a row that no fold holds out.
        role: dataset, backbone, split and seed, which name all random streams. The strategy is not part of it, so that all
            strategies start from the same weights and see the same batches.
        external: rows of the user's own that the strategy may add; they lie behind the others in `features` and in the
            trainer's inputs. None if it names no file.
        groups: (n,) rows that the folds keep together have equal numbers; None if every row is by itself.
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
    external: External | None = None
    groups: np.ndarray | None = None

    @property
    def n_folds(self) -> int:
        """The number of inner folds."""
        return int(self.folds.max()) + 1

    def steps_per_epoch(self, rows: int) -> int:
        """Gradient steps of one pass over `rows` training rows.

        Counted before any resampling, so that every strategy gets the same number of steps.
        """
        return max(1, round(rows / self.settings.batch_size))

    async def cross_validate(
        self,
        trials: Sequence[Params],
        on_step: Callable[[int], None] | None = None,
        rungs: Sequence[int] = (),
        hopeless: Callable[[int, int, float], bool] | None = None,
    ) -> list[CVResult | None]:
        """Train every trial on every inner fold, all of them as lanes of one request.

        Args:
            trials: the parameters of each trial.
            on_step: called with the number of lane steps since its last call.
            rungs: epochs at which the trainings pause and `hopeless(trial, epoch, score)` is called. The score is the mean,
                over folds and tasks, of the macro average precision on the held-out rows.

        Returns:
            A result for each trial, None for one that was hopeless at a rung.
        """
        folds = range(self.n_folds)
        # Trial → its jobs, one per fold. Hopeless trials are deleted; the others keep their order.
        jobs = {t: [self._jobs.model(params, fold) for fold in folds] for t, params in enumerate(trials)}
        for epoch in rungs if hopeless is not None else ():
            paused = [
                job.paused_at(epoch / self.settings.epochs) for of_trial in jobs.values() for job in of_trial
            ]
            models = await self._train(paused, on_step)
            for t in list(jobs):
                of_trial, models = models[: len(folds)], models[len(folds) :]
                score = float(np.mean([network.score for m in of_trial for network in m.networks]))
                if hopeless is not None and hopeless(t, epoch, score):
                    del jobs[t]
                else:
                    # Goes on where it paused, so that no step is trained twice.
                    jobs[t] = [job.resumed(m.networks) for job, m in zip(jobs[t], of_trial, strict=True)]
        models = await self._train([job for of_trial in jobs.values() for job in of_trial], on_step)
        # Each model predicts the rows that it was not trained on.
        rows = [np.flatnonzero(self.folds == fold) for _ in jobs for fold in folds]
        logits = self.predict(models, self.trainer.inputs, rows)
        results: list[CVResult | None] = [None] * len(trials)
        for i, t in enumerate(jobs):
            # Only trials that went on have models, so a trial is counted by `i` among the models.
            part = slice(i * len(folds), (i + 1) * len(folds))
            results[t] = self._result(models[part], logits[part])
        return results

    async def refit(self, params: Params, on_step: Callable[[int], None] | None = None) -> FittedModel:
        """Train on all rows, for as many passes as in the search; there are no held-out rows to score."""
        return (await self.refits(params, 1, on_step))[0]

    async def refits(
        self, params: Params, repeats: int, on_step: Callable[[int], None] | None = None
    ) -> list[FittedModel]:
        """Train on all rows several times, from other initial weights and with other batches, side by side as lanes.

        The first model is that of `refit`. Repeat r is the same whatever the number of repeats, and all strategies start from
        the same weights in it.
        """
        return await self._train([self._jobs.model(params, None, r) for r in range(repeats)], on_step)

    def predict(
        self, models: Sequence[FittedModel], inputs: Inputs, rows: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Merged logits (v_m, L) of each model for its own rows of the inputs."""
        by_model = self.task_logits(models, inputs, rows)
        return [self.merge(m, logits) for m, logits in zip(models, by_model, strict=True)]

    def merge(self, model: FittedModel, task_logits: Sequence[np.ndarray]) -> np.ndarray:
        """The logits (n, L) of a model from those of its tasks, (n, L_t) each."""
        # The part of a composition that split the problem also joins the logits.
        owner = self.strategy.owner("tasks")
        merged = owner.merge(model.tasks, task_logits, model.ctx)
        shape = (len(task_logits[0]), len(model.ctx.n_pos))
        logits: np.ndarray = hook_results.scores(owner, "merge", merged, shape, *task_logits)
        return logits

    def vote(self, model: FittedModel, task_logits: Sequence[np.ndarray]) -> np.ndarray | None:
        """The strategy's own decision (n, L) from the logits of its tasks; None if it decides from the merged logits."""
        voter = self.strategy.voter
        if voter is None:
            return None
        votes = voter.vote(model.tasks, task_logits, model.ctx)
        return hook_results.decisions(voter, "vote", votes, (len(task_logits[0]), len(model.ctx.n_pos)))

    def task_logits(
        self, models: Sequence[FittedModel], inputs: Inputs, rows: Sequence[np.ndarray]
    ) -> list[list[np.ndarray]]:
        """For each model, the logits (v_m, L_t) of its tasks for its own rows of the inputs.

        Networks that take labels as inputs (of a classifier chain) need the decisions of earlier tasks, so prediction goes in
        rounds. Each round predicts with the networks of all models at once.
        """
        task_logits: list[dict[int, np.ndarray]] = [{} for _ in models]
        label_sources = [sources(m.tasks) for m in models]
        # A model with fewer rounds than others has nothing to predict in the later ones.
        for of_round in zip_longest(*map(rounds, label_sources), fillvalue=()):
            pairs = [(m, t) for m, tasks in enumerate(of_round) for t in tasks]
            networks = [models[m].networks[t] for m, t in pairs]
            label_inputs = [
                self._label_inputs(models[m], label_sources[m][t], task_logits[m], len(rows[m]))
                for m, t in pairs
            ]
            predicted = predict(
                networks, inputs, [rows[m] for m, _ in pairs], self.trainer.device, label_inputs
            )
            for (m, t), logits in zip(pairs, predicted, strict=True):
                task_logits[m][t] = logits
        return [[by_task[t] for t in range(len(by_task))] for by_task in task_logits]

    def represent(
        self, networks: Sequence[Trained], inputs: Inputs, rows: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """The learned representation (v_k, H) of each network for its own rows (v_k,) of the inputs."""
        return predict(networks, inputs, rows, self.trainer.device, method="represent")

    def _label_inputs(
        self, model: FittedModel, label_sources: Mapping[int, int], logits: Mapping[int, np.ndarray], n: int
    ) -> np.ndarray | None:
        """The label inputs (n, L) of a task, decided from the logits of earlier tasks; None if the model has no chain."""
        if not chained(model.tasks):
            return None
        return decided(model.tasks, label_sources, logits, (n, len(model.ctx.n_pos)))

    def lanes(self, params: Params, fold: int | None) -> list[Lane]:
        """The untrained lanes of one model; `fold` None means the refit on all rows."""
        return [lane for lane in self._jobs.model(params, fold).lanes if isinstance(lane, Lane)]

    @cached_property
    def _jobs(self) -> JobBuilder:
        return JobBuilder(self)

    async def _train(
        self, jobs: Sequence[TrainingJob], on_step: Callable[[int], None] | None
    ) -> list[FittedModel]:
        """Train the lanes of several models together; lanes that are trained already are passed through."""
        untrained = [lane for job in jobs for lane in job.lanes if isinstance(lane, Lane)]
        trained = iter(await self.trainer.train(untrained, on_step))
        return [
            FittedModel(
                job.tasks,
                [lane if isinstance(lane, Trained) else next(trained) for lane in job.lanes],
                job.ctx,
                job.audit,
                job.repeat,
            )
            for job in jobs
        ]

    def _result(self, models: Sequence[FittedModel], logits: Sequence[np.ndarray]) -> CVResult:
        """The result of one trial from its models and their held-out logits, one array per fold."""
        # NaN marks rows without a prediction, so that using one by mistake cannot go unnoticed.
        joined = np.full(self.Y.shape, np.nan, dtype=np.float32)
        for fold, held_out in enumerate(logits):
            joined[self.folds == fold] = held_out
        kept = tuple(models) if "head" in self.strategy.stages else ()
        return CVResult(joined, float(np.mean([n.settled for m in models for n in m.networks])), kept)


@dataclass(frozen=True, eq=False)
class CVResult:
    """The result of cross-validating one trial.

    Attributes:
        logits: (n, L) out-of-fold logits, NaN in rows that no fold held out.
        settled: the share of the steps after which the held-out score hardly changed, averaged over folds and tasks.
        models: the trained models, one for each fold, if the strategy replaces their last layer; else empty, to save memory.
    """

    logits: np.ndarray
    settled: float
    models: tuple[FittedModel, ...] = ()


def features_of(inputs: Inputs, vector_features: bool) -> Any:
    """The inputs as an array (n, d), dense or CSR, in which resamplers may compute distances; None if they are no vectors."""
    if not vector_features or not isinstance(inputs, Dense | Sparse):
        return None
    array: Any = inputs.array() if isinstance(inputs, Dense) else inputs.matrix
    # Read-only, since all strategies share it: a resampler that wrote to it would change the cells after it.
    (array.data if is_sparse(array) else array).flags.writeable = False
    return array
