"""A model as plain facts and arrays, and back: `save`, `load_model`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.catalog.backbones import backbone_places, get_backbone
from equipoise.catalog.strategies import compose, get_strategy, places, with_params
from equipoise.contracts.context import Context
from equipoise.contracts.hyperparameters import bind
from equipoise.contracts.strategy import Strategy
from equipoise.contracts.tasks import Task
from equipoise.core.errors import EquipoiseError, one_line
from equipoise.takehome import features as extractors
from equipoise.takehome.card import card
from equipoise.takehome.folder import FACTS, Contents, read, write
from equipoise.takehome.model import Evidence, Model

#: The stages of a strategy that act in prediction.
ACTING = frozenset({"tasks", "head", "adjust", "decide"})
#: The arrays of a `Context` and of `Evidence` that are written, by their fields; both are read again by these names.
_CONTEXT = ("n_pos", "trained_pos")
_EVIDENCE = ("tuned", "own", "oof_logits", "oof_Y", "oof_folds", "representation", "train_Y")


def acting(strategy: Strategy) -> Strategy:
    """The parts of a strategy that act in prediction; resampling, weights and losses are done with after training."""
    parts = [part for part in strategy.parts if ACTING & set(part.stages)]
    return compose(*parts) if parts else Strategy()


def save(model: Model, folder: str | Path) -> Path:
    """Write a model to a folder, see `equipoise.takehome.folder`.

    Raises:
        EquipoiseError: the folder holds something else.
    """
    return write(folder, contents_of(model), card(model.facts))


def load_model(folder: str | Path) -> Model:
    """Load a model that `equipoise fit` or `Model.save` wrote. No code is read from the folder, and no pickle.

    Raises:
        EquipoiseError: the folder holds no model, or it is damaged; or a plugin that the model needs is not loaded.
    """
    contents = read(folder)
    try:
        return model_of(contents)
    except EquipoiseError as error:
        raise EquipoiseError(f"{folder}: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as problem:
        raise EquipoiseError(f"{Path(folder) / FACTS} is damaged: {one_line(problem, 80)}") from None


def contents_of(model: Model) -> Contents:
    """What the folder of a model holds."""
    facts, feature_arrays = extractors.state_of(model.features)
    # One file for all networks: a sub-problem's parameters are told apart by its number.
    weights = {
        f"{task}/{name}": value.detach().cpu().numpy()
        for task, params in enumerate(model.networks)
        for name, value in params.items()
    }
    evidence = {name: getattr(model.evidence, name) for name in _EVIDENCE}
    decision = {name: array for name, array in evidence.items() if array is not None}
    decision |= {f"ctx/{name}": np.asarray(getattr(model.ctx, name)) for name in _CONTEXT}
    # A label powerset has a class for each labelset.
    decision |= {f"classes/{i}": t.classes for i, t in enumerate(model.tasks) if t.classes is not None}
    plain = {
        **model.facts,
        # Where no part acts in prediction, the strategy is a bare `Strategy()`, which has no name to be found by.
        "acting": model.strategy.spec if model.strategy.name or len(model.strategy.parts) > 1 else "",
        "role": list(model.evidence.role),
        "context": [int(model.ctx.n_rows), int(model.ctx.trained_rows)],
        "tasks": [
            {"columns": list(map(int, t.columns)), "label_inputs": list(map(int, t.label_inputs))}
            for t in model.tasks
        ],
    }
    return Contents(plain, facts, {"weights": weights, "features": feature_arrays, "decision": decision})


def model_of(contents: Contents) -> Model:
    """The model of a folder's contents.

    Raises:
        EquipoiseError: a plugin is not loaded. KeyError, TypeError, ValueError: the contents are not those of a model.
    """
    facts, decision = contents.facts, contents.arrays["decision"]
    _check(facts, decision)
    params = facts["params"]
    # A path here would make loading run a file that the folder chooses.
    if places(facts["acting"] or "none") or backbone_places(facts["backbone"]):
        raise ValueError("a plugin's place stands in it")
    backbone = get_backbone(facts["backbone"])
    if backbone.identity != facts["backbone_identity"]:
        raise EquipoiseError(f"the files that {backbone.spec} names are not those it was fitted with")
    # The search names a parameter after its owner: mlp.hidden.
    own = {k.split(".", 1)[1]: v for k, v in params.items() if k.startswith(f"{backbone.name}.")}
    backbone = bind(backbone, own)
    strategy = with_params(get_strategy(facts["acting"]), params) if facts["acting"] else Strategy()
    tasks = [
        Task(tuple(t["columns"]), decision.get(f"classes/{i}"), None, tuple(t["label_inputs"]))
        for i, t in enumerate(facts["tasks"])
    ]
    # Label counts decide how some strategies join sub-problems.
    n_rows, trained_rows = facts["context"]
    counts: dict[str, Any] = {name: decision[f"ctx/{name}"] for name in _CONTEXT}
    evidence = Evidence(tuple(facts["role"]), **{name: decision.get(name) for name in _EVIDENCE})  # type: ignore[arg-type]
    return Model(
        # These two describe the folder, not the model.
        {name: value for name, value in facts.items() if name not in ("files", "format")},
        strategy,
        backbone,
        extractors.restored(contents.features, contents.arrays["features"], backbone),
        tasks,
        _networks(contents.arrays["weights"], len(tasks)),
        Context(n_rows=n_rows, trained_rows=trained_rows, **counts),
        evidence,
    )


def _check(facts: Mapping[str, Any], decision: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError where facts that are only read in prediction are not those of a model."""
    labels, table = facts["labels"], facts["table"]
    if not (isinstance(labels, list) and len(decision["tuned"]) == len(labels)):
        raise ValueError("the labels are not those of the thresholds")
    if facts["decision"] not in ("tuned", "fixed", "own") or facts["input"] not in (
        "text",
        "numbers",
        "sparse",
    ):
        raise ValueError("the decision or the kind of input is unknown")
    if not isinstance(table["inputs"], list) or not isinstance(table["categories"], dict):
        raise ValueError("the columns of the table are missing")
    columns = {column for task in facts["tasks"] for column in task["columns"]}
    if columns != set(range(len(labels))):
        raise ValueError("the sub-problems are not about these labels")


def _networks(weights: Mapping[str, np.ndarray], n: int) -> list[dict[str, torch.Tensor]]:
    networks: list[dict[str, torch.Tensor]] = [{} for _ in range(n)]
    for name, array in weights.items():
        task, _, parameter = name.partition("/")
        # A copy, since arrays of safetensors may be read-only.
        networks[int(task)][parameter] = torch.from_numpy(np.array(array))
    if not all(networks):
        raise ValueError("a network has no weights")
    return networks


def plain_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters without types of NumPy, for JSON."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in params.items()}
