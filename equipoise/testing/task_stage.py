"""Checks of `tasks` and `merge`: the problem split, and the answers joined."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from equipoise.contracts.tasks import Task, sources
from equipoise.testing.exam import Exam
from equipoise.testing.worlds import World


def check_tasks(exam: Exam, worlds: list[World]) -> None:
    """Tasks that can be trained, and a merge that puts every answer into its column."""
    for world in worlds:
        exam.attempt("tasks", world.name, partial(_split, exam, world))


def _split(exam: Exam, world: World) -> None:
    tasks = exam.hook("tasks", world)
    if valid_tasks(exam, world, tasks):
        exam.attempt("merge", world.name, partial(check_merge, exam, world, tasks))


def valid_tasks(exam: Exam, world: World, tasks: Any) -> bool:
    """Whether the engine can train these tasks; notes what is wrong."""

    def demand(right: object, check: str, problem: str) -> bool:
        return exam.findings.demand(right, check, "tasks", world.name, problem)

    listed = isinstance(tasks, Sequence) and len(tasks) > 0 and all(isinstance(t, Task) for t in tasks)
    if not demand(listed, "shapes", f"returned {type(tasks).__name__}, not a list of Task"):
        return False
    problems = [p for t, task in enumerate(tasks) if (p := _problem(task, world)) and (p := f"task {t}: {p}")]
    if not demand(not problems, "tasks", problems[0] if problems else ""):
        return False
    missing = set(range(world.n_labels)) - {c for task in tasks for c in task.columns}
    own_merge = "merge" in vars(type(exam.strategy))
    if not demand(own_merge or not missing, "tasks", f"no task answers for labels {sorted(missing)}"):
        return False
    try:
        sources(tasks)
    except ValueError as error:
        return demand(False, "tasks", str(error))
    return True


def _problem(task: Task, world: World) -> str:
    """What is wrong with a task by itself; "" if nothing."""
    n, labels = world.Y.shape
    for name, columns in (("columns", task.columns), ("given", task.label_inputs)):
        legal = all(0 <= c < labels for c in columns)
        if not legal or len(set(columns)) < len(columns) or not isinstance(columns, tuple):
            return f"{name} {columns!r} are not a tuple of different labels 0..{labels - 1}"
    if not task.columns or set(task.columns) & set(task.label_inputs):
        return "columns are empty, or among the labels it is given"
    if task.rows is not None:
        rows = np.asarray(task.rows)
        if rows.ndim != 1 or rows.dtype.kind != "i" or not len(rows) or rows.min() < 0 or rows.max() >= n:
            return f"rows are not positions 0..{n - 1} (int, at least one)"
    if task.classes is not None:
        classes = np.asarray(task.classes)
        if classes.ndim != 2 or classes.shape[1] != len(task.columns) or not np.isin(classes, (0, 1)).all():
            return f"classes have shape {classes.shape}, not 0/1 (C, {len(task.columns)})"
        if len(np.unique(classes, axis=0)) < max(1, len(classes)):
            return "a labelset is two classes"
    return ""


def check_merge(exam: Exam, world: World, tasks: Sequence[Task]) -> None:
    """Networks that are always right must give the labels back, by themselves and among other rows, at any strength."""

    def demand(right: object, check: str, problem: str) -> bool:
        return exam.findings.demand(right, check, "merge", world.name, problem)

    encoded = [task.encode(world.Y) for task in tasks]
    known = np.ones(len(world.Y), dtype=bool)
    for task, own in zip(tasks, encoded, strict=True):
        known &= own.any(1) | (task.classes is None)
    for strength in (4.0, 80.0):
        logits = [np.where(e > 0, strength, -strength).astype(np.float32) for e in encoded]
        before = [z.copy() for z in logits]
        got = np.asarray(
            exam.run("merge", world.name, partial(exam.strategy.merge, tasks, logits, world.ctx()))
        )
        demand(all(map(np.array_equal, before, logits)), "in_place", "merge changed the logits it was given")
        if not demand(
            got.shape == world.Y.shape and got.dtype.kind == "f",
            "shapes",
            f"returned {got.dtype} {got.shape}, not float {world.Y.shape}",
        ):
            return
        demand(np.isfinite(got).all(), "finite", f"joined logits of ±{strength:g} are not finite")
        right = ((got > 0) == (world.Y > 0))[known].all()
        demand(right, "merge", "networks that are all right are joined to wrong labels")
        part = exam.strategy.merge(tasks, [z[:3] for z in before], world.ctx())
        demand(np.allclose(part, got[:3], atol=1e-4), "merge", "a row's logits depend on the rows beside it")
