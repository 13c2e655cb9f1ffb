"""`diagnose`: all sections of a diagnosis, as plain data, as JSON, in words and as a page."""

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
from equipoise.core.errors import EquipoiseError
from equipoise.diagnosis.sections.advice import advice_section
from equipoise.diagnosis.sections.dependence import dependence_section
from equipoise.diagnosis.sections.health import health_section
from equipoise.diagnosis.sections.numbers import labels_section, labelsets_section, numbers_section
from equipoise.splits.outer import OUTER_FOLDS, outer_split
from equipoise.store.rows import clean

#: Raised when a key of `Diagnosis.data` goes or changes its meaning; new keys do not raise it.
SCHEMA = 1
MOST_ROWS, MOST_LABELS = 2000, 30


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What `diagnose` found; `data` holds it all as dicts, lists, strings and numbers (NaN where undefined)."""

    dataset: Dataset
    data: dict[str, Any]

    def to_json(self) -> str:
        """JSON text; NaN and infinity are null."""
        return json.dumps(clean(self.data), indent=1, ensure_ascii=False, allow_nan=False)

    def to_html(self) -> str:
        """One self-contained page, pictures included."""
        from equipoise.diagnosis.rendering.page import page

        return page(self.dataset, self.data)

    def save_html(self, path: str | Path) -> Path:
        """Write the page. Raises EquipoiseError when the file cannot be written."""
        file, content = Path(path).expanduser(), self.to_html()
        try:
            file.write_text(content, encoding="utf-8")
        except OSError as problem:
            raise EquipoiseError(f"cannot write {file}: {problem.strerror}") from None
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
    """Measure a dataset (a name, a file, or a `Dataset`): imbalance, label dependence, data health, what to try.

    Args:
        seed: of every sample and shuffle; the same seed gives the same numbers.
        folds: inner folds that labels are held against (1: a holdout).
        split: (train, test) row positions looked at for duplicates; default: the official split where the data have one
            (development rows count as training), else outer split 0.
        max_rows, max_labels: size of the sample that the conditional test trains on (at least 100 and 2).
        data_dir, options: as in `load_dataset`.

    Raises:
        EquipoiseError: data that cannot be loaded, or an argument out of its range; one line.
    """
    _check(seed, folds, max_rows, max_labels)
    if isinstance(dataset, Dataset):
        if options:
            raise EquipoiseError(
                f"options ({', '.join(options)}) go with a name or a file, not with a Dataset"
            )
        data = dataset
    else:
        data = load_dataset(dataset, data_dir=data_dir, **options)
    about = {**_about(data), "spec": data.name if data is dataset else with_settings(str(dataset), options)}
    found: dict[str, Any] = {"schema": SCHEMA, "seed": seed, "dataset": about}
    with threadpool_limits(
        1
    ):  # small products: more threads only wait for each other, and change the last bits
        found["numbers"] = numbers_section(data)
        found["labels"] = labels_section(data)
        found["labelsets"] = labelsets_section(data)
        found["dependence"] = dependence_section(data, seed, max_rows, max_labels)
        found["health"] = health_section(data, *_split(data, split), folds, seed)
        found["advice"] = advice_section(data, found)
    return Diagnosis(data, found)


def _check(seed: int, folds: int, max_rows: int, max_labels: int) -> None:
    limits = {
        "seed": (seed, 0),
        "folds": (folds, 1),
        "max_rows": (max_rows, 100),
        "max_labels": (max_labels, 2),
    }
    for name, (value, least) in limits.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise EquipoiseError(f"{name} must be a whole number from {least}, not {value!r}")


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


def _split(data: Dataset, given: tuple[ArrayLike, ArrayLike] | None) -> tuple[tuple[Ints, Ints], str]:
    """(train, test), and what they are called."""
    if given is not None:
        return (_rows(given[0], data), _rows(given[1], data)), "the split given"
    if data.official is not None and 0 < (test := data.official == TEST).sum() < data.n_rows:
        return (np.flatnonzero(~test), np.flatnonzero(test)), "the official split"
    if data.n_rows < OUTER_FOLDS:
        raise EquipoiseError(f"{data.name} has {data.n_rows} rows; at least {OUTER_FOLDS} are needed")
    return outer_split(data.Y, 0, 0), "outer split 0 of seed 0"


def _rows(positions: ArrayLike, data: Dataset) -> Ints:
    rows = np.asarray(positions)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows):
        raise EquipoiseError("split must be two one-dimensional arrays of row positions, neither empty")
    if rows.min() < 0 or rows.max() >= data.n_rows:
        raise EquipoiseError(f"split: rows must be 0 to {data.n_rows - 1}, not {rows.min()} to {rows.max()}")
    return rows.astype(np.int64)
