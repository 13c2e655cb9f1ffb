"""`equipoise recipe`: a fitted model, or the winner of a report, as a plain PyTorch script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import load_dataset
from equipoise.catalog.strategies import get_strategy, with_params
from equipoise.contracts.analyzer import NGRAMS, decided
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.hyperparameters import bind
from equipoise.contracts.options import options
from equipoise.contracts.strategy import Strategy
from equipoise.core.arrays import is_sparse
from equipoise.core.errors import EquipoiseError
from equipoise.store.store import Store
from equipoise.takehome.card import TITLES
from equipoise.takehome.choice import recommended, recommended_name
from equipoise.takehome.model import Model
from equipoise.takehome.recipe_parts import DRAWS, FEATURES, LOSSES, NETWORKS, SCRIPT

#: Stages of which nothing but thresholds is left in a recipe.
_DECISIONS = frozenset({"decide"})
#: Backbones that read texts as weighted counts of words; the others read them as sequences of words.
_WITH_TFIDF = ("linear", "mlp")


@dataclass(frozen=True)
class Winner:
    """What a recipe is written from.

    Attributes:
        backbone, strategy: with their settings. lr, C: see `Backbone`.
        thresholds: (L,) in logits; None where the strategy decides otherwise. origin: how they came about, in words.
        inputs: the columns. kind: "text", "numbers", "categories" or "sparse". by_character: texts are no words but characters.
        label_column: the column that lists labels by name; None where each has a 0/1 column.
        settings: those of the search. scores: what to expect.
    """

    dataset: str
    backbone: Backbone
    strategy: Strategy
    lr: float
    C: float
    thresholds: np.ndarray | None
    origin: str
    labels: Sequence[str]
    inputs: Sequence[str]
    kind: str
    by_character: bool
    label_column: str | None
    settings: Mapping[str, Any]
    scores: Mapping[str, Any]


def of_model(model: Model) -> Winner:
    """The winner that a model is."""
    facts = model.facts
    kind = (
        "categories"
        if facts["table"]["categories"] or getattr(model.features, "_encoder", None)
        else facts["input"]
    )
    return Winner(
        dataset=facts["dataset"],
        backbone=model.backbone,
        strategy=with_params(get_strategy(facts["strategy"]), facts["params"]),
        lr=facts["params"]["lr"],
        C=facts["params"]["C"],
        thresholds=_thresholds(model),
        origin=", fitted on out-of-fold predictions of all rows" if facts["decision"] != "fixed" else "",
        labels=model.labels,
        inputs=facts["table"]["inputs"],
        kind=kind,
        by_character=bool(getattr(model.features, "_by_character", False)),
        label_column=facts["table"].get("label_column"),
        settings=facts["settings"],
        scores=facts["expected"]["scores"],
    )


def _thresholds(model: Model) -> np.ndarray | None:
    """The thresholds (L,) of a model in logits; None where it decides otherwise."""
    # Not from the probabilities of its card, which are 0 or 1 for logits beyond ±37.
    if model.facts["thresholds"] is None:
        return None
    values = {"fixed": np.zeros(()), "tuned": model.evidence.tuned, "own": model.evidence.own}[model.decision]
    return None if values is None else np.broadcast_to(values, len(model.labels)).astype(np.float64)


def of_report(results: str | Path, dataset: str | None, data_dir: Path | None = None) -> Winner:
    """The winner that the report of a store recommends, with the settings of its best split."""
    data = load_dataset(dataset or recommended_name(results), data_dir=data_dir)
    choice = recommended(results, data, "", {})
    store = Store(Path(results))
    # Of splits with equal objectives the first.
    row = max(choice.rows, key=lambda r: (float(r["objective"] or 0), -int(r["split"])))
    # Those of one split, and not of several: settings and thresholds belong together.
    params, backbone = row["params"], get_backbone(choice.backbone)
    if not backbone.gradient:
        raise EquipoiseError(_cannot(backbone.name, "backbone", NETWORKS))
    own = {k.split(".", 1)[1]: v for k, v in params.items() if k.startswith(f"{backbone.name}.")}
    strategy = with_params(get_strategy(choice.strategy), params)
    decision = "own" if "decide" in strategy.stages or strategy.voter is not None else choice.decision
    # Thresholds belong to the scale of the logits, so they come from the same split as the settings.
    thresholds = store.predictions(row["key"]).get(f"{decision}_thresholds")
    return Winner(
        dataset=data.name,
        backbone=bind(backbone, own),
        strategy=strategy,
        lr=params["lr"],
        C=params["C"],
        thresholds=thresholds,
        origin=f", fitted on out-of-fold predictions in split {row['split']}" if decision != "fixed" else "",
        labels=data.labels,
        inputs=data.table.inputs if data.table else ("text",) if data.kind == "text" else data.features,
        kind=_kind(data),
        by_character=data.kind == "text"
        and decided(getattr(backbone, "analyzer", "auto"), list(data.X)) == "char",
        label_column=data.table.label_column if data.table else None,
        settings=row["settings"],
        scores=choice.scores(decision),
    )


def write_recipe(winner: Winner) -> str:
    """The script.

    Raises:
        EquipoiseError: it cannot be written for this backbone, strategy or kind of data; the message says which can be.
    """
    loss, draws = _check(winner)
    of_texts = "tfidf" if winner.backbone.name in _WITH_TFIDF else "tokens"
    kind = "numbers" if winner.kind == "numbers" else of_texts
    features, imports = FEATURES[kind]
    values = _values(winner)
    scores = ", ".join(
        f"{TITLES[name]} {value:.3f}" for name, value in winner.scores.items() if value is not None
    )
    # Without a share of draws by label, rows come in shuffled epochs, as in the engine.
    draw, order = DRAWS[(draws.name if getattr(draws, "mix", 1.0) else "") or "none"]
    return SCRIPT.format(
        strategy=winner.strategy.spec,
        backbone=winner.backbone.name,
        # It stands in the docstring of the script, which a quotation mark would end.
        dataset=winner.dataset.replace("\\", "/").replace('"', "'"),
        expected=f"Expected: {scores}.",
        imports="\n".join(imports) + "\n",
        inputs=list(map(str, winner.inputs)),
        labels=list(map(str, winner.labels)),
        origin=winner.origin,
        thresholds=[float(f"{t:.5g}") for t in np.asarray(winner.thresholds)],
        lr=f"{winner.lr:.5g}",
        C=f"{winner.C:.5g}",
        epochs=winner.settings["epochs"],
        batch=winner.settings["batch_size"],
        # In texts, pandas would take words such as NA and null for missing values.
        read="pd.read_csv(path)" if kind == "numbers" else "pd.read_csv(path, keep_default_na=False)",
        features=features.format(**values),
        network=NETWORKS[winner.backbone.name].format(**values),
        loss=_loss(loss),
        draws=draw.format(**_fields(draws)),
        order=order,
    )


def _check(winner: Winner) -> tuple[Strategy, Strategy]:
    """The parts of the strategy that bring the loss and the draws; EquipoiseError where a recipe cannot be written."""
    if winner.backbone.name not in NETWORKS:
        raise EquipoiseError(_cannot(winner.backbone.name, "backbone", NETWORKS))
    if getattr(winner.backbone, "vectors", None):
        raise EquipoiseError("a recipe cannot be written for pretrained word vectors; fit without vectors=…")
    for part in winner.strategy.parts:
        brings = set(part.stages) - _DECISIONS
        if (
            brings
            and not (brings == {"loss"} and part.name in LOSSES)
            and not (brings == {"weights"} and part.name in DRAWS)
        ):
            raise EquipoiseError(_cannot(part.name, "strategy", [*LOSSES, *DRAWS], _ENDING))
    if winner.thresholds is None:
        raise EquipoiseError(
            _cannot(winner.strategy.spec, "decision", (), "any strategy that decides by thresholds")
        )
    if winner.kind not in ("text", "numbers") or not winner.inputs:
        raise EquipoiseError(
            f"a recipe reads texts or numbers from named columns; {winner.dataset} has {winner.kind}"
        )
    if winner.label_column is not None:
        raise EquipoiseError(
            f"a recipe reads labels as 0/1 columns; {winner.dataset} lists them in the column {winner.label_column!r}"
        )
    if winner.by_character and winner.backbone.name not in _WITH_TFIDF:
        raise EquipoiseError(
            f"a recipe for texts without spaces can be written for {' and '.join(_WITH_TFIDF)} only"
        )
    return winner.strategy.owner("loss"), winner.strategy.owner("weights")


_ENDING = "and any of them with a strategy that only decides by thresholds, such as scut"


def _cannot(name: str, kind: str, known: Any, ending: str = "") -> str:
    # A name with a space is a variant of a strategy, such as a loss without one of its terms.
    can = ", ".join(dict.fromkeys(n for n in known if " " not in n))
    return f"a recipe cannot be written for the {kind} {name!r}; it can for: {'; '.join(filter(None, [can, ending]))}"


def _kind(data: Dataset) -> str:
    if data.kind == "text":
        return "text"
    categories = data.nominal is not None and bool(data.nominal.any())
    return "sparse" if is_sparse(data.X) else "categories" if categories else "numbers"


def _values(winner: Winner) -> dict[str, Any]:
    """What stands for the names in braces of features and networks."""
    values = _fields(winner.backbone)
    directions = 2 if values.get("bidirectional") else 1
    units = f', analyzer="char_wb", ngram_range={NGRAMS}' if winner.by_character else ""
    hidden = int(values.get("hidden", 0))
    return {**values, "kind": winner.backbone.name.upper(), "joined": directions * hidden, "units": units}


def _loss(strategy: Strategy) -> str:
    values, name = _fields(strategy), strategy.name or "none"
    # A negative alpha leaves the shares out, see `strategies.focal`.
    if float(values.get("alpha", 0)) < 0:
        if name != "focal":
            raise EquipoiseError(f"a recipe cannot be written for {name} with a negative alpha")
        name = "focal without alpha"
    detached = "focus" if values.get("focus_gradient", True) else "focus.detach()"
    return LOSSES[name].format(**values, detached=detached)


def _fields(obj: Any) -> dict[str, Any]:
    """The settings of a backbone or strategy, with numbers as they are to be written."""
    # Five digits: a script is for readers, and the search does not know more.
    values = {f.name: getattr(obj, f.name) for f in options(obj)}
    return {name: float(f"{v:.5g}") if isinstance(v, float) else v for name, v in values.items()}
