"""Checks of what a backbone declares, and of its search space."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import re
from itertools import islice
from typing import Any

import torch

from equipoise.contracts.backbone import Backbone
from equipoise.contracts.hyperparameters import Tunable, tunables
from equipoise.core.errors import one_line
from equipoise.testing.attributes import misspelt
from equipoise.testing.backbones.exam import BATCH, BackboneExam
from equipoise.testing.backbones.worlds import suitable
from equipoise.testing.declaration import points
from equipoise.testing.exam import Stopped

_KINDS = frozenset({"text", "numeric"})
#: Points of the search space that are tried.
_POINTS = 8


def check_declared(exam: BackboneExam) -> bool:
    """Check the name, fields, docstring and pickling; returns whether anything else can be examined."""
    backbone, cls = exam.backbone, type(exam.backbone)

    def demand(ok: object, check: str, problem: str) -> bool:
        return exam.findings.demand(ok, check, "backbone", "", problem)

    named = isinstance(cls.name, str) and re.fullmatch(r"[a-z][a-z0-9_]*", cls.name)
    demand(named, "declared", f"name {cls.name!r} is not a lower-case word")
    own = cls.__dict__.get("__dataclass_params__")
    demand(own is not None and own.frozen, "declared", "the class lacks @dataclass(frozen=True)")
    doc = (inspect.getdoc(cls) or "").split("\n")[0]
    # Without a docstring, `dataclass` writes one: the signature; or the base class lends its own.
    has_docstring = cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")
    demand(
        has_docstring and len(doc) > 10 and doc.endswith("."),
        "documented",
        "the docstring's first line is not a sentence",
    )
    for fault in misspelt(cls, Backbone):
        exam.findings.note("attributes", "backbone", "", fault, advice=None)
    known = isinstance(cls.accepts, frozenset) and cls.accepts and cls.accepts <= _KINDS
    readable = demand(
        known, "declared", f"`accepts` is {cls.accepts!r}; it must be a frozenset of 'text' and 'numeric'"
    )
    for name in ("lr", "C"):
        _check_range(exam, name, getattr(cls, name))
    for name, spec in tunables(cls).items():
        _check_range(exam, name, spec)
    try:
        demand(
            pickle.loads(pickle.dumps(backbone)) == backbone,
            "pickles",
            "a pickled copy is not equal to the original",
        )
    except Exception as error:
        demand(False, "pickles", one_line(error))
    return readable and _check_methods(exam)


def _check_range(exam: BackboneExam, name: str, spec: Any) -> None:
    if not isinstance(spec, Tunable):
        exam.findings.note(
            "declared", "backbone", "", f"`{name}` is {spec!r}; it must be Tunable(default, low, high)"
        )
        return
    if spec.choices is not None:
        inside = spec.default in spec.choices
    else:
        inside = spec.low is not None and spec.high is not None and spec.low <= spec.default <= spec.high
    exam.findings.demand(
        inside, "declared", "backbone", "", f"{name}: the default {spec.default!r} is outside its range"
    )


def _check_methods(exam: BackboneExam) -> bool:
    """Whether the hooks that are needed are overridden."""
    cls = type(exam.backbone)
    lacking = [] if cls.features is not Backbone.features else ["features"]
    if exam.backbone.gradient:
        whole = cls.forward is not Backbone.forward
        lacking += [] if cls.init is not Backbone.init else ["init"]
        if cls.head is not None and cls.represent is Backbone.represent:
            exam.findings.note(
                "head", "backbone", "", "`head` is declared, but represent() and classify() are not defined"
            )
            return whole and not lacking
        parts = cls.represent is not Backbone.represent and cls.classify is not Backbone.classify
        if parts and cls.head is None and not whole:
            exam.findings.note(
                "head", "backbone", "", "represent() is defined, but `head` names no parameters"
            )
            return False
        lacking += [] if whole or parts else ["forward"]
    words = " and ".join(f"{name}()" for name in lacking)
    return exam.findings.demand(not lacking, "declared", "backbone", "", f"{words} is not defined")


def check_space(exam: BackboneExam) -> None:
    """Check that logits come out at points of the search space."""
    for values in islice(points(tunables(exam.backbone)), _POINTS):
        problem = _tried(exam, values)
        shown = ", ".join(f"{name}={value!r}" for name, value in values.items())
        exam.findings.demand(problem is None, "space", "backbone", "", f"with {shown}: {problem}")


def _tried(exam: BackboneExam, values: dict[str, Any]) -> str | None:
    """What goes wrong with these hyperparameters; None if nothing does."""
    world = suitable(exam.backbone.accepts)[0]
    try:
        trial = BackboneExam(dataclasses.replace(exam.backbone, **values))
        if not exam.backbone.gradient:
            trial.backbone.estimator(0)  # type: ignore[attr-defined]
            return None
        lanes = [trial.init(world, seed) for seed in (0, 1)]
        logits = trial.logits(world, lanes, torch.arange(BATCH).expand(2, -1))
    except Stopped:
        return trial.findings.all()[0].problem
    except Exception as error:
        return one_line(error)
    return None if bool(torch.isfinite(logits).all()) else "the logits are not finite"
