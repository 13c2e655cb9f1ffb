"""Whether a gain comes from one label with few test rows: then it may be chance, or a training that had not begun to learn it.

A macro-average gives every label the same weight. A label with three test rows can jump from 0 to 1 in a score, and so make a
difference over all labels that looks certain, because it jumps on every split.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from equipoise.core.arrays import Floats
from equipoise.report.units import BASELINE, unit_of
from equipoise.store.rows import Row, Selection

if TYPE_CHECKING:
    from equipoise.store.store import Store

#: A label with fewer test rows a split than this moves by whole rows.
FEW_ROWS = 10
#: From this share on, the gain is that of the label. It is above 1 where the other labels lose.
SHARE = 0.5
#: With two labels one of them always has half of the gain.
FEWEST_LABELS = 3
#: Metric of the report → column of a row's field `per_label`.
COLUMNS = {"map": "fixed/average_precision", "tuned_macro_f1": "tuned/f1"}
_TEST_ROWS = "fixed/n_test"
#: What is read of a row for this.
PER_LABEL = Selection(metrics=frozenset(), without=Selection().without - {"per_label", "labels"})
#: Keys of rows → these rows with their results per label; a report reads its rows without them, which saves most of the time.
Reader = Callable[[Collection[str]], Iterable[Row]]


def reader(store: Store) -> Reader:
    """Reads rows of a store with their results per label."""
    return lambda keys: store.rows_of(keys, PER_LABEL)


class Carrier(NamedTuple):
    """A label that makes a gain: its name, its share of the gain, and its test rows (mean over splits)."""

    label: str
    share: float
    test_rows: float


def carrier(rows: Iterable[Row], strategy: str, metric: str) -> Carrier | None:
    """The label with few test rows that brings most of a strategy's gain over `none`; None if there is none.

    Args:
        rows: of both, with the fields `labels` and `per_label`. A split counts if both have it, with the same labels.
        metric: a key of COLUMNS.
    """
    cells = {(str(row["strategy"]), unit_of(row)): row for row in rows if row["status"] == "ok"}
    pairs = [
        (row, base)
        for (name, unit), row in cells.items()
        if name == strategy
        and (base := cells.get((BASELINE, unit))) is not None
        and _comparable(row, base, metric)
    ]
    labels = pairs[0][0]["labels"] if pairs else []
    pairs = [pair for pair in pairs if pair[0]["labels"] == labels]
    if len(labels) < FEWEST_LABELS:
        return None
    gains = np.mean([_parts(row, base, metric) for row, base in pairs], axis=0)
    test_rows = np.mean([_column(row, _TEST_ROWS) for row, _ in pairs], axis=0)
    first = int(gains.argmax())
    if not gains.sum() > 0 or gains[first] < SHARE * gains.sum() or test_rows[first] >= FEW_ROWS:
        return None
    return Carrier(str(labels[first]), float(gains[first] / gains.sum()), float(test_rows[first]))


def _comparable(row: Row, base: Row, metric: str) -> bool:
    """Whether both rows have a number for each of the same labels; older and damaged rows may not."""
    names = row.get("labels")
    return names == base.get("labels") and all(
        isinstance(names, list)
        and isinstance(one.get("per_label"), dict)
        and all(
            len(one["per_label"].get(column) or ()) == len(names) for column in (COLUMNS[metric], _TEST_ROWS)
        )
        for one in (row, base)
    )


def _parts(row: Row, base: Row, metric: str) -> Floats:
    """(L,) what each label adds to the difference of the two macro-averages on one split."""
    scored = _column(row, _TEST_ROWS) > 0
    # An undefined F1 of a label that has test rows counts as 0, as in the macro-average.
    ours, theirs = (np.nan_to_num(_column(one, COLUMNS[metric])) for one in (row, base))
    return np.where(scored, ours - theirs, 0.0) / max(1, int(scored.sum()))


def _column(row: Row, name: str) -> Floats:
    values: Sequence[float | None] = row["per_label"][name]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
