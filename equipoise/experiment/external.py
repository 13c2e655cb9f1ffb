"""External rows in one outer split: which of them may be used, in which inner fold, and where their features are.

A row is never used where it would give away a held-out row: where one of its parents is held out, or a row of the data set with
the same inputs as the external row or as a parent. Rows that do so for a test row are left out of the split altogether. The rest
lies behind the training rows in the inputs that the lanes of a cell share, so that every kind of inputs can hold it. Features
come from the extractor that was fitted on the training rows.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.catalog.strategies import external_file
from equipoise.contracts.external import ExternalRows
from equipoise.contracts.rows import Offer
from equipoise.contracts.strategy import Strategy
from equipoise.core.arrays import Ints
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.experiment.cross_validation import features_of
from equipoise.ops.inputs import Inputs
from equipoise.splits.groups import row_keys

if TYPE_CHECKING:
    from equipoise.contracts.dataset import Dataset
    from equipoise.datasets import _external_file
    from equipoise.experiment.cell import Cell
    from equipoise.experiment.prepared import Prepared
else:
    # It imports the readers of tables.
    _external_file = lazy("equipoise.datasets._external_file")


@dataclass(frozen=True, eq=False)
class External:
    """The external rows that one outer split may use.

    Attributes:
        inputs: the features of the n training rows, followed by those of the e external rows, on the CPU.
        vector_features: whether these are vectors, as of `Backbone`.
        Y: (e, L) labels.
        groups: (n,) for each training row a number that rows with equal inputs share.
        pairs: two arrays (p,), positions of external rows and groups that must not be held out where they are used.
        counts: how many rows the file has, and how many of them this split leaves out.
    """

    inputs: Inputs
    vector_features: bool
    Y: np.ndarray
    groups: Ints
    pairs: tuple[Ints, Ints]
    counts: dict[str, int]
    _on: dict[Any, Inputs] = field(default_factory=dict, repr=False)

    def on(self, device: Any) -> Inputs:
        """The inputs on a device; always the same object, so that all strategies with these rows can share it."""
        if device not in self._on:
            self._on[device] = self.inputs.to(device)
        return self._on[device]

    @cached_property
    def feature_array(self) -> Any:
        """The inputs as an array (n + e, d), as `Prepared.feature_array`."""
        return features_of(self.inputs, self.vector_features)

    def offer(self, held_out: np.ndarray | None) -> Offer:
        """The rows that may be used while these training rows (positions) are held out; None: no row is."""
        rows = np.arange(len(self.Y), dtype=np.int64)
        if held_out is not None:
            rows = np.setdiff1d(rows, _touched(self.pairs, self.groups[held_out]))
        return Offer(len(self.groups) + rows, self.Y[rows])


def external_of(strategy: Strategy, cell: Cell, prepared: Prepared) -> External | None:
    """The external rows of a cell; None if its strategy names no file. They are read once for all cells of a split.

    Raises:
        EquipoiseError: the rows in the file are not those with which the cell was planned, or cannot be read any more.
    """
    if not (file := external_file(strategy)):
        return None
    if cell.external not in prepared.external:
        whole, _ = prepared.origin
        rows = _external_file.read_external(file, whole)
        if rows.sha256 != cell.external:
            raise EquipoiseError(
                f"the rows in {file} changed after this cell was planned; the same command runs it anew"
            )
        prepared.external[cell.external] = external_in(prepared, rows)
    return prepared.external[cell.external]


def external_in(prepared: Prepared, rows: ExternalRows) -> External:
    """The external rows that the outer split of `prepared` may use."""
    whole, numbers = prepared.origin
    groups, pairs = _related(whole, rows)
    train, test = numbers[prepared.train], numbers[prepared.test]
    from_test = np.unique(rows.rows[~np.isin(rows.parents, train)])
    like_test = np.setdiff1d(_touched(pairs, groups[test]), from_test)
    kept = np.setdiff1d(np.arange(len(rows)), np.concatenate([from_test, like_test]))
    inputs = prepared.inputs
    # Extractors of scikit-learn refuse an empty table.
    if len(kept):
        inputs = inputs.followed_by(prepared.features.transform(rows.X[kept]))
    used = np.isin(pairs[0], kept)
    own = (np.searchsorted(kept, pairs[0][used]), pairs[1][used])
    counts = {"file": len(rows), "parent_tested": len(from_test), "equal_tested": len(like_test)}
    vectors = prepared.backbone.vector_features
    return External(inputs, vectors, rows.Y[kept], groups[train], own, counts)


def _related(data: Dataset, rows: ExternalRows) -> tuple[Ints, tuple[Ints, Ints]]:
    """Group numbers (n,) of the rows of a data set by equal inputs; pairs of external rows and groups related to them."""
    numbers: dict[Hashable, int] = {}
    groups = np.array([numbers.setdefault(key, len(numbers)) for key in row_keys(data.X)], dtype=np.int64)
    # An external row that equals a row of the data set is related to it, whatever parent it names.
    own = np.array([numbers.get(key, -1) for key in row_keys(rows.X)], dtype=np.int64)
    equal = np.flatnonzero(own >= 0)
    return groups, (np.concatenate([rows.rows, equal]), np.concatenate([groups[rows.parents], own[equal]]))


def _touched(pairs: tuple[Ints, Ints], groups: Ints) -> Ints:
    """The external rows that are related to one of these groups, ascending."""
    touched: Ints = np.unique(pairs[0][np.isin(pairs[1], groups)])
    return touched
