"""Checks of a strategy's declaration and of its search space."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import pickle
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from equipoise.catalog.hooks import hook_faults
from equipoise.contracts.hyperparameters import Tunable, bind, tunables
from equipoise.contracts.strategy import CHANGES, Strategy
from equipoise.core.errors import one_line
from equipoise.core.seeds import stream
from equipoise.testing.attributes import misspelt
from equipoise.testing.exam import Exam, arguments
from equipoise.testing.stages import data_stage, head_stage, loss_stage, map_stage, task_stage
from equipoise.testing.worlds import World, worlds


def check_declared(exam: Exam, cls: type[Strategy]) -> None:
    """Check the name, fields, docstring, reference and pickling of a strategy class."""

    def demand(ok: object, check: str, problem: str) -> bool:
        return exam.findings.demand(ok, check, "strategy", "", problem)

    named = isinstance(cls.__dict__.get("name", getattr(cls, "name", None)), str)
    demand(
        named and re.fullmatch(r"[a-z][a-z0-9_]*", cls.name),
        "declared",
        f"name {cls.name!r} is not a lower-case word",
    )
    # The decorator replaces `field(…)` by its default; a Field that is left shows that it was forgotten.
    unknown = (set(exam.strategy.changes) | set(exam.strategy.clashes)) - set(CHANGES)
    names = f"`changes` or `clashes` name {sorted(unknown)}; known are {', '.join(CHANGES)}"
    exam.findings.demand(not unknown, "declared", "strategy", "", names, advice=None)
    for fault in misspelt(cls, Strategy):
        exam.findings.note("attributes", "strategy", "", fault, advice=None)
    for fault in hook_faults(exam.strategy):
        demand(False, "hooks", fault)
    votes_alone = type(exam.strategy).vote is not Strategy.vote and "tasks" not in exam.strategy.stages
    demand(not votes_alone, "vote", "`vote` has no effect in a strategy without `tasks`")
    unprocessed = [n for n, v in vars(cls).items() if isinstance(v, dataclasses.Field)]
    demand(not unprocessed, "declared", f"{', '.join(unprocessed)}: the class lacks @dataclass(frozen=True)")
    for name, spec in tunables(cls).items():
        _check_field(exam, cls, name, spec)
    doc = (inspect.getdoc(cls) or "").split("\n")[0]
    # Without a docstring, `dataclass` writes one: the signature.
    has_docstring = cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")
    demand(
        has_docstring and len(doc) > 10 and doc.endswith("."),
        "documented",
        "the docstring's first line is not a sentence",
    )
    if exam.strategy.stages:  # the baseline implements no method, so it has nothing to cite
        demand(cls.reference, "documented", "`reference` is empty")
    try:
        copy = pickle.loads(pickle.dumps(exam.strategy))
        demand(copy == exam.strategy, "pickles", "a pickled copy is not equal to the original")
    except Exception as error:
        demand(False, "pickles", one_line(error))


def _check_field(exam: Exam, cls: type[Strategy], name: str, spec: Tunable) -> None:
    """Check that a tunable field's default lies inside its range, and that a new instance starts there."""
    field = next(f for f in dataclasses.fields(cls) if f.name == name)
    if spec.choices is not None:
        inside = spec.default in spec.choices
    else:
        inside = spec.low is not None and spec.high is not None and spec.low <= spec.default <= spec.high
    exam.findings.demand(
        inside, "declared", "strategy", "", f"{name}: the default {spec.default!r} is outside its range"
    )
    actual = getattr(cls(), name)
    exam.findings.demand(
        field.default == spec.default == actual,
        "declared",
        "strategy",
        "",
        f"{name} starts at {actual!r}, but its declared default is {spec.default!r}",
    )


def check_space(exam: Exam) -> None:
    """Check every hook at corners and random points of the search space, in two worlds."""
    strategy = exam.strategy
    if exam.unusable:
        return
    for values in points(tunables(strategy)):
        trial = Exam(bind(strategy, values))
        # Only two worlds, because the space has many points: one for the usual case, one for divisions by zero.
        two_worlds = [worlds()[n] for n in ("usual", "absent label")]
        for hook in strategy.stages:
            for world in two_worlds:
                trial.attempt(hook, world.name, partial(_try, trial, hook, world))
        for finding in trial.findings.all():
            setting = ", ".join(
                f"{n}={v:g}" if isinstance(v, float) else f"{n}={v}" for n, v in values.items()
            )
            exam.findings.note("space", finding.hook, finding.world, f"with {setting}: {finding.problem}")


def points(ranges: Mapping[str, Tunable]) -> Iterator[dict[str, Any]]:
    """Points of a search space: each end of each range with the other defaults, all corners if few, three random points."""
    ends = {n: list(t.choices) if t.choices is not None else [t.low, t.high] for n, t in ranges.items()}
    # Bounds may be written as integers for a float field and the other way round.
    typed = {n: [type(ranges[n].default)(v) for v in values] for n, values in ends.items()}
    default = {n: t.default for n, t in ranges.items()}
    for name, values in typed.items():
        yield from (default | {name: value} for value in values)
    if 1 < len(typed) <= 3:  # the number of corners doubles with every field
        yield from (dict(zip(typed, corner, strict=True)) for corner in itertools.product(*typed.values()))
    for k in range(3 if typed else 0):
        rng = stream("points", k)
        yield {n: _random(t, rng) for n, t in ranges.items()}


def _random(spec: Tunable, rng: np.random.Generator) -> Any:
    """A random value from the range of a tunable field."""
    if spec.choices is not None:
        return spec.choices[int(rng.integers(len(spec.choices)))]
    assert spec.low is not None
    assert spec.high is not None
    if isinstance(spec.default, int):
        return int(rng.integers(int(spec.low), int(spec.high) + 1))
    if spec.log:
        return float(np.exp(rng.uniform(np.log(spec.low), np.log(spec.high))))
    return float(rng.uniform(spec.low, spec.high))


def _try(trial: Exam, hook: str, world: World) -> None:
    """Call a hook once and check only that its result is valid: at many settings the full checks would take too long."""
    strategy = trial.strategy
    if hook == "loss":
        bound = loss_stage.bound(strategy)
        for case, z, y, progress in itertools.islice(loss_stage.settings(world), 5):
            loss_stage.judged(trial, world, bound, case, z, y, progress)
        return
    if "numeric" in strategy.requires and world.shared is None:  # not input that the strategy claims to take
        return
    if hook == "head":
        args = arguments(strategy, hook, world)
        head_stage.valid_head(trial, world, trial.run(hook, world.name, lambda: strategy.head(*args)))
        return
    if hook in ("adjust", "decide"):
        ctx = world.ctx(folds=world.folds.copy())
        fitted = trial.run(
            hook, world.name, lambda: getattr(strategy, hook)(world.logits.copy(), world.Y.copy(), ctx)
        )
        map_stage.valid_map(trial, hook, world, fitted)
        return
    argument: Any = world.rows(strategy) if hook == "resample" else world.Y.copy()
    out = trial.run(hook, world.name, lambda: getattr(strategy, hook)(argument, world.ctx()))
    check = {
        "resample": data_stage.valid_rows,
        "weights": data_stage.valid_weights,
        "tasks": task_stage.valid_tasks,
    }
    check[hook](trial, world, out)
