"""The training side of a cell: everything a strategy may see, and nothing of the test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from equipoise.audit import audit
from equipoise.backbone import Backbone
from equipoise.composition import chain, owner, with_params
from equipoise.engine.inputs import Dense, Inputs, Sparse
from equipoise.engine.lanes import Lane, Softmax, Trained
from equipoise.engine.predict import predict
from equipoise.engine.train import Work, train
from equipoise.hyperparameters import bind
from equipoise.seeds import stream
from equipoise.settings import Settings
from equipoise.strategy import Context, Strategy
from equipoise.tasks import Given, Task, chained, decided, rounds, sources
from equipoise.training_rows import Rows

Params = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Fitted:
    """One model: the networks of all its tasks, trained on the same rows; `audit`: what resampling did, on a refit."""

    tasks: Sequence[Task]
    networks: Sequence[Trained]
    ctx: Context
    audit: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Workbench:
    """Training rows of one outer split, with inner folds.

    Attributes:
        inputs: their features, on the device; features: the same as an array (dense or CSR) where they can be averaged.
        Y: (n, L) uint8 labels; folds: (n,) the inner fold that holds each row out, −1: none does.
        role: dataset, backbone, split and seed, from which all streams derive.
    """

    strategy: Strategy
    backbone: Backbone
    inputs: Inputs
    features: Any
    nominal: np.ndarray | None
    Y: np.ndarray
    folds: np.ndarray
    role: tuple[object, ...]
    settings: Settings
    device: torch.device
    work: Work = field(default_factory=Work)

    @property
    def n_folds(self) -> int:
        """How many inner folds hold rows out."""
        return int(self.folds.max()) + 1

    @property
    def steps_per_epoch(self) -> int:
        """Gradient steps of one pass over a fold's training rows (before any resampling)."""
        kept = len(self.Y) * (1 - np.mean(self.folds == 0))
        return max(1, round(kept / self.settings.batch_size))

    def cross_validate(
        self, trials: Sequence[Params], on_step: Callable[[int], None] | None = None
    ) -> list[Outcome]:
        """Train every trial on every inner fold, all as lanes; out-of-fold logits of each trial."""
        plans = [self._prepare(params, fold) for params in trials for fold in range(self.n_folds)]
        models = self._train(plans, on_step)
        rows = [np.flatnonzero(self.folds == fold) for _ in trials for fold in range(self.n_folds)]
        logits = self.predict(models, self.inputs, rows)
        return [
            self._outcome(models[i : i + self.n_folds], logits[i : i + self.n_folds])
            for i in range(0, len(models), self.n_folds)
        ]

    def refit(
        self, params: Params, steps: Sequence[int], on_step: Callable[[int], None] | None = None
    ) -> Fitted:
        """Train on all rows, each task for its number of steps (the median, where the number of tasks is another)."""
        prepared, ctx, noted, lanes = self._prepare(params, None)
        given = steps if len(steps) == len(lanes) else [int(np.median(steps))] * len(lanes)
        exact = [replace(lane, steps=n) for lane, n in zip(lanes, given, strict=True)]
        return self._train([(prepared, ctx, noted, exact)], on_step)[0]

    def predict(
        self, models: Sequence[Fitted], inputs: Inputs, rows: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Merged logits (v_m, L) of each model for its own rows of the inputs; a chain's tasks in turn."""
        done: list[dict[int, np.ndarray]] = [{} for _ in models]
        links = [sources(m.tasks) for m in models]
        for turn in zip_longest(*map(rounds, links), fillvalue=()):
            asked = [(m, t) for m, tasks in enumerate(turn) for t in tasks]
            networks = [models[m].networks[t] for m, t in asked]
            given = [self._decided(models[m], links[m][t], done[m], len(rows[m])) for m, t in asked]
            answers = predict(networks, inputs, [rows[m] for m, _ in asked], self.device, given)
            for (m, t), logits in zip(asked, answers, strict=True):
                done[m][t] = logits
        join = owner(self.strategy, "tasks").merge
        return [
            join(m.tasks, [own[t] for t in range(len(own))], m.ctx)
            for m, own in zip(models, done, strict=True)
        ]

    def _decided(
        self, model: Fitted, needed: Mapping[int, int], logits: Mapping[int, np.ndarray], n: int
    ) -> np.ndarray | None:
        if not chained(model.tasks):
            return None
        return decided(model.tasks, needed, logits, (n, len(model.ctx.n_pos)))

    def lanes(self, params: Params, fold: int | None) -> list[Lane]:
        """The lanes of one model, not yet trained."""
        return self._prepare(params, fold)[-1]

    def _prepare(
        self, params: Params, fold: int | None
    ) -> tuple[Sequence[Task], Context, dict[str, Any], list[Lane]]:
        """Rows, tasks and lanes of one model: fold = None trains on all rows and watches none."""
        strategy = with_params(self.strategy, params)
        train_rows = np.arange(len(self.Y)) if fold is None else np.flatnonzero(self.folds != fold)
        held = None if fold is None else np.flatnonzero(self.folds == fold)
        Y = self.Y[train_rows]
        ctx = Context(Y.sum(0, dtype=np.int64), len(Y))
        before = rows = Rows(train_rows, Y, self.features, nominal=self.nominal)
        resamplers = chain(strategy, "resample")
        for place, part in enumerate(resamplers):
            rows = part.resample(rows, replace(ctx, rng=stream("resample", *self.role, fold, place)))
        tasks = owner(strategy, "tasks").tasks(rows.Y, replace(ctx, rng=stream("tasks", *self.role, fold)))
        lanes = [self._lane(strategy, params, rows, t, task, Y, held, fold) for t, task in enumerate(tasks)]
        if chained(tasks):
            lanes = [self._given(lane, task, rows, held) for lane, task in zip(lanes, tasks, strict=True)]
        noted = audit(before, rows) if fold is None and resamplers else {}
        return tasks, ctx, noted, lanes

    def _lane(
        self,
        strategy: Strategy,
        params: Params,
        rows: Rows,
        place: int,
        task: Task,
        Y: np.ndarray,
        held: np.ndarray | None,
        fold: int | None,
    ) -> Lane:
        own = rows if task.rows is None else rows.take(task.rows)
        targets = task.encode(own.Y)
        n_pos = task.encode(Y).sum(0, dtype=np.int64)
        role = (*self.role, fold, place)
        ctx = Context(n_pos, len(Y), rng=stream("weights", *role))
        weights = owner(strategy, "weights").weights(targets, ctx)
        return Lane(
            index=own.index,
            synthetic=own.synthetic,
            targets=targets,
            weights=None if np.ptp(weights) == 0 else weights,
            n_pos=n_pos,
            n_rows=len(Y),
            strategy=owner(strategy, "loss") if task.classes is None else Softmax(),
            backbone=bind(self.backbone, _of(self.backbone.name, params)),
            lr=params["lr"],
            weight_decay=params["weight_decay"],
            role=role,
            steps=self.settings.epochs * self.steps_per_epoch,
            held_out=held,
            held_targets=None if held is None else task.encode(self.Y[held]),
        )

    def _given(self, lane: Lane, task: Task, rows: Rows, held: np.ndarray | None) -> Lane:
        """The lane with true labels as further inputs, on the rows it learns from and on those it is watched by."""
        own = rows if task.rows is None else rows.take(task.rows)
        watched = None if held is None else Given(self.Y[held], task.given)
        return replace(lane, given=Given(own.Y, task.given), held_given=watched)

    def _train(self, plans: Sequence[Any], on_step: Callable[[int], None] | None) -> list[Fitted]:
        lanes = [lane for *_, own in plans for lane in own]
        trained = iter(
            train(
                lanes,
                self.inputs,
                batch_size=self.settings.batch_size,
                every=self.steps_per_epoch,
                patience=self.settings.patience,
                device=self.device,
                work=self.work,
                on_step=on_step,
            )
        )
        return [Fitted(tasks, [next(trained) for _ in own], ctx, noted) for tasks, ctx, noted, own in plans]

    def _outcome(self, models: Sequence[Fitted], logits: Sequence[np.ndarray]) -> Outcome:
        joined = np.full(self.Y.shape, np.nan, dtype=np.float32)
        for fold, own in enumerate(logits):
            joined[self.folds == fold] = own
        growth = len(self.Y) / (len(self.Y) * (1 - np.mean(self.folds == 0)))
        best = [[n.best_step for n in m.networks] for m in models]
        same = len({tuple(t.columns for t in m.tasks) for m in models}) == 1  # random tasks differ by fold
        middle = np.median(best, axis=0) if same else [np.median([s for b in best for s in b])]
        return Outcome(joined, [max(1, round(s * growth)) for s in middle])


@dataclass(frozen=True, eq=False)
class Outcome:
    """What cross-validation of one trial gave.

    Attributes:
        logits: (n, L) out-of-fold logits, NaN in rows that no fold held out.
        steps: for each task the steps to refit with: the median over folds of the best step, at the same passes over the
            rows.
    """

    logits: np.ndarray
    steps: list[int]


def features_of(inputs: Inputs, averages: bool) -> Any:
    """Inputs as an array that resamplers may take distances in, or None."""
    if not averages:
        return None
    if isinstance(inputs, Dense):
        return inputs.x.cpu().numpy()
    if isinstance(inputs, Sparse):
        parts = (inputs.values.cpu().numpy(), inputs.indices.cpu().numpy(), inputs.indptr.cpu().numpy())
        return sp.csr_matrix(parts, shape=(len(inputs), inputs.width))
    return None


def _of(name: str, params: Params) -> dict[str, Any]:
    return {k.split(".", 1)[1]: v for k, v in params.items() if k.startswith(f"{name}.")}
