"""Checks of `tasks`, `merge` and `vote`, which split the labels into sub-problems and combine their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from equipoise.contracts.hook_results import task_problem
from equipoise.contracts.strategy import Strategy
from equipoise.contracts.tasks import Task, sources
from equipoise.core.seeds import stream
from equipoise.testing.exam import Exam
from equipoise.testing.worlds import World


def check_tasks(exam: Exam, worlds: list[World]) -> None:
    """Check that the tasks can be trained and that `merge` puts every prediction into its column."""
    for world in worlds:
        exam.attempt("tasks", world.name, partial(_check_tasks_in, exam, world))


def _check_tasks_in(exam: Exam, world: World) -> None:
    tasks = exam.hook("tasks", world)
    if valid_tasks(exam, world, tasks):
        exam.attempt("merge", world.name, partial(check_merge, exam, world, tasks))
        if type(exam.strategy).vote is not Strategy.vote:
            exam.attempt("vote", world.name, partial(check_vote, exam, world, tasks))


def valid_tasks(exam: Exam, world: World, tasks: Any) -> bool:
    """Whether the engine can train these tasks; problems are noted as findings."""

    def demand(ok: object, check: str, problem: str) -> bool:
        return exam.findings.demand(ok, check, "tasks", world.name, problem)

    listed = isinstance(tasks, Sequence) and len(tasks) > 0 and all(isinstance(t, Task) for t in tasks)
    if not demand(listed, "shapes", f"returned {type(tasks).__name__}, not a list of Task"):
        return False
    problems = [
        p
        for t, task in enumerate(tasks)
        if (p := task_problem(task, *world.Y.shape)) and (p := f"task {t}: {p}")
    ]
    if not demand(not problems, "tasks", problems[0] if problems else ""):
        return False
    all_classes = all(task.classes is not None for task in tasks)
    demand(
        all_classes or not exam.strategy.exclusive, "tasks", "`exclusive` is True, and a task has no classes"
    )
    missing = set(range(world.n_labels)) - {c for task in tasks for c in task.columns}
    # A strategy with its own `merge` may derive a label's logit from those of others.
    own_merge = "merge" in vars(type(exam.strategy))
    if not demand(own_merge or not missing, "tasks", f"no task predicts labels {sorted(missing)}"):
        return False
    try:
        sources(tasks)  # raises ValueError if a label input comes from no earlier task
    except ValueError as error:
        return demand(False, "tasks", str(error))
    return True


def check_merge(exam: Exam, world: World, tasks: Sequence[Task]) -> None:
    """Check that merging the logits of perfect networks gives back the labels, for each row by itself."""

    def demand(ok: object, check: str, problem: str) -> bool:
        return exam.findings.demand(ok, check, "merge", world.name, problem)

    encoded, known = _perfect(world, tasks)
    for strength in (4.0, 80.0):  # ordinary confidence, and one at which exponentials overflow
        logits = [np.where(e > 0, strength, -strength).astype(np.float32) for e in encoded]
        before = [z.copy() for z in logits]
        merged = np.asarray(
            exam.run("merge", world.name, partial(exam.strategy.merge, tasks, logits, world.ctx()))
        )
        demand(all(map(np.array_equal, before, logits)), "in_place", "merge changed its arguments")
        if not demand(
            merged.shape == world.Y.shape and merged.dtype.kind == "f",
            "shapes",
            f"returned {merged.dtype} {merged.shape}, not float {world.Y.shape}",
        ):
            return
        demand(np.isfinite(merged).all(), "finite", f"merging logits of ±{strength:g} gives NaN or infinity")
        correct = ((merged > 0) == (world.Y > 0))[known].all()
        demand(correct, "merge", "merging correct predictions gives wrong labels")
        # At test time there are other rows, and other numbers of rows, than here.
        part = exam.strategy.merge(tasks, [z[:3] for z in before], world.ctx())
        demand(np.allclose(part, merged[:3], atol=1e-4), "merge", "a row's logits depend on the other rows")


def check_vote(exam: Exam, world: World, tasks: Sequence[Task]) -> None:
    """Check that votes are right where all networks are, and that each row is decided by itself."""

    def demand(ok: object, check: str, problem: str) -> bool:
        return exam.findings.demand(ok, check, "vote", world.name, problem)

    encoded, known = _perfect(world, tasks)
    # Perfect networks first, then ones that contradict each other.
    noise = [stream("votes", world.name, t).normal(size=e.shape) for t, e in enumerate(encoded)]
    for spread in (0.0, 4.0):
        logits = [
            np.where(e > 0, 4.0, -4.0).astype(np.float32) + np.float32(spread) * z.astype(np.float32)
            for e, z in zip(encoded, noise, strict=True)
        ]
        before = [z.copy() for z in logits]
        votes = np.asarray(
            exam.run("vote", world.name, partial(exam.strategy.vote, tasks, logits, world.ctx()))
        )
        demand(all(map(np.array_equal, before, logits)), "in_place", "vote changed its arguments")
        if not demand(
            votes.shape == world.Y.shape and votes.dtype == bool,
            "shapes",
            f"returned {votes.dtype} {votes.shape}, not bool {world.Y.shape}",
        ):
            return
        right = spread > 0 or (votes == (world.Y > 0))[known].all()
        demand(right, "vote", "votes of networks that are all right give wrong labels")
        rows = [exam.strategy.vote(tasks, [z[i : i + 1] for z in before], world.ctx()) for i in range(3)]
        demand(
            np.array_equal(np.concatenate(rows), votes[:3]), "vote", "a row's votes depend on the other rows"
        )


def _perfect(world: World, tasks: Sequence[Task]) -> tuple[list[np.ndarray], np.ndarray]:
    """The targets of each task, and the rows (n,) that perfect networks predict correctly."""
    encoded = [task.encode(world.Y) for task in tasks]
    # A row whose labelset is not among a task's classes cannot be predicted correctly even by a perfect network.
    known = np.ones(len(world.Y), dtype=bool)
    for task, targets in zip(tasks, encoded, strict=True):
        known &= targets.any(1) | (task.classes is None)
    return encoded, known
