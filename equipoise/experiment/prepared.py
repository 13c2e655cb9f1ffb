"""What all strategies of one dataset, backbone and outer split have in common: made once, not once a cell.

Splits, fitted features and folds are the same for every strategy (they are paired). The plan puts such cells one after
another, so one set of them is held at a time: a process needs no more memory than a single cell does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.core.arrays import is_sparse
from equipoise.core.seeds import seed_of
from equipoise.experiment.cross_validation import features_of
from equipoise.ops.inputs import Inputs
from equipoise.splits import outer as splits

if TYPE_CHECKING:
    from equipoise.contracts.backbone import Backbone
    from equipoise.contracts.features import Features
    from equipoise.experiment.cell import Cell


@dataclass(eq=False)
class Prepared:
    """One outer split of a dataset, and the features of a backbone fitted on its training rows.

    Attributes:
        train, test: row positions. features: the backbone's, fitted on the training rows alone.
        inputs: of the training rows, on the CPU. folds: (n,) the inner fold that holds each of them out, −1: none does.
        role: what all random streams derive from.
        seconds: what it took, which is no strategy's cost.
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
    _on: dict[Any, Inputs] = field(default_factory=dict, repr=False)

    def on(self, device: Any) -> Inputs:
        """Of the training rows, on a device: one object, so that lanes of all strategies can train together."""
        if device not in self._on:
            self._on[device] = self.inputs.to(device)
        return self._on[device]

    @cached_property
    def Y(self) -> np.ndarray:
        """(n, L) labels of the training rows."""
        return np.ascontiguousarray(self.data.Y[self.train])

    @property
    def nominal(self) -> np.ndarray | None:
        """Which columns of the features are categories: of those that came out, not of those that went in."""
        found: np.ndarray | None = getattr(self.features, "nominal", None)
        return found

    @cached_property
    def test_inputs(self) -> Inputs:
        """Of the test rows, on the CPU; they are read when this is asked for first."""
        return self.features.transform(self.data.X[self.test])

    @cached_property
    def averaged(self) -> Any:
        """The training rows as an array (dense or CSR) that resamplers may take distances in, or None; read-only."""
        array = features_of(self.inputs, self.backbone.vector_features)
        if array is not None:
            (array.data if is_sparse(array) else array).flags.writeable = False
        return array


class Preparations:
    """Makes what cells need, and keeps the last: neighbours in a plan share it, and two at a time would be twice the memory.

    Whoever runs cells owns one and passes it on.
    """

    def __init__(self) -> None:
        self._shape: tuple[object, ...] = ()
        self._prepared: Prepared | None = None

    def of(self, cell: Cell, data: Dataset, backbone: Backbone) -> Prepared:
        """The cell's split, features and folds: those of the cell before, where they are the same.

        Data are the same when they are the same object, and backbones when class and settings are.
        """
        shape = _shape(cell, backbone)
        if self._prepared is None or self._shape != shape or self._prepared.data is not data:
            self._prepared = None  # before the next is made
            self._prepared = prepare(cell, data, backbone)
            self._shape = shape
        return self._prepared


def prepare(cell: Cell, data: Dataset, backbone: Backbone) -> Prepared:
    """The cell's outer split, the backbone's features fitted on its training rows, and the inner folds."""
    return _prepare(cell, data, backbone, backbone.features(data.kind))


def sample(cell: Cell, data: Dataset, backbone: Backbone, rows: int) -> Prepared:
    """Some rows of a dataset with features that were fitted on all: for timing, with the full width."""
    began = time.perf_counter()
    features = backbone.features(data.kind).fit(data.X, data.nominal)
    fitting = time.perf_counter() - began
    small = data.take(np.linspace(0, data.n_rows - 1, rows).astype(np.int64))
    prepared = _prepare(cell, small, backbone, _Fitted(features))
    prepared.seconds += fitting * rows / data.n_rows
    return prepared


def _shape(cell: Cell, backbone: Backbone) -> tuple[object, ...]:
    settled = (cell.dataset_sha256, cell.backbone, cell.split, cell.seed, cell.settings.folds)
    return (type(backbone), *settled)


def _prepare(cell: Cell, data: Dataset, backbone: Backbone, unfitted: Features) -> Prepared:
    began = time.perf_counter()
    train, test = splits.outer_split(data.Y, cell.split, cell.seed, data.official)
    if hasattr(unfitted, "encode"):
        # No leak: a frozen encoder is not fitted, and reads every text by itself. All at once, so that no strategy pays for it.
        unfitted.encode(data.X)
    features = unfitted.fit(data.X[train], data.nominal)
    role = (cell.dataset_sha256, cell.backbone, cell.split, cell.seed)
    folds = _folds(data.Y[train], cell.settings.folds, seed_of("folds", *role) % 2**63)
    inputs = features.transform(data.X[train])
    return Prepared(
        data, backbone, train, test, features, inputs, folds, role, seconds=time.perf_counter() - began
    )


class _Fitted:
    """Features that are fitted already, and stay so."""

    def __init__(self, features: Features) -> None:
        self._features = features

    def fit(self, X: Any, nominal: np.ndarray | None = None) -> Features:
        return self._features

    def transform(self, X: Any) -> Inputs:
        return self._features.transform(X)


def _folds(Y: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The inner fold that holds each row out; one fold means a quarter of the rows."""
    if folds > 1:
        return splits.stratified_folds(Y, folds, seed)
    return np.where(splits.stratified_folds(Y, 4, seed) == 0, 0, -1)
