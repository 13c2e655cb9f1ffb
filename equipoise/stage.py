"""What cells of one dataset, backbone and outer split share: rows, features, inner folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.seeds import seed_of

if TYPE_CHECKING:
    import torch

    from equipoise.backbone import Backbone
    from equipoise.cell import Cell
    from equipoise.dataset import Dataset
    from equipoise.engine.inputs import Inputs


@dataclass(frozen=True, eq=False)
class Stage:
    """One outer split of a dataset, prepared for one backbone.

    Attributes:
        train, test: row positions; extractor: the features, fitted on training rows only.
        inputs: the training rows on the device; features: the same as an array where they can be averaged, else None.
        nominal: which columns of the features are categories; Y: (n, L) training labels; folds: (n,) inner folds.
        role: dataset, backbone, split and seed, from which all streams derive.
    """

    train: np.ndarray
    test: np.ndarray
    extractor: Any
    inputs: Inputs
    features: Any
    nominal: np.ndarray | None
    Y: np.ndarray
    folds: np.ndarray
    role: tuple[object, ...]


_last: dict[object, Stage] = {}


def stage(cell: Cell, data: Dataset, backbone: Backbone, device: torch.device) -> Stage:
    """The stage of a cell; the one made last is kept, since neighbours in a plan share theirs."""
    key = (data.sha256, cell.dataset_sha256, backbone.spec, cell.split, cell.seed, cell.settings.folds, device)
    if key not in _last:
        made = _made(cell, data, backbone, device)
        _last.clear()
        _last[key] = made
    return _last[key]


def _made(cell: Cell, data: Dataset, backbone: Backbone, device: torch.device) -> Stage:
    from equipoise.splits import outer_split
    from equipoise.workbench import features_of

    train, test = outer_split(data.Y, cell.split, cell.seed, data.official)
    extractor = backbone.features(data.kind).fit(data.X[train], data.nominal)
    inputs = extractor.transform(data.X[train])
    role = (cell.dataset_sha256, cell.backbone, cell.split, cell.seed)
    Y = data.Y[train]
    return Stage(
        train=train,
        test=test,
        extractor=extractor,
        inputs=inputs.to(device),
        features=features_of(inputs, backbone.averages),
        nominal=getattr(
            extractor, "nominal", None
        ),  # of the columns that came out, not of those that went in
        Y=Y,
        folds=_inner(Y, cell.settings.folds, seed_of("folds", *role) % 2**63),
        role=role,
    )


def _inner(Y: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Inner folds; for one, a quarter of the rows is held out and the others never are (−1)."""
    from equipoise.splits import stratified_folds

    if folds > 1:
        return stratified_folds(Y, folds, seed)
    return np.where(stratified_folds(Y, 4, seed) == 0, 0, -1)
