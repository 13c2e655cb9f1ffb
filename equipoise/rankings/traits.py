"""Measures of the data sets of a store, from the labels that are stored with predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from equipoise import measures
from equipoise.core.errors import EquipoiseError
from equipoise.rankings.regimes import traits_of
from equipoise.store.store import Store

Traits = dict[str, dict[str, float]]


def traits_of_stores(stores: Iterable[tuple[Store, Sequence[Mapping[str, Any]]]]) -> Traits:
    """Traits of the data sets of stores, each with its rows: see `Block.traits`.

    The labels of the training and test rows of any cell are those of the whole data set. Where no cell has predictions, as in
    published rows, the label counts of its rows give what they can.
    """
    found: Traits = {}
    for store, rows in stores:
        # Of a data set in several stores, the first that knows its traits counts.
        for name, known in traits_of(rows).items():
            found.setdefault(name, known)
        # Label counts give neither the dependence of labels nor the rows; stored labels give every trait.
        for name in dict.fromkeys(str(row["dataset"]) for row in rows):
            if "rdep" not in found.get(name, {}) and (measured := _measured(store, rows, name)):
                found[name] = measured
    return found


def _measured(store: Store, rows: Sequence[Mapping[str, Any]], dataset: str) -> dict[str, float]:
    """The traits of one data set, {} without predictions. Of a few cells the first that can be read is used."""
    keys = [row["key"] for row in rows if row["dataset"] == dataset and row["status"] == "ok"]
    # Each may be a large file, and where three cannot be read, the others hardly can.
    for key in keys[:3]:
        try:
            arrays = store.predictions(key)
            Y = np.concatenate([arrays["train_Y"], arrays["test_Y"]])
        # Missing, damaged, or without the labels of training rows.
        except (EquipoiseError, KeyError, ValueError, OSError):
            continue
        counts = Y.sum(axis=0)
        return {
            "mean_ir": measures.mean_ir(Y),
            "labels": float(Y.shape[1]),
            "positives": float(np.median(counts[counts > 0])) if counts.any() else 0.0,
            "rows": float(len(Y)),
            "rdep": measures.rdep(Y),
        }
    return {}
