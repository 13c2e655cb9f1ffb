"""Prepares what all strategies of one data set, backbone and outer split share: the split, fitted features and inner folds.

Comparisons of strategies are paired, so these are computed once and not once per cell. The plan puts the cells that share them
next to each other, so that a process holds one set at a time and needs no more memory than for a single cell.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.core.seeds import seed_of
from equipoise.experiment.cross_validation import features_of
from equipoise.ops.inputs import Inputs
from equipoise.splits import outer as splits
from equipoise.splits.groups import groups_of

if TYPE_CHECKING:
    from equipoise.contracts.backbone import Backbone
    from equipoise.contracts.features import Features
    from equipoise.experiment.cell import Cell
    from equipoise.experiment.external import External


@dataclass(eq=False)
class Prepared:
    """One outer split of a dataset, and the features of a backbone fitted on its training rows.

    Attributes:
        train, test: positions of the rows in the data set.
        features: the backbone's feature extractor, fitted on the training rows alone.
        inputs: features of the training rows, on the CPU.
        folds: (n,) the inner fold that holds out each training row; −1 for a row that no fold holds out.
        groups: (N,) the group of each row of the data set, which no numbered split and no fold separates; None if every row is
            by itself.
        role: names all random streams of the cells.
        seconds: time of the preparation, which counts as no strategy's cost.
        sampled: if `data` is a sample, the data set that it was taken from, and which rows were.
        external: the external rows of cells that were run, by their hash.
    """

    data: Dataset
    backbone: Backbone
    train: np.ndarray
    test: np.ndarray
    features: Any
    inputs: Inputs
    folds: np.ndarray
    role: tuple[object, ...]
    seconds: float
    groups: np.ndarray | None = None
    sampled: tuple[Dataset, np.ndarray] | None = None
    external: dict[str, External] = field(default_factory=dict, repr=False)
    _on: dict[Any, Inputs] = field(default_factory=dict, repr=False)

    @property
    def origin(self) -> tuple[Dataset, np.ndarray]:
        """The whole data set, and for each row of `data` its row there."""
        return self.sampled or (self.data, np.arange(self.data.n_rows))

    def on(self, device: Any) -> Inputs:
        """The inputs of the training rows on a device; always the same object, so that all strategies' lanes can share it."""
        if device not in self._on:
            self._on[device] = self.inputs.to(device)
        return self._on[device]

    @property
    def train_groups(self) -> np.ndarray | None:
        """(n,) the group of each training row; None if every row is by itself."""
        return None if self.groups is None else self.groups[self.train]

    @cached_property
    def Y(self) -> np.ndarray:
        """(n, L) labels of the training rows."""
        return np.ascontiguousarray(self.data.Y[self.train])

    @property
    def nominal(self) -> np.ndarray | None:
        """(d,) the columns that are categories, as in `Rows.nominal`, numbered as after feature extraction."""
        nominal: np.ndarray | None = getattr(self.features, "nominal", None)
        return nominal

    @cached_property
    def test_inputs(self) -> Inputs:
        """The inputs of the test rows, on the CPU. The test rows are not read before this is first used."""
        return self.features.transform(self.data.X[self.test])

    @cached_property
    def feature_array(self) -> Any:
        """The training rows as an array (n, d), dense or CSR, for resamplers that compute distances; None if there is none."""
        return features_of(self.inputs, self.backbone.vector_features)


class Preparations:
    """Prepares cells and keeps the last preparation, which the next cells of a plan usually share.

    Code that runs cells owns one of these and passes it on. Only one preparation is kept, since two take twice the memory.
    """

    def __init__(self) -> None:
        self._identity: tuple[object, ...] = ()
        self._prepared: Prepared | None = None

    def of(self, cell: Cell, data: Dataset, backbone: Backbone) -> Prepared:
        """The cell's split, features and folds; those of the previous cell if they are the same.

        Data sets are the same if they are one object, backbones if their class and settings are equal.
        """
        identity = _identity(cell, backbone)
        if self._prepared is None or self._identity != identity or self._prepared.data is not data:
            # Freed first, so that two preparations are never in memory at once.
            self._prepared = None
            self._prepared = prepare(cell, data, backbone)
            self._identity = identity
        return self._prepared


def prepare(cell: Cell, data: Dataset, backbone: Backbone) -> Prepared:
    """Make the cell's outer split, fit the backbone's features on its training rows, and assign the inner folds."""
    return _prepare(cell, data, backbone, backbone.features(data.kind))


def sample(cell: Cell, data: Dataset, backbone: Backbone, rows: int) -> Prepared:
    """Prepare a sample of a data set for `equipoise time`, with features fitted on all rows.

    Features fitted on the sample alone would have fewer columns, and a step would be too fast.
    """
    began = time.perf_counter()
    features = backbone.features(data.kind).fit(data.X, data.nominal)
    seconds = time.perf_counter() - began
    # Evenly spaced, since the rows of a file may be sorted.
    taken = np.linspace(0, data.n_rows - 1, rows).astype(np.int64)
    small = data.take(taken)
    prepared = _prepare(cell, small, backbone, _FittedFeatures(features))
    # In proportion to the sample, so that the caller can scale all costs by the number of rows.
    prepared.seconds += seconds * rows / data.n_rows
    prepared.sampled = data, taken
    return prepared


def _identity(cell: Cell, backbone: Backbone) -> tuple[object, ...]:
    """Everything besides the data that a preparation depends on."""
    # The spec of the backbone holds its settings; its class may differ between plugins of one name. Of the settings of the
    # cell, only the inner folds and the groups matter before training.
    return (
        type(backbone),
        cell.dataset_sha256,
        cell.backbone,
        cell.split,
        cell.seed,
        cell.settings.folds,
        cell.settings.group_equal_inputs,
    )


def _prepare(cell: Cell, data: Dataset, backbone: Backbone, unfitted: Features) -> Prepared:
    began = time.perf_counter()
    # The features see the training rows alone: with test rows among them, a vocabulary would leak.
    groups = groups_of(data, cell.settings.group_equal_inputs)
    train, test = splits.outer_split(data.Y, cell.split, cell.seed, data.official, groups)
    if hasattr(unfitted, "encode"):
        # No leak: a frozen encoder is not fitted, and reads every text by itself. All at once, so that no strategy pays for it.
        unfitted.encode(data.X)
    features = unfitted.fit(data.X[train], data.nominal)
    # The content of the data and of the backbone's files, not their names: what is renamed gives the same numbers.
    role = (cell.dataset_sha256, cell.backbone_identity, cell.split, cell.seed)
    of_train = None if groups is None else groups[train]
    folds = _folds(data.Y[train], cell.settings.folds, seed_of("folds", *role) % 2**63, of_train)
    inputs = features.transform(data.X[train])
    seconds = time.perf_counter() - began
    return Prepared(data, backbone, train, test, features, inputs, folds, role, seconds, groups)


class _FittedFeatures:
    """A feature extractor whose `fit` does nothing, since it is fitted already."""

    def __init__(self, features: Features) -> None:
        self._features = features

    def fit(self, X: Any, nominal: np.ndarray | None = None) -> Features:
        return self._features

    def transform(self, X: Any) -> Inputs:
        return self._features.transform(X)


def _folds(Y: np.ndarray, folds: int, seed: int, groups: np.ndarray | None) -> np.ndarray:
    """(n,) the inner fold that holds out each row; with one fold, a quarter of the rows is held out (−1 for the others)."""
    if folds > 1:
        return splits.stratified_folds(Y, folds, seed, groups)
    return np.where(splits.stratified_folds(Y, 4, seed, groups) == 0, 0, -1)
