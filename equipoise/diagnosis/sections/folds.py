"""Labels with too few positives to be in every fold, and what will happen to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.splits.outer import OUTER_FOLDS


def folds_section(data: Dataset, inner: int) -> dict[str, Any]:
    """The labels in each kind of trouble, rarest first, with what `run` does about it.

    `inner` is the number of inner folds that is asked for (1: a holdout of a quarter of the rows).
    """
    counts = data.Y.sum(axis=0, dtype=np.int64)
    order = np.argsort(counts, kind="stable")
    needed = _needed(inner)
    kinds = {
        "never": (counts == 0, "no row has it: it cannot be learned and no metric counts it"),
        "always": (counts == data.n_rows, "every row has it: there is nothing to learn"),
        "single": (counts == 1, "one row has it: that row is either learned from or tested on, never both"),
        "below_outer": (
            (counts > 1) & (counts < OUTER_FOLDS),
            f"fewer than {OUTER_FOLDS} rows: some of the {OUTER_FOLDS} test folds hold none, and there the label is "
            "left out of macro averages (labels_scored says how many were counted)",
        ),
        "below_inner": (
            (counts >= OUTER_FOLDS) & (counts < needed),
            f"fewer than {needed} rows: some inner fold of the training rows may hold none, so its threshold rests on "
            "very few rows, or is that of all labels together",
        ),
    }
    troubled = [
        {"kind": kind, "happens": happens, "labels": [data.labels[j] for j in order if mask[j]]}
        for kind, (mask, happens) in kinds.items()
        if mask.any()
    ]
    return {"outer": OUTER_FOLDS, "inner": inner, "rows_needed": needed, "troubled": troubled}


def _needed(inner: int) -> int:
    """Rows a label needs so that every inner fold of every outer split's training rows holds one of them."""
    parts = 4 if inner == 1 else inner
    rows = OUTER_FOLDS
    while (
        rows - -(-rows // OUTER_FOLDS) < parts
    ):  # the test fold takes a fifth of the label's rows, rounded up
        rows += 1
    return rows
