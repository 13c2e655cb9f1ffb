"""`diagnose` measures a data set, and `Diagnosis` gives the result as plain data, JSON, text or an HTML page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from equipoise.catalog.datasets import load_dataset
from equipoise.catalog.specs import with_settings
from equipoise.contracts.dataset import TEST, Dataset
from equipoise.core.arrays import Ints
from equipoise.core.errors import EquipoiseError, shown
from equipoise.core.files import write_whole
from equipoise.core.paths import user_path
from equipoise.diagnosis.sections.advice import advice_section
from equipoise.diagnosis.sections.dependence import dependence_section
from equipoise.diagnosis.sections.health import health_section
from equipoise.diagnosis.sections.in_short import in_short
from equipoise.diagnosis.sections.numbers import labels_section, labelsets_section, numbers_section
from equipoise.experiment.settings import MOST
from equipoise.splits.groups import groups_of
from equipoise.splits.outer import OUTER_FOLDS, outer_split
from equipoise.store.rows import clean

#: Version of `Diagnosis.data`. It increases when a key is removed or changes its meaning, but not when one is added.
SCHEMA = 1
MOST_ROWS, MOST_LABELS = 2000, 30


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """The result of `diagnose`. `data` holds all of it as dicts, lists, strings and numbers (NaN where undefined)."""

    dataset: Dataset
    data: dict[str, Any]

    def to_json(self) -> str:
        """The data as JSON text, with null for NaN and infinity."""
        return json.dumps(clean(self.data), indent=1, ensure_ascii=False, allow_nan=False)

    def to_html(self) -> str:
        """One self-contained HTML page, pictures included."""
        from equipoise.diagnosis.rendering.page import page

        return page(self.dataset, self.data)

    def save_html(self, path: str | Path) -> Path:
        """Write the HTML page and return its path. Raises EquipoiseError if the file cannot be written."""
        file, content = user_path(path), self.to_html()
        write_whole(file, content)
        return file

    def __str__(self) -> str:
        from equipoise.diagnosis.rendering.console import as_text

        return as_text(self.data)


def diagnose(
    dataset: str | Path | Dataset,
    *,
    seed: int = 0,
    folds: int = 3,
    split: tuple[ArrayLike, ArrayLike] | None = None,
    max_rows: int = MOST_ROWS,
    max_labels: int = MOST_LABELS,
    data_dir: str | Path | None = None,
    **options: Any,
) -> Diagnosis:
    """Measure a data set: imbalance, label dependence, faults in the data, and which strategies are worth trying.

    Args:
        dataset: the name of a data set, the path of a file, or a `Dataset`.
        seed: seed of every sample and permutation; the same seed gives the same numbers.
        folds: number of inner folds for which the labels' frequencies are checked (1: a holdout).
        split: row positions (train, test) that are searched for duplicates across the split. The default is the official
            split if the data have one (development rows count as training rows), and else outer split 0.
        max_rows, max_labels: size of the sample on which the conditional test is trained (at least 100 and 2).
        data_dir, options: as in `load_dataset`.

    Raises:
        EquipoiseError: the data cannot be loaded, or an argument is out of its range; the message is one line.
    """
    _check(seed, folds, max_rows, max_labels)
    if isinstance(dataset, Dataset):
        if options:
            raise EquipoiseError(
                f"options ({', '.join(options)}) apply to a name or a file, not to a Dataset"
            )
        data = dataset
    else:
        data = load_dataset(dataset, data_dir=data_dir, **options)
    about = {**_about(data), "spec": data.name if data is dataset else with_settings(str(dataset), options)}
    sections: dict[str, Any] = {"schema": SCHEMA, "seed": seed, "dataset": about}
    # The matrices are small: more threads would only wait for each other, and would change the last bits of the results.
    with threadpool_limits(1):
        sections["numbers"] = numbers_section(data)
        sections["labels"] = labels_section(data)
        sections["labelsets"] = labelsets_section(data)
        sections["dependence"] = dependence_section(data, seed, max_rows, max_labels)
        sections["health"] = health_section(data, *_split(data, split), folds, seed)
        sections["advice"] = advice_section(data, sections)
    sections["in_short"] = in_short(sections, data.single_label)
    return Diagnosis(data, sections)


def _check(seed: int, folds: int, max_rows: int, max_labels: int) -> None:
    """Raise EquipoiseError for an argument that is not an integer, or is outside its limits."""
    limits = {
        "seed": (seed, 0),
        "folds": (folds, 1),
        "max_rows": (max_rows, 100),
        "max_labels": (max_labels, 2),
    }
    for name, (value, least) in limits.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:  # True is an int in Python
            raise EquipoiseError(f"{name} must be an integer of at least {least}, not {value!r}")
    # As in a sweep. What is counted for each fold would take hours.
    if folds > MOST["folds"]:
        raise EquipoiseError(f"folds must be at most {MOST['folds']:,}, not {shown(folds)}")


def _about(data: Dataset) -> dict[str, Any]:
    return {
        "name": data.name,
        "kind": data.kind,
        "rows": data.n_rows,
        "labels": data.n_labels,
        "generated": data.generated,
        "source": data.source,
        "sha256": data.sha256,
        "notes": list(data.notes),
    }


def _split(data: Dataset, user_split: tuple[ArrayLike, ArrayLike] | None) -> tuple[tuple[Ints, Ints], str]:
    """The row positions (train, test) to search for duplicates, and the name of this split for sentences."""
    if user_split is not None:
        return (_rows(user_split[0], data), _rows(user_split[1], data)), "the given split"
    if data.official is not None and 0 < (test := data.official == TEST).sum() < data.n_rows:
        return (np.flatnonzero(~test), np.flatnonzero(test)), "the official split"
    if data.n_rows < OUTER_FOLDS:
        raise EquipoiseError(f"{data.name} has {data.n_rows} rows; at least {OUTER_FOLDS} are needed")
    return outer_split(data.Y, 0, 0, groups=groups_of(data)), "outer split 0 of seed 0"


def _rows(positions: ArrayLike, data: Dataset) -> Ints:
    """The positions as an integer array. Raises EquipoiseError if they are not row positions of the data."""
    rows = np.asarray(positions)
    # A boolean mask would be read as the positions 0 and 1, so only integers are accepted.
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows):
        raise EquipoiseError("split must be two one-dimensional arrays of row positions, neither empty")
    if rows.min() < 0 or rows.max() >= data.n_rows:
        raise EquipoiseError(f"split: rows must be 0 to {data.n_rows - 1}, not {rows.min()} to {rows.max()}")
    return rows.astype(np.int64)
