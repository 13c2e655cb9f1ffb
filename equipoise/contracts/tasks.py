"""Sub-problems of the model stage: one network per label, label subsets, label powersets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Task:
    """One sub-problem, trained by a network of its own.

    Attributes:
        columns: the labels it answers for.
        classes: (C, len(columns)) labelsets, to learn them as C exclusive classes (softmax); None: one output a label.
        rows: positions of the training rows it learns from, repeats allowed; None: all.
        label_inputs: labels it sees as further inputs: the true ones in training, also on the rows early stopping watches; in
            prediction the decisions (logit > 0) of the latest task before it that answers for each.
    """

    columns: tuple[int, ...]
    classes: np.ndarray | None = None
    rows: np.ndarray | None = None
    label_inputs: tuple[int, ...] = ()

    @property
    def outputs(self) -> int:
        """The number of logits it produces, L_t."""
        return len(self.columns) if self.classes is None else len(self.classes)

    def encode(self, Y: np.ndarray) -> np.ndarray:
        """Targets (n, L_t) uint8 of label rows Y (n, L); a labelset that is no class gives a row of zeros."""
        own = Y[:, list(self.columns)]
        if self.classes is None:
            return np.ascontiguousarray(own)
        place = {row.tobytes(): c for c, row in enumerate(np.ascontiguousarray(self.classes, dtype=np.uint8))}
        known = [place.get(row.tobytes(), -1) for row in np.ascontiguousarray(own, dtype=np.uint8)]
        return (np.asarray(known, dtype=np.int64)[:, None] == np.arange(len(place))).astype(np.uint8)

    def label_logits(self, logits: np.ndarray) -> np.ndarray:
        """(n, len(columns)) log-odds of each label from this task's own logits (n, L_t)."""
        if self.classes is None:
            return logits
        share = np.exp(logits - logits.max(1, keepdims=True).astype(np.float64))
        on = self.classes.astype(np.float64)
        with np.errstate(divide="ignore"):
            odds = np.log(_sum(share, on)) - np.log(_sum(share, 1.0 - on))
        return np.clip(odds, -50.0, 50.0)


def _sum(share: np.ndarray, on: np.ndarray) -> np.ndarray:
    """share (n, C) · on (C, L), added up row by row in one order, which a library's product does not promise."""
    return np.einsum("nc,cl->nl", share, on, optimize=False)


@dataclass(frozen=True, eq=False)
class LabelInputs:
    """Labels (n, L) of which a task sees some columns as further inputs."""

    labels: np.ndarray
    columns: tuple[int, ...]

    def matrix(self) -> np.ndarray:
        """(n, L) uint8, zero in the columns it does not see: all tasks of a chain have inputs of one width."""
        out = np.zeros(self.labels.shape, dtype=np.uint8)
        out[:, list(self.columns)] = self.labels[:, list(self.columns)]
        return out


def chained(tasks: Sequence[Task]) -> bool:
    """Whether any task sees labels that others answer for."""
    return any(task.label_inputs for task in tasks)


def sources(tasks: Sequence[Task]) -> list[dict[int, int]]:
    """For each task: label given to it → the task that decides it, the latest before it that answers for that label.

    Raises:
        ValueError: a task is given a label that no task before it answers for.
    """
    latest: dict[int, int] = {}
    out = []
    for place, task in enumerate(tasks):
        if missing := set(task.label_inputs) - latest.keys():
            raise ValueError(
                f"task {place} is given labels {sorted(missing)} that no task before it answers for"
            )
        out.append({label: latest[label] for label in task.label_inputs})
        latest |= dict.fromkeys(task.columns, place)
    return out


def rounds(links: Sequence[Mapping[int, int]]) -> list[list[int]]:
    """Tasks in the order of prediction, by their `sources`: those of a round need decisions of earlier rounds only."""
    turn: list[int] = []
    for needed in links:
        turn.append(1 + max((turn[t] for t in needed.values()), default=-1))
    return [[t for t, own in enumerate(turn) if own == r] for r in range(max(turn, default=-1) + 1)]


def decided(
    tasks: Sequence[Task], needed: Mapping[int, int], logits: Mapping[int, np.ndarray], shape: tuple[int, int]
) -> np.ndarray:
    """The further inputs (n, L) float32 of a task: 0/1 for the labels it needs, from the logits of their sources."""
    out = np.zeros(shape, dtype=np.float32)
    for label, t in needed.items():
        out[:, label] = tasks[t].label_logits(logits[t])[:, tasks[t].columns.index(label)] > 0
    return out


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
