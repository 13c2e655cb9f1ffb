"""Checks of a backbone's features and initial parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.lanes import LABEL_WEIGHT
from equipoise.ops.inputs import Dense, Inputs, Sparse, Tokens
from equipoise.testing.backbones.exam import BackboneExam, transformed
from equipoise.testing.backbones.worlds import TRAIN, BackboneWorld
from equipoise.testing.guard import frozen, same

#: Rows that are transformed by themselves, to be compared with the same rows among all.
_FEW = slice(TRAIN, TRAIN + 9)


def check_features(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check that features are fitted on training rows only, treat each row by itself, and are the same every time."""
    backbone = exam.backbone

    def demand(ok: object, check: str, problem: str) -> None:
        exam.findings.demand(ok, check, "features", world.name, problem)

    before = frozen(world.X)
    inputs = exam.inputs(world)
    demand(same(before, frozen(world.X)), "in_place", "the rows were changed")
    exam.results[("features", world.name)] = arrays_of(inputs)
    demand(_is_finite(inputs), "finite", "some features are NaN or infinite")
    # A second extractor first, which must not know what the first has learned.
    first, second = (backbone.features(world.kind) for _ in range(2))
    demand(
        first is not second, "features", "two calls return the same extractor, which would be fitted twice"
    )
    again = exam.run("features", world.name, lambda: transformed(backbone, world))
    demand(
        _equal(inputs, again),
        "deterministic",
        "two extractors fitted on the same rows give different features",
    )
    fitted = exam.run("features", world.name, lambda: first.fit(world.X[:TRAIN], None))
    few = exam.run("features", world.name, lambda: fitted.transform(world.X[_FEW]))
    whole = exam.run("features", world.name, lambda: fitted.transform(world.X))
    demand(
        few.width == whole.width and _rows_equal(few, whole, _FEW),
        "features",
        "rows transformed by themselves differ from the same rows among others",
    )
    if backbone.vocabulary is not None and world.kind == "text":
        demand(
            inputs.width <= backbone.vocabulary + 2,
            "features",
            f"there are {inputs.width} features, but `vocabulary` says {backbone.vocabulary} at most",
        )


def check_parameters(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check the initial parameters: types, names, independence of each other, and the only source of random numbers."""
    backbone = exam.backbone

    def demand(ok: object, check: str, problem: str) -> bool:
        return exam.findings.demand(ok, check, "init", world.name, problem)

    params = exam.init(world)
    is_mapping = (
        isinstance(params, Mapping) and all(isinstance(p, Tensor) for p in params.values()) and params
    )
    if not demand(is_mapping, "parameters", "it must return a dict of tensors by name"):
        return
    wrong = [n for n, p in params.items() if p.dtype != torch.float32 or p.device.type != "cpu"]
    demand(not wrong, "parameters", f"{_listed(params, wrong)}: not float32 on the CPU")
    learns = [n for n, p in params.items() if p.requires_grad]
    demand(
        not learns,
        "parameters",
        f"{', '.join(learns)}: requires_grad is set, which the engine does by itself",
    )
    infinite = [n for n, p in params.items() if not bool(torch.isfinite(p).all())]
    demand(not infinite, "finite", f"{', '.join(infinite)}: NaN or infinite")
    demand(LABEL_WEIGHT not in params, "names", f"the name {LABEL_WEIGHT} is taken by the engine")
    exam.results[("init", world.name)] = [p.numpy() for p in params.values()]
    again = exam.init(world)
    equal = params.keys() == again.keys() and all(torch.equal(params[n], again[n]) for n in params)
    demand(equal, "deterministic", "two calls with equal generators give different parameters")
    shared = [n for n in params if n in again and params[n].data_ptr() == again[n].data_ptr()]
    # Parameters of size 1 that were expanded hold no memory of their own, and the engine copies them.
    shared = [n for n in shared if params[n].is_contiguous()]
    demand(not shared, "parameters", f"{', '.join(shared)}: two lanes share the memory of these parameters")
    _check_names(exam, world, params)
    more = exam.init(world, outputs=world.n_labels + 2)
    sizes = {name: tuple(p.shape) for name, p in params.items()}
    grown = {name: tuple(p.shape) for name, p in more.items()}
    demand(sizes != grown, "parameters", "the shapes do not depend on the number of labels")
    demand(backbone.dropout_rate >= 0, "declared", "`dropout` is negative")


def _check_names(exam: BackboneExam, world: BackboneWorld, params: Mapping[str, Tensor]) -> None:
    backbone = exam.backbone
    head = backbone.head or ()
    known = set(params) | _with_other_switches(exam, world)
    declared = {
        "output": {backbone.output} - {""},
        "conditioning_bias": {backbone.conditioning_bias} - {""},
        "biases": set(backbone.biases),
        "head": set(head) if backbone.represents else set(),
    }
    for attribute, names in declared.items():
        missing = sorted(names - (known if attribute == "biases" else set(params)))
        exam.findings.demand(
            not missing,
            "names",
            "init",
            world.name,
            f"`{attribute}` names {', '.join(missing)}; the parameters are {', '.join(params)}",
        )
    if backbone.output in params:
        size = params[backbone.output].numel()
        exam.findings.demand(
            size == world.n_labels,
            "names",
            "init",
            world.name,
            f"`output` names {backbone.output}, which has {size} numbers for {world.n_labels} labels",
        )


def _with_other_switches(exam: BackboneExam, world: BackboneWorld) -> set[str]:
    """Names of parameters that exist where a field that is True or False has the other value."""
    names: set[str] = set()
    for f in dataclasses.fields(exam.backbone):
        value = getattr(exam.backbone, f.name)
        if isinstance(value, bool):
            changed: dict[str, Any] = {f.name: not value}
            other = BackboneExam(dataclasses.replace(exam.backbone, **changed))
            names |= set(other.init(world))
    return names


def arrays_of(inputs: Inputs) -> list[Any]:
    """The arrays of inputs, without padding."""
    if isinstance(inputs, Dense):
        return [inputs.array()]
    if isinstance(inputs, Sparse):
        return [inputs.matrix]
    ids = inputs.ids * (torch.arange(inputs.ids.shape[1]) < inputs.lengths[:, None])
    return [ids.numpy(), inputs.lengths.numpy()]


def _equal(a: Inputs, b: Inputs) -> bool:
    return type(a) is type(b) and same(frozen(arrays_of(a)), frozen(arrays_of(b)))


def _rows_equal(few: Inputs, whole: Inputs, rows: slice) -> bool:
    """Whether a few rows, up to padding, are rows of the whole."""
    if isinstance(few, Tokens) and isinstance(whole, Tokens):
        (ids, lengths), (all_ids, all_lengths) = arrays_of(few), arrays_of(whole)
        width = min(ids.shape[1], all_ids.shape[1])
        return bool(
            np.array_equal(lengths, all_lengths[rows])
            and np.array_equal(ids[:, :width], all_ids[rows, :width])
        )
    difference = abs(arrays_of(few)[0] - arrays_of(whole)[0][rows])
    return bool(difference.max() <= 1e-6)


def _is_finite(inputs: Inputs) -> bool:
    values = inputs.values if isinstance(inputs, Sparse) else inputs.x if isinstance(inputs, Dense) else None
    return values is None or bool(torch.isfinite(values).all())


def _listed(params: Mapping[str, Tensor], names: list[str]) -> str:
    return ", ".join(f"{name} ({params[name].dtype})" for name in names)
