"""Per-label results of the best strategies of each table, read from the store in a second pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics.frequency import HEAD, TAIL
from equipoise.report.comparison import Comparison
from equipoise.report.units import BASELINE
from equipoise.store.rows import Row, Selection

#: The strategies of a table whose labels are shown: the best ones, and the baseline.
BEST = 4
#: At most so many numbers are shown in all tables together, so that the page stays a few megabytes large.
NUMBERS = 25_000
#: The most and the fewest labels of one table.
MOST, FEWEST = 400, 20
#: What is shown of a label for each strategy, by column of the page.
VALUES = {"f1": "tuned/f1", "average_precision": "fixed/average_precision"}
COUNTS = {"n_train": "fixed/n_train", "n_test": "fixed/n_test"}
#: The parts of rows of the second pass.
PER_LABEL = Selection(
    metrics=frozenset(),
    without=frozenset(
        {"settings", "trials", "decision_trials", "versions", "plugins", "audit", "params", "cost", "edges"}
    ),
)


@dataclass(frozen=True)
class LabelLine:
    """A label: training and test rows with it (mean over splits), its frequency group, and F1 and AP of each strategy."""

    label: str
    n_train: float
    n_test: float
    group: str
    values: list[tuple[float, float]]  # (tuned F1, average precision) for each strategy of the table


@dataclass(frozen=True)
class LabelTable:
    """The labels of a table, the rarest first. `left_out` counts those that are not shown: the most frequent ones."""

    strategies: list[str] = field(default_factory=list)
    lines: list[LabelLine] = field(default_factory=list)
    left_out: int = 0


#: What is kept of a row: its labels, and arrays (L,) by name in COUNTS and VALUES.
Kept = tuple[list[str], dict[str, NDArray[np.float32]]]


def shown_strategies(comparison: Comparison) -> list[str]:
    """The baseline first, and the best strategies in the order of the table."""
    ranked = [result.strategy for result in comparison.ranked]
    best = [name for name in ranked if name != BASELINE][:BEST]
    return [name for name in ranked if name == BASELINE] + best


def kept_arrays(rows: Iterable[Row]) -> dict[str, Kept]:
    """Row key → what is needed of the row. A damaged or older row without per-label results is left out."""
    kept: dict[str, Kept] = {}
    for row in rows:
        names, per_label = row.get("labels"), row.get("per_label")
        if isinstance(names, list) and isinstance(per_label, dict):
            arrays = {
                name: np.array(per_label[source], dtype=np.float32)
                for name, source in (COUNTS | VALUES).items()
                if len(per_label.get(source) or ()) == len(names)
            }
            if len(arrays) == len(COUNTS | VALUES):
                kept[row["key"]] = ([str(name) for name in names], arrays)
    return kept


def label_table(
    used: Mapping[str, Sequence[Row]], strategies: Sequence[str], kept: Mapping[str, Kept], tables: int
) -> LabelTable:
    """The per-label means over splits of these strategies; empty where no row has any. `tables`: how many share the page."""
    found = {s: [kept[row["key"]] for row in used.get(s, ()) if row["key"] in kept] for s in strategies}
    found = {s: of for s, of in found.items() if of}
    # Arrays of rows with other labels, or in another order, cannot be averaged.
    names = next((of[0][0] for of in found.values()), [])
    if not names or any(labels != names for of in found.values() for labels, _ in of):
        return LabelTable()
    # The counts are those of the splits, the same for every strategy.
    first = [arrays for _, arrays in next(iter(found.values()))]
    n_train, n_test = _mean(first, "n_train"), _mean(first, "n_test")
    groups = _groups(n_train)
    values = {s: [_mean([a for _, a in of], name) for name in VALUES] for s, of in found.items()}
    # Stable: labels with equal counts stay in the order of the data.
    order = np.argsort(n_train, kind="stable")[: _most(tables, len(found))]
    lines = [
        LabelLine(
            names[i],
            float(n_train[i]),
            float(n_test[i]),
            groups[i],
            [(float(f1[i]), float(ap[i])) for f1, ap in values.values()],
        )
        for i in order.tolist()
    ]
    return LabelTable(list(found), lines, len(names) - len(lines))


def _most(tables: int, strategies: int) -> int:
    """How many labels a table may show."""
    return max(FEWEST, min(MOST, NUMBERS // (tables * strategies * len(VALUES))))


def _mean(arrays: Sequence[Mapping[str, NDArray[np.float32]]], name: str) -> NDArray[np.float64]:
    """The mean over splits for each label (L,), without undefined values; NaN where there are no others."""
    stacked = np.stack([a[name] for a in arrays]).astype(np.float64)
    defined = np.isfinite(stacked)
    total = np.where(defined, stacked, 0.0).sum(0)
    count = defined.sum(0)
    return np.divide(total, count, out=np.full(total.shape, math.nan), where=count > 0)


def _groups(n_train: NDArray[np.float64]) -> list[str]:
    """The group of each label by its mean number of training rows, as in `metrics.frequency`: head, medium or tail."""
    return ["head" if count >= HEAD else "medium" if count > TAIL else "tail" for count in n_train]
