"""Sub-problems into which a strategy may split the labels (`tasks`), each trained by its own network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Task:
    """One sub-problem, trained by its own network.

    Attributes:
        columns: the labels that it predicts.
        classes: (C, len(columns)) labelsets to be learned as C exclusive classes (softmax); None: one output per label.
        rows: positions of the training rows to learn from, repeats allowed; None: all rows.
        label_inputs: labels that the network takes as additional inputs. In training, and on the held-out rows that are
            scored, these are the true labels; in prediction, each is the decision (logit > 0) of the latest earlier task that
            predicts it.
    """

    columns: tuple[int, ...]
    classes: np.ndarray | None = None
    rows: np.ndarray | None = None
    label_inputs: tuple[int, ...] = ()

    @property
    def outputs(self) -> int:
        """The number of logits that the network computes, L_t."""
        return len(self.columns) if self.classes is None else len(self.classes)

    def encode(self, Y: np.ndarray) -> np.ndarray:
        """Training targets (n, L_t) uint8 for labels Y (n, L); a labelset that is not among the classes becomes all zeros."""
        labels = Y[:, list(self.columns)]
        if self.classes is None:
            return np.ascontiguousarray(labels)
        # Held-out rows may have labelsets that no training row has; these belong to no class.
        class_of = {
            row.tobytes(): c for c, row in enumerate(np.ascontiguousarray(self.classes, dtype=np.uint8))
        }
        ids = [class_of.get(row.tobytes(), -1) for row in np.ascontiguousarray(labels, dtype=np.uint8)]
        return (np.asarray(ids, dtype=np.int64)[:, None] == np.arange(len(class_of))).astype(np.uint8)

    def label_logits(self, logits: np.ndarray) -> np.ndarray:
        """Log-odds of each label, (n, len(columns)), from this task's logits (n, L_t).

        With classes, a label's odds are the probability of all classes with the label over that of all classes without it.
        """
        if self.classes is None:
            return logits
        share = np.exp(logits - logits.max(1, keepdims=True).astype(np.float64))
        has_label = self.classes.astype(np.float64)
        # A label that all classes have, or none has, gets infinite log-odds, which are clipped.
        with np.errstate(divide="ignore"):
            odds = np.log(_sum(share, has_label)) - np.log(_sum(share, 1.0 - has_label))
        return np.clip(odds, -50.0, 50.0)

    def decisions(self, logits: np.ndarray) -> np.ndarray:
        """The labels that this task predicts, (n, len(columns)) bool, from its logits (n, L_t).

        With classes, the most probable one; of equally probable ones, the first. Else the labels with a logit above 0.
        """
        return logits > 0 if self.classes is None else self.classes[logits.argmax(1)] > 0


def _sum(share: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The matrix product of share (n, C) and mask (C, L)."""
    # Not `@`: BLAS may add in another order for another number of rows, and a row's bits must not depend on the others.
    return np.einsum("nc,cl->nl", share, mask, optimize=False)


@dataclass(frozen=True, eq=False)
class LabelInputs:
    """Labels (n, L), some columns of which a task takes as additional inputs."""

    labels: np.ndarray
    columns: tuple[int, ...]

    def matrix(self) -> np.ndarray:
        """The additional inputs, (n, L) uint8, zero in the columns that the task does not take."""
        # All L columns, so that the networks of a chain have equal shapes and can be trained side by side.
        out = np.zeros(self.labels.shape, dtype=np.uint8)
        out[:, list(self.columns)] = self.labels[:, list(self.columns)]
        return out


def chained(tasks: Sequence[Task]) -> bool:
    """Whether any task takes labels as inputs, which other tasks predict."""
    return any(task.label_inputs for task in tasks)


def sources(tasks: Sequence[Task]) -> list[dict[int, int]]:
    """For each task, where its label inputs come from: label → number of the latest earlier task that predicts it.

    Raises:
        ValueError: a task takes a label that no earlier task predicts.
    """
    latest: dict[int, int] = {}
    out = []
    for number, task in enumerate(tasks):
        if missing := set(task.label_inputs) - latest.keys():
            raise ValueError(
                f"task {number} takes labels {sorted(missing)} as inputs, which no earlier task predicts"
            )
        out.append({label: latest[label] for label in task.label_inputs})
        latest |= dict.fromkeys(task.columns, number)
    return out


def rounds(links: Sequence[Mapping[int, int]]) -> list[list[int]]:
    """The tasks in rounds of prediction, by their `sources`: a round needs only the decisions of earlier rounds.

    All tasks of a round can predict at once.
    """
    round_of: list[int] = []
    for needed in links:
        # A task comes one round after the last of its sources; sources precede it, so their rounds are known.
        round_of.append(1 + max((round_of[t] for t in needed.values()), default=-1))
    return [[t for t, r in enumerate(round_of) if r == n] for n in range(max(round_of, default=-1) + 1)]


def decided(
    tasks: Sequence[Task], needed: Mapping[int, int], logits: Mapping[int, np.ndarray], shape: tuple[int, int]
) -> np.ndarray:
    """The additional inputs of a task in prediction, (n, L) float32 of 0/1, decided from the logits of their sources."""
    out = np.zeros(shape, dtype=np.float32)
    for label, t in needed.items():
        out[:, label] = tasks[t].label_logits(logits[t])[:, tasks[t].columns.index(label)] > 0
    return out


def merge_columns(tasks: Sequence[Task], logits: Sequence[np.ndarray], n_labels: int) -> np.ndarray:
    """The mean log-odds of each label over the tasks that predict it, (n, n_labels) float32.

    Raises:
        ValueError: no task predicts some label.
    """
    log_odds = [task.label_logits(z) for task, z in zip(tasks, logits, strict=True)]
    return _column_means(tasks, log_odds, n_labels).astype(np.float32)


def majority_vote(tasks: Sequence[Task], logits: Sequence[np.ndarray], n_labels: int) -> np.ndarray:
    """The labels that more than half of the tasks that predict them decide for, (n, n_labels) bool.

    Raises:
        ValueError: no task predicts some label.
    """
    votes = [task.decisions(z) for task, z in zip(tasks, logits, strict=True)]
    return _column_means(tasks, votes, n_labels) > 0.5


def _column_means(tasks: Sequence[Task], values: Sequence[np.ndarray], n_labels: int) -> np.ndarray:
    """The mean for each label over the tasks that predict it, (n, n_labels), of values (n, len(columns)) of each task."""
    total = np.zeros((len(values[0]), n_labels))
    count = np.zeros(n_labels)
    for task, of_task in zip(tasks, values, strict=True):
        columns = list(task.columns)
        total[:, columns] += of_task
        count[columns] += 1
    if not count.all():
        raise ValueError(f"no task predicts labels {np.flatnonzero(count == 0).tolist()}")
    return total / count
