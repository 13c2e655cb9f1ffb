"""Sub-problems of the model stage: one network per label, label subsets, label powersets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp


@dataclass(frozen=True)
class Task:
    """One sub-problem, trained by a network of its own.

    Attributes:
        columns: the labels it answers for.
        classes: (C, len(columns)) labelsets, to learn them as C exclusive classes (softmax); None: one output a label.
        rows: positions of the training rows it learns from, repeats allowed; None: all.
    """

    columns: tuple[int, ...]
    classes: np.ndarray | None = None
    rows: np.ndarray | None = None

    @property
    def outputs(self) -> int:
        """The number of logits it produces, L_t."""
        return len(self.columns) if self.classes is None else len(self.classes)

    def encode(self, Y: np.ndarray) -> np.ndarray:
        """Targets (n, L_t) uint8 of label rows Y (n, L); a labelset that is no class gives a row of zeros."""
        own = Y[:, list(self.columns)]
        if self.classes is None:
            return np.ascontiguousarray(own)
        return (own[:, None, :] == self.classes[None]).all(2).astype(np.uint8)

    def label_logits(self, logits: np.ndarray) -> np.ndarray:
        """(n, len(columns)) log-odds of each label from this task's own logits (n, L_t)."""
        if self.classes is None:
            return logits
        on = self.classes.astype(bool)
        odds = [_log_sum(logits[:, m]) - _log_sum(logits[:, ~m]) for m in on.T]
        return np.clip(np.stack(odds, 1), -50.0, 50.0)


def _log_sum(logits: np.ndarray) -> np.ndarray:
    if logits.shape[1] == 0:
        return np.full(len(logits), -np.inf)
    return np.asarray(logsumexp(logits.astype(np.float64), axis=1))


def merge_columns(tasks: Sequence[Task], logits: Sequence[np.ndarray], n_labels: int) -> np.ndarray:
    """Mean log-odds of each label over the tasks that answer for it, (n, n_labels) float32.

    Raises:
        ValueError: a label that no task answers for.
    """
    total = np.zeros((len(logits[0]), n_labels))
    votes = np.zeros(n_labels)
    for task, own in zip(tasks, logits, strict=True):
        columns = list(task.columns)
        total[:, columns] += task.label_logits(own)
        votes[columns] += 1
    if not votes.all():
        raise ValueError(f"no task answers for labels {np.flatnonzero(votes == 0).tolist()}")
    return (total / votes).astype(np.float32)
