"""What a lane is, and what training it gives."""

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


@dataclass(frozen=True, eq=False)
class Lane:
    """One training.

    Attributes:
        index: (m,) rows of the shared inputs it learns from, repeats allowed.
        synthetic: (s, d) features of synthesised rows, or None.
        targets: (m + s, L) uint8, synthesised rows last.
        weights: (m + s,) drawing weights, or (S, m + s) key frames of them over the training; None: shuffled passes.
        n_pos: (L,) positives of each label in the training rows before any resampling; n_rows: how many rows those were.
        strategy: the owner of the loss, with this lane's hyperparameters in it.
        backbone: with this lane's hyperparameters in it.
        lr, l2: of Adam, see `equipoise.engine.optimizer`.
        role: what its random streams are derived from.
        steps: gradient steps, over which the learning rate rises and falls.
        label_inputs: labels it sees as further inputs, (m + s, G), and val_label_inputs (v, G): the true ones while training;
            or None.
        held_out: (v,) rows of the shared inputs to score now and then, with held_targets (v, L); None: none.
        precision: of matrix products in training, see `equipoise.ops.precision`.
        pause: the step at which to stop with a state to go on from; resume: such a state.
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
    precision: str = FLOAT32
    pause: int | None = None
    resume: Paused | None = None

    @property
    def signature(self) -> tuple[object, ...]:
        """Lanes with the same signature can be trained in one population, whatever their losses."""
        return (
            self.backbone.structure,
            self.targets.shape[1],
            self.held_out is None,
            self.precision,
            None if self.label_inputs is None else self.label_inputs.labels.shape[1],
        )


@dataclass(frozen=True, eq=False)
class Paused:
    """A lane in the middle of its training: all that its remaining steps depend on."""

    params: dict[str, Tensor] = field(repr=False)
    optimizer: tuple[int, dict[str, Tensor], dict[str, Tensor]] = field(repr=False)
    batches: BatchSampler = field(repr=False)
    drawn: np.ndarray = field(repr=False)
    dropout: Any = field(repr=False)
    looks: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Trained:
    """What training a lane gave.

    Attributes:
        params: name → tensor, as they were in the end.
        steps_run: gradient steps that were run.
        score: macro average precision of the held-out rows in the end (0 where there are none).
        settled: the share of its steps from which on that score hardly changed any more (1 where it always did).
        paused: where to go on, for a lane that was asked to pause before its last step.
        estimator: the fitted model of a backbone that is not trained by gradient steps (then there are no `params`).
    """

    params: dict[str, Tensor] = field(repr=False)
    backbone: Backbone
    steps_run: int
    score: float = 0.0
    settled: float = 1.0
    paused: Paused | None = None
    estimator: Any = None


@dataclass(frozen=True)
class Softmax(Strategy):
    """The loss of a task that learns labelsets as exclusive classes; rows of an unknown labelset count nothing."""

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        return -(targets * torch.log_softmax(logits, -1)).sum(-1)


def continuous_fields(strategy: Strategy) -> list[str]:
    """Hyperparameters that a loss meets as tensors, one value per lane."""
    return [n for n, t in tunables(strategy).items() if t.continuous]


def static_fields(strategy: Strategy) -> list[str]:
    """Hyperparameters that a loss may branch on in Python: lanes with other values train in another population."""
    tensors = set(continuous_fields(strategy))
    return [f.name for f in dataclasses.fields(strategy) if f.name not in tensors and f.name != "pinned"]
