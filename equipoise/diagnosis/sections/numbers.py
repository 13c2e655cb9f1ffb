"""The size and imbalance of the data: all of `equipoise.measures` by name, per label and per labelset."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise import measures
from equipoise.contracts.dataset import Dataset
from equipoise.core.arrays import Ints
from equipoise.metrics.frequency import HEAD, TAIL

#: Programs in this field follow different rules here, so ours is stated wherever the numbers are shown.
ZERO_RULE = (
    "A label without a positive row has IRLbl = ∞ and is excluded from MeanIR, maxIR and CVIR "
    "(mldr counts it as zero, Mulan excludes it); it still counts in labels, density, TCS and rDep."
)
TOP_LABELSETS = 30


def numbers_section(data: Dataset) -> dict[str, Any]:
    """Every measure by name, and the rule for empty labels. Text has no number of inputs and so no TCS."""
    inputs = None if data.kind == "text" else int(data.X.shape[1])
    return {**measures.describe(data.Y, inputs), "zero_positive_rule": ZERO_RULE}


def labels_section(data: Dataset) -> list[dict[str, Any]]:
    """One record per label in the order of the columns: number and share of rows, IRLbl, and both frequency groups."""
    counts, ratios = data.Y.sum(axis=0, dtype=np.int64), measures.irlbl(data.Y)
    return [
        {
            "label": name,
            "rows": int(n),
            "share": n / data.n_rows,
            "irlbl": float(r),
            "group": group(int(n)),
            "third": third,
        }
        for name, n, r, third in zip(data.labels, counts, ratios, thirds(counts), strict=True)
    ]


def thirds(counts: Ints) -> list[str]:
    """The third of the labels, by frequency, to which each belongs: "frequent", "middle" or "rare".

    The fixed limits of `group` put all labels of a large data set into the head; these groups are relative to the data.
    Labels of equal frequency are in the same group, the more frequent one, so a group may be empty.
    """
    ordered = np.sort(counts)[::-1]
    frequent, middle = (ordered[max(-(-len(ordered) * k // 3) - 1, 0)] for k in (1, 2))
    return ["frequent" if n >= frequent else "middle" if n >= middle else "rare" for n in counts]


def group(rows: int) -> str:
    """The frequency group (head, medium or tail) by the limits of the metrics, which apply them to training rows."""
    return "head" if rows >= HEAD else "tail" if rows <= TAIL else "medium"


def labelsets_section(data: Dataset) -> dict[str, Any]:
    """The most frequent labelsets, and the spectrum: the number of labelsets that occur in exactly k rows."""
    distinct, counts = measures.labelsets(data.Y)
    sizes, how_many = np.unique(counts, return_counts=True)
    top = [
        {"labels": [data.labels[j] for j in np.flatnonzero(row)], "rows": int(n)}
        for row, n in zip(distinct[:TOP_LABELSETS], counts[:TOP_LABELSETS], strict=True)
    ]
    return {
        "distinct": len(counts),
        "singletons": int((counts == 1).sum()),
        "rows_in_singletons": float((counts == 1).sum() / data.n_rows),
        "largest_share": float(counts[0] / data.n_rows),
        "spectrum": [{"rows": int(k), "labelsets": int(m)} for k, m in zip(sizes, how_many, strict=True)],
        "most_frequent": top,
    }
