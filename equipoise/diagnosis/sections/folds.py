"""Finds labels with too few positives to occur in every fold, and says what `run` does with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.splits.outer import OUTER_FOLDS


def folds_section(data: Dataset, inner: int) -> dict[str, Any]:
    """The labels with each kind of problem, rarest first, and what happens to them in `run`, as plain data.

    `inner` is the number of inner folds (1: a holdout of a quarter of the rows).
    """
    counts = data.Y.sum(axis=0, dtype=np.int64)
    order = np.argsort(counts, kind="stable")
    needed = _needed(inner)
    kinds = {
        "never": (counts == 0, "no row has it, so it cannot be learned and no metric counts it"),
        "always": (counts == data.n_rows, "every row has it, so there is nothing to learn"),
        "single": (
            counts == 1,
            "only one row has it, which is in the training or in the test rows, never in both",
        ),
        "below_outer": (
            (counts > 1) & (counts < OUTER_FOLDS),
            f"fewer than {OUTER_FOLDS} rows: some of the {OUTER_FOLDS} test folds contain none of them, and the label is "
            "left out of the macro averages there (labels_scored is the number of labels that were counted)",
        ),
        "below_inner": (
            (counts >= OUTER_FOLDS) & (counts < needed),
            f"fewer than {needed} rows: an inner fold of the training rows may contain none of them, so the threshold of the "
            "label depends on very few rows, or is the one for all labels together",
        ),
    }
    troubled = [
        {"kind": kind, "happens": consequence, "labels": [data.labels[j] for j in order if mask[j]]}
        for kind, (mask, consequence) in kinds.items()
        if mask.any()
    ]
    return {"outer": OUTER_FOLDS, "inner": inner, "rows_needed": needed, "troubled": troubled}


def _needed(inner: int) -> int:
    """The number of rows that a label needs to occur in every inner fold of the training rows of every outer split."""
    parts = 4 if inner == 1 else inner  # a holdout is a quarter of the rows
    rows = OUTER_FOLDS
    # The test fold takes one OUTER_FOLDS-th of the label's rows, rounded up; the rest must reach every inner fold.
    while rows - -(-rows // OUTER_FOLDS) < parts:
        rows += 1
    return rows
