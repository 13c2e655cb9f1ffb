"""Checks of the strategy as a whole: what it declares, its search space, a short training, another process."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import with_params
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.hyperparameters import Tunable, bind, tunables
from equipoise.contracts.strategy import Strategy
from equipoise.core.seeds import stream
from equipoise.engine.scheduler import Trainer, run_one
from equipoise.experiment.cross_validation import CrossValidator
from equipoise.experiment.decision import fit_decision_rule
from equipoise.experiment.settings import Settings
from equipoise.ops.inputs import Dense
from equipoise.testing import data_stage, loss_stage, map_stage, task_stage, twin
from equipoise.testing.exam import Exam, Stopped, quietly
from equipoise.testing.worlds import World, worlds

SETTINGS = Settings(trials=1, folds=2, epochs=2)


def check_declared(exam: Exam, cls: type[Strategy]) -> None:
    """Name, fields, docstring, reference, pickling."""

    def demand(right: object, check: str, problem: str) -> bool:
        return exam.findings.demand(right, check, "strategy", "", problem)

    named = isinstance(cls.__dict__.get("name", getattr(cls, "name", None)), str)
    demand(
        named and re.fullmatch(r"[a-z][a-z0-9_]*", cls.name),
        "declared",
        f"name {cls.name!r} is not a lower-case word",
    )
    loose = [n for n, v in vars(cls).items() if isinstance(v, dataclasses.Field)]
    demand(not loose, "declared", f"{', '.join(loose)}: the class lacks @dataclass(frozen=True)")
    for name, spec in tunables(cls).items():
        _field(exam, cls, name, spec)
    doc = (inspect.getdoc(cls) or "").split("\n")[0]
    own = cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")
    demand(
        own and len(doc) > 10 and doc.endswith("."),
        "documented",
        "the docstring's first line is not a sentence",
    )
    if exam.strategy.stages:
        demand(cls.reference, "documented", "`reference` is empty")
    try:
        copy = pickle.loads(pickle.dumps(exam.strategy))
        demand(copy == exam.strategy, "pickles", "a pickled copy is not equal")
    except Exception as error:
        demand(False, "pickles", f"{type(error).__name__}: {error}")


def _field(exam: Exam, cls: type[Strategy], name: str, spec: Tunable) -> None:
    field = next(f for f in dataclasses.fields(cls) if f.name == name)
    if spec.choices is not None:
        inside = spec.default in spec.choices
    else:
        inside = spec.low is not None and spec.high is not None and spec.low <= spec.default <= spec.high
    exam.findings.demand(
        inside, "declared", "strategy", "", f"{name}: default {spec.default!r} lies outside of its range"
    )
    starts = getattr(cls(), name)
    exam.findings.demand(
        field.default == spec.default == starts,
        "declared",
        "strategy",
        "",
        f"{name} starts at {starts!r}, but its declared default is {spec.default!r}",
    )


def check_space(exam: Exam) -> None:
    """Corners and random points of the search space, each through every hook on two hard worlds."""
    strategy = exam.strategy
    for values in points(tunables(strategy)):
        trial = Exam(bind(strategy, values))
        chosen = [worlds()[n] for n in ("usual", "absent label")]
        for hook in strategy.stages:
            for world in chosen:
                trial.attempt(hook, world.name, partial(_try, trial, hook, world))
        for finding in trial.findings.all():
            shown = ", ".join(f"{n}={v:g}" if isinstance(v, float) else f"{n}={v}" for n, v in values.items())
            exam.findings.note("space", finding.hook, finding.world, f"with {shown}: {finding.problem}")


def points(ranges: Mapping[str, Tunable]) -> Iterator[dict[str, Any]]:
    """Each end of each range with the others at their defaults, all corners if there are few, three random points."""
    ends = {n: list(t.choices) if t.choices is not None else [t.low, t.high] for n, t in ranges.items()}
    typed = {n: [type(ranges[n].default)(v) for v in own] for n, own in ends.items()}
    default = {n: t.default for n, t in ranges.items()}
    for name, own in typed.items():
        yield from (default | {name: value} for value in own)
    if 1 < len(typed) <= 3:
        yield from (dict(zip(typed, corner, strict=True)) for corner in itertools.product(*typed.values()))
    for k in range(3 if typed else 0):
        rng = stream("points", k)
        yield {n: _random(t, rng) for n, t in ranges.items()}


def _random(spec: Tunable, rng: np.random.Generator) -> Any:
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
    strategy = trial.strategy
    if hook == "loss":
        bound = loss_stage.bound(strategy)
        for words, z, y, progress in itertools.islice(loss_stage.settings(world), 5):
            loss_stage.judged(trial, world, bound, words, z, y, progress)
        return
    if "numeric" in strategy.requires and world.shared is None:
        return
    if hook in ("adjust", "decide"):
        ctx = world.ctx(folds=world.folds.copy())
        fitted = trial.run(
            hook, world.name, lambda: getattr(strategy, hook)(world.logits.copy(), world.Y.copy(), ctx)
        )
        map_stage.valid_map(trial, hook, world, fitted)
        return
    argument: Any = world.rows() if hook == "resample" else world.Y.copy()
    out = trial.run(hook, world.name, lambda: getattr(strategy, hook)(argument, world.ctx()))
    judge = {
        "resample": data_stage.valid_rows,
        "weights": data_stage.valid_weights,
        "tasks": task_stage.valid_tasks,
    }
    judge[hook](trial, world, out)


def check_training(exam: Exam) -> None:
    """A short training with the defaults; and at `off`, the same bits as no strategy."""
    if "text" in exam.strategy.requires:
        return
    world = worlds()["usual"]
    quietly(lambda: trained(Strategy(), world))
    try:
        out = exam.run("training", world.name, lambda: trained(exam.strategy, world))
    except Stopped:
        return
    right = all(np.isfinite(z).all() and z.ndim == 2 and z.shape[1] == world.n_labels for z in out.values())
    exam.findings.demand(
        right, "trains", "training", world.name, "logits are not finite, or of another shape"
    )
    if exam.strategy.off is not None:
        _check_off(exam, world)


def _check_off(exam: Exam, world: World) -> None:
    off = dict(exam.strategy.off or {})
    unknown = set(off) - {f.name for f in dataclasses.fields(exam.strategy)}
    if not exam.findings.demand(
        not unknown, "off", "strategy", "", f"`off` sets {sorted(unknown)}, which are no fields"
    ):
        return
    try:
        own = exam.run("training", world.name, lambda: trained(bind(exam.strategy, off), world))
    except Stopped:
        return
    plain = trained(Strategy(), world)
    for what, value in plain.items():
        exam.findings.demand(
            own[what].tobytes() == value.tobytes(),
            "off",
            "training",
            world.name,
            f"{what} differ from no strategy's",
        )


def trained(strategy: Strategy, world: World) -> dict[str, np.ndarray]:
    """Cross-validation, thresholds, refit and predictions of a cell in small, on linear logits of dense inputs."""
    from equipoise.ops.device import repeatable

    cpu = torch.device("cpu")
    backbone: Backbone = registry("backbone").get("linear")()
    n, X = len(world.Y), np.asarray(world.shared[world.index])
    role, folds = ("conformance",), np.arange(n) % 2
    with repeatable(cpu):
        inputs = Dense(torch.from_numpy(X))
        bench = CrossValidator(
            strategy,
            backbone,
            X,
            None,
            world.Y,
            folds,
            role,
            SETTINGS,
            Trainer(inputs, SETTINGS.batch_size, cpu),
        )
        params = {"lr": 0.05, "C": 10.0}
        outcome = run_one(bench.cross_validate([params]))[0]
        assert outcome is not None
        decider = fit_decision_rule(with_params(strategy, params), outcome.logits, world.Y, folds, role)
        model = run_one(bench.refit(params))
        test = Dense(torch.from_numpy(np.delete(world.shared, world.index, axis=0)))
        logits = bench.predict([model], test, [np.arange(len(test))])[0]
        made = decider.all(logits)
    return {"out-of-fold logits": outcome.logits, "scores": made["scores"], "decisions": made["own"]}


@contextmanager
def repeated_elsewhere(exam: Exam) -> Iterator[None]:
    """Meanwhile a second process, with another hash seed and another clock, calls the hooks as well: the same must come out."""
    asked = bool(set(exam.strategy.stages) - {"loss"}) and twin.ask(exam.strategy)
    yield
    there = (twin.answer() if asked else None) or {}
    for (hook, world), kept in exam.results.items():
        if (hook, world) in there:
            right = there[(hook, world)] == twin.digest(kept)
            exam.findings.demand(right, "deterministic", hook, world, "another process gives another result")
