"""What a user should know of the data before a sweep, one line for each problem: the cheap checks of `equipoise diagnose`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.core.system import address_space
from equipoise.diagnosis.sections.folds import folds_section
from equipoise.diagnosis.sections.leaks import leaks_section
from equipoise.experiment.cell import Cell

#: Of more rows, this many at even distances are searched for inputs that reveal a label.
MOST_ROWS = 5000
#: Seconds after which the inputs of no further data set are searched.
MOST_SECONDS = 10.0
NAMED = 5


def before_running(todo: Sequence[Cell], data: Mapping[str, Dataset]) -> list[str]:
    """The lines of `cautions` for the data sets of cells that are to run."""
    folds = {cell.dataset: cell.settings.folds for cell in todo}
    # Under `ulimit -v` they are left to `diagnose`: their libraries take 400 MB of addresses, which cells would then lack.
    if not folds or address_space() is not None:
        return []
    return cautions({name: data[name] for name in folds}, folds)


def cautions(data: Mapping[str, Dataset], folds: Mapping[str, int]) -> list[str]:
    """One line for each problem with the data sets, the name of the data set first.

    Searching inputs takes about a second for each data set, and ends after MOST_SECONDS; a line says so.

    Args:
        data: by the names that users have for them. folds: the number of inner folds (1: a holdout) by the same names.
    """
    end, lines, left = time.monotonic() + MOST_SECONDS, [], []
    for name, dataset in data.items():
        found = [*_single_label(dataset), *_rare(dataset, folds[name])]
        if time.monotonic() < end:
            found = [*_leaks(dataset), *found]
        else:
            left.append(name)
        lines += [f"{name}: {line}" for line in found]
    if left:
        lines.append(
            f"{_named(left)}: not searched for inputs that reveal a label, to save time; equipoise diagnose does"
        )
    return lines


def _leaks(data: Dataset) -> Iterator[str]:
    step = -(-data.n_rows // MOST_ROWS)
    hints = leaks_section(data if step == 1 else data.take(np.arange(data.n_rows)[::step]))["features"]
    if hints:
        first = hints[0]
        more = f", and {len(hints) - 1} more like it" if len(hints) > 1 else ""
        yield (
            f"input {first['feature']!r} {'is' if first['same'] else 'is nearly'} label {first['label']!r} "
            f"(correlation {first['strength']:.3f}){more}: is it known before the label?"
        )


def _single_label(data: Dataset) -> Iterator[str]:
    each = data.Y.sum(axis=1)
    if data.n_labels > 1 and (each == 1).all():
        yield "every row has exactly one label, so this is multiclass data, and combinations of labels cannot be learned"
    elif data.n_labels > 1 and each.max() <= 1:
        yield "no row has more than one label, so combinations of labels cannot be learned"


def _rare(data: Dataset, folds: int) -> Iterator[str]:
    troubled = folds_section(data, folds)["troubled"]
    words = {
        "never": "in no row",
        "always": "in every row",
        "single": "in one row",
        "below_outer": "in too few rows for the test folds",
        "below_inner": "in too few rows for the inner folds",
    }
    if troubled:
        told = "; ".join(f"{words[kind['kind']]}: {_named(kind['labels'])}" for kind in troubled)
        yield f"labels that are hard to measure ({told}); equipoise diagnose says what that means"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
