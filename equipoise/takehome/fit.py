"""`equipoise.fit`: search by inner folds, then train on all rows, thresholds included."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import load_dataset
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import external_file, get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.strategy import Strategy
from equipoise.core.errors import EquipoiseError
from equipoise.core.seeds import seed_of
from equipoise.datasets._external_file import read_external
from equipoise.engine.scheduler import Trainer, run_one
from equipoise.experiment.cross_validation import CrossValidator
from equipoise.experiment.external import external_in
from equipoise.experiment.prepared import Prepared
from equipoise.experiment.search.trials import search
from equipoise.experiment.settings import Settings
from equipoise.ops.device import repeatable, resolve
from equipoise.splits.groups import groups_of
from equipoise.splits.outer import stratified_folds
from equipoise.sweep.plan import misfit
from equipoise.sweep.suite import check_seed
from equipoise.takehome import features as extractors
from equipoise.takehome.assembly import assembled
from equipoise.takehome.candidates import choose_among
from equipoise.takehome.choice import Choice, recommended
from equipoise.takehome.folder import check_free
from equipoise.takehome.model import Model

DECISIONS = ("tuned", "fixed", "own")


def fit(
    dataset: str | Path | Dataset,
    *,
    backbone: str | Backbone | type[Backbone] = "linear",
    strategy: str | Strategy | type[Strategy] = "none",
    from_report: bool | str | Path = False,
    model: str | Path | None = None,
    decision: str | None = None,
    seed: int = 0,
    device: str = "auto",
    data_dir: str | Path | None = None,
    report: Callable[[float], None] | None = None,
    **settings: Any,
) -> Model:
    """Fit a strategy on all rows of a data set; settings are searched by inner folds, and thresholds fitted out of fold.

    >>> model = equipoise.fit("mails.csv", backbone="mlp", strategy="focal", trials=8, model="mails-model")  # doctest: +SKIP
    >>> model.predict(["Shall we keep the event bus?"])  # doctest: +SKIP

    Args:
        dataset: a name, a file, or a `Dataset`.
        backbone, strategy: names with settings, classes or instances.
        from_report: take both, and the settings that the search chose in the splits, from what the report of a store
            recommends for these data: the store's folder, or True for results/live. Give `trials` to search anew.
        model: a folder to save the model to.
        decision: "tuned" thresholds of each label, "fixed" at probability 0.5, or the strategy's "own". By default what the
            report recommends; otherwise the own decision of a strategy that has one, and tuned thresholds of any other.
        report: called with the finished share of the search, 0 to 1.
        settings: the fields of `equipoise.experiment.settings.Settings`, e.g. `trials=4`.

    Raises:
        EquipoiseError: bad input, a strategy that does not fit the data, or a backbone that cannot be saved; one line.
    """
    if decision is not None and decision not in DECISIONS:
        raise EquipoiseError(
            f"decision must be {', '.join(DECISIONS[:-1])} or {DECISIONS[-1]}, got {decision!r}"
        )
    check_seed(seed)
    if model is not None:
        # Before the data are read and anything is trained.
        check_free(model)
    data = dataset if isinstance(dataset, Dataset) else load_dataset(dataset, data_dir=data_dir)
    choice = _chosen(data, backbone, strategy, from_report, settings)
    # Instances and classes have no spec to look them up by, so they do not pass through the choice.
    network, method = get_backbone(backbone), get_strategy(strategy)
    if from_report is not False:
        network, method = get_backbone(choice.backbone), get_strategy(choice.strategy)
    _check(data, network, method, choice.settings)
    with repeatable(resolve(device)):
        prepared = _prepared(data, network, choice.settings, seed)
        validator = _validator(method, prepared, choice.settings, device)
        searched = (
            choose_among(validator, choice.candidates) if choice.candidates else search(validator, report)
        )
        result = run_one(searched)
        fitted = run_one(validator.refit(result.params))
        made = assembled(validator, prepared, choice, result, fitted, decision, seed)
    if model is not None:
        made.save(model)
    return made


def saveable() -> list[str]:
    """The built-in backbones whose models can be saved: those that are trained by gradient steps."""
    backbones = registry("backbone")
    return [name for name in backbones.names() if backbones.get(name).gradient]


def _chosen(
    data: Dataset, backbone: Any, strategy: Any, from_report: bool | str | Path, settings: Mapping[str, Any]
) -> Choice:
    # One model is saved, so the repeats of a benchmark have no meaning here.
    if from_report is False:
        why = "Its strategy and backbone were given by the user."
        return Choice("", "", dataclasses.replace(Settings.of(settings), repeats=1), why=why)
    folder = "results/live" if from_report is True else from_report
    choice = recommended(folder, data, "", settings)
    return dataclasses.replace(choice, settings=dataclasses.replace(choice.settings, repeats=1))


def _check(data: Dataset, backbone: Backbone, strategy: Strategy, settings: Settings) -> None:
    """Refuse what cannot be fitted or saved, before anything is trained."""
    if not backbone.gradient:
        raise EquipoiseError(
            f"{backbone.name} is a scikit-learn estimator, which only a pickle could save; these backbones can be saved: "
            f"{', '.join(saveable())}"
        )
    # As before a sweep: a strategy may need groups, a head or several labels.
    if (reason := misfit(data, backbone, strategy, settings.folds)) is not None:
        raise EquipoiseError(reason)


def _prepared(data: Dataset, backbone: Backbone, settings: Settings, seed: int) -> Prepared:
    """All rows as training rows, as `experiment.prepared` prepares those of an outer split."""
    unfitted = backbone.features(data.kind)
    if hasattr(unfitted, "encode"):
        unfitted.encode(data.X)
    features = unfitted.fit(data.X, data.nominal)
    # Before the training, which may take hours.
    extractors.state_of(features)
    groups = groups_of(data, settings.group_equal_inputs)
    # "all" stands where a cell has its split, so that no random number is that of a cell.
    role = (data.sha256, backbone.identity, "all", seed)
    fold_seed = seed_of("folds", *role) % 2**63
    if settings.folds > 1:
        folds = stratified_folds(data.Y, settings.folds, fold_seed, groups)
    else:
        # As in a benchmark: a quarter of the rows is held out once, and −1 marks those that never are.
        folds = np.where(stratified_folds(data.Y, 4, fold_seed, groups) == 0, 0, -1)
    every, nothing = np.arange(data.n_rows), np.empty(0, dtype=np.int64)
    inputs = features.transform(data.X)
    return Prepared(data, backbone, every, nothing, features, inputs, folds, role, 0.0, groups)


def _validator(strategy: Strategy, prepared: Prepared, settings: Settings, device: str) -> CrossValidator:
    # Rows of the user's own are encoded by the features of the training rows, as in a benchmark.
    file, on = external_file(strategy), resolve(device)
    external = external_in(prepared, read_external(file, prepared.data)) if file else None
    inputs = prepared.on(on) if external is None else external.on(on)
    return CrossValidator(
        strategy,
        prepared.backbone,
        prepared.feature_array if external is None else external.feature_array,
        prepared.nominal,
        prepared.Y,
        prepared.folds,
        prepared.role,
        settings,
        Trainer(inputs, settings.batch_size, on),
        external,
        prepared.train_groups,
    )
