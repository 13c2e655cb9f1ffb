"""Lanes, the trainings of one network each, and their results."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from equipoise.contracts.hyperparameters import tunables
from equipoise.contracts.strategy import Strategy
from equipoise.contracts.tasks import LabelInputs
from equipoise.ops.precision import FLOAT32

if TYPE_CHECKING:
    from equipoise.contracts.backbone import Backbone
    from equipoise.contracts.strategy import Context
    from equipoise.engine.sampler import BatchSampler

#: The name of the parameter (G, h) that the engine adds for label inputs.
LABEL_WEIGHT = "label_weight"


@dataclass(frozen=True, eq=False)
class Lane:
    """The training of one network: everything that its result depends on, and nothing else.

    Attributes:
        index: (m,) rows of the shared inputs to learn from, repeats allowed.
        synthetic: (s, d) features of synthesised rows, or None.
        targets: (m + s, L) uint8, with the synthesised rows last.
        weights: (m + s,) sampling weights, or (S, m + s) weights at S moments of the training; None for shuffled epochs.
        n_pos: (L,) positives of each label in the training rows before any resampling. n_rows: the number of those rows.
        trained_pos: (L,) positives of each label among these rows, under the weights if there are any; None: as `n_pos`.
            trained_rows: the number of these rows, or None. See `Context`.
        strategy: the owner of the loss, with this lane's hyperparameters.
        backbone: the model, with this lane's hyperparameters.
        lr, l2: the peak learning rate and the penalty, see `equipoise.engine.optimizer`.
        role: the name of its random streams. It holds no trial and no strategy, so lanes that differ in nothing else draw the
            same numbers.
        steps: the number of gradient steps, over which the learning rate rises and falls.
        label_inputs: the labels (m + s, G) that the network takes as inputs, or None. While training, these are true labels.
        val_label_inputs: the same for held-out rows, (v, G).
        held_out: (v,) rows of the shared inputs to score now and then; None for none. held_targets: (v, L) their targets.
        precision: of matrix products in training, see `equipoise.ops.precision`.
        pause: the step at which to stop with a state from which training can resume. resume: such a state.
    """

    index: np.ndarray
    targets: np.ndarray
    n_pos: np.ndarray
    n_rows: int
    strategy: Strategy
    backbone: Backbone
    lr: float
    l2: float
    role: tuple[object, ...]
    steps: int
    synthetic: Any = None
    weights: np.ndarray | None = None
    held_out: np.ndarray | None = None
    held_targets: np.ndarray | None = None
    label_inputs: LabelInputs | None = None
    val_label_inputs: LabelInputs | None = None
    trained_pos: np.ndarray | None = None
    trained_rows: int | None = None
    precision: str = FLOAT32
    pause: int | None = None
    resume: Paused | None = None

    @property
    def signature(self) -> tuple[object, ...]:
        """What the lanes of one population must have in common: the shapes and the precision. Losses may differ.

        Lanes whose loss sees the representation are apart from the others, which would have to make theirs available for nothing.
        """
        return (
            self.backbone.structure,
            self.targets.shape[1],
            self.held_out is None,
            self.precision,
            None if self.label_inputs is None else self.label_inputs.labels.shape[1],
            self.strategy.sees_representation,
        )


@dataclass(frozen=True, eq=False)
class Paused:
    """The state of a lane in the middle of its training: everything that its remaining steps depend on.

    Attributes:
        optimizer: the number of steps done, and the two moments of each parameter.
        batches: the stream of batches. drawn: positions that were drawn from it and not used.
        dropout: the state of the dropout stream.
        looks: the scores so far, as (step, score).
    """

    params: dict[str, Tensor] = field(repr=False)
    optimizer: tuple[int, dict[str, Tensor], dict[str, Tensor]] = field(repr=False)
    batches: BatchSampler = field(repr=False)
    drawn: np.ndarray = field(repr=False)
    dropout: Any = field(repr=False)
    looks: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of training a lane.

    Attributes:
        params: name → tensor, after the last step.
        steps_run: the number of gradient steps that were run.
        score: the final macro average precision on held-out rows (0 if there are none).
        settled: the share of the steps after which that score hardly changed (1 if it never settled).
        paused: the state to resume from, if the lane was paused before its last step.
        estimator: the fitted model of a backbone that is not trained by gradient steps; `params` is then empty.
        seconds: what fitting the estimator took; 0 for networks, which are trained side by side.
    """

    params: dict[str, Tensor] = field(repr=False)
    backbone: Backbone
    steps_run: int
    score: float = 0.0
    settled: float = 1.0
    paused: Paused | None = None
    estimator: Any = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Softmax(Strategy):
    """The loss of a task that learns labelsets as exclusive classes; rows of an unknown labelset have a loss of 0."""

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return -(targets * torch.log_softmax(logits, -1)).sum(-1)


def continuous_fields(strategy: Strategy) -> list[str]:
    """Hyperparameters that a loss receives as tensors, with one value per lane."""
    return [n for n, t in tunables(strategy).items() if t.continuous]


def static_fields(strategy: Strategy) -> list[str]:
    """Hyperparameters that a loss may branch on in Python; lanes with different values are separate groups of the loss."""
    tensors = set(continuous_fields(strategy))
    return [f.name for f in dataclasses.fields(strategy) if f.name not in tensors and f.name != "pinned"]
