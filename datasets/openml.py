"""Multilabel data sets of OpenML (https://www.openml.org) by number, loaded with scikit-learn: `openml[id=41465]`.

Vanschoren, van Rijn, Bischl & Torgo 2014, OpenML: networked science in machine learning, DOI 10.1145/2641190.2641198.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.contracts.dataset import Dataset, DatasetSource
from equipoise.core.errors import EquipoiseError, one_line
from equipoise.readers.downloads import require_downloads

#: OpenML's multilabel data sets are numbered from 41465 (birds) to 41473 (yeast).
EXAMPLE = 41473
_TRUTH = {"true": 1, "false": 0, "1": 1, "0": 0, "yes": 1, "no": 0, "1.0": 1, "0.0": 0, "y": 1, "n": 0}


@dataclass(frozen=True)
class OpenML(DatasetSource):
    """The inputs and targets as published on OpenML; scikit-learn checks them against OpenML's md5.

    Options: `id`, the number of the data set on OpenML; `target`, the label columns as "a+b", which replace OpenML's
    default targets. Every target must be 0/1 or true/false. Categorical columns are coded and marked in `nominal`.
    """

    id: int = 0
    target: Any = None

    def load(self, data_dir: Path) -> Dataset:
        """Read from `data_dir/openml/`, downloading what is missing.

        Raises:
            EquipoiseError: the data set cannot be downloaded, names no target, or has missing values.
        """
        if self.id < 1:
            raise EquipoiseError(f"openml needs the number of a data set, as in openml[id={EXAMPLE}]")
        bunch = self._fetch(data_dir)
        # scikit-learn returns a Series for one target, a DataFrame for several, and None for none.
        targets = (
            bunch.target.to_frame() if bunch.target is not None and bunch.target.ndim == 1 else bunch.target
        )
        if targets is None:
            raise EquipoiseError(f"OpenML {self.id} names no target; use target=a+b")
        Y = np.column_stack([_truth(self.id, str(name), targets[name]) for name in targets.columns])
        inputs = [_column(self.id, str(name), bunch.data[name]) for name in bunch.data.columns]
        nominal = np.array([coded for _, coded in inputs])
        return Dataset(
            name=f"openml-{self.id}",
            X=np.column_stack([values for values, _ in inputs]),
            Y=Y,
            labels=tuple(str(name) for name in targets.columns),
            source=f"https://www.openml.org/d/{self.id}",
            terms=str(bunch.details.get("licence") or "see its page on OpenML"),
            citation=str(bunch.details.get("citation") or "")
            or "Vanschoren, van Rijn, Bischl & Torgo 2014, OpenML: networked science in machine learning, SIGKDD Explorations, "
            "DOI 10.1145/2641190.2641198",
            features=tuple(str(name) for name in bunch.data.columns),
            nominal=nominal if nominal.any() else None,
            notes=(f"OpenML {self.id}: {bunch.details.get('name')} version {bunch.details.get('version')}",),
        )

    def _fetch(self, data_dir: Path) -> Any:
        # scikit-learn cannot be told to read its cache only.
        require_downloads(f"OpenML {self.id}")
        from sklearn.datasets import fetch_openml

        chosen: Any = "default-target" if self.target is None else str(self.target).split("+")
        try:
            return fetch_openml(
                data_id=self.id, target_column=chosen, data_home=str(data_dir), as_frame=True, parser="auto"
            )
        except Exception as problem:  # urllib, ssl, ValueError, KeyError, OpenMLError: no common base class
            why = one_line(problem, 200)
            raise EquipoiseError(
                f"OpenML {self.id} cannot be loaded ({why}); downloads are kept in {data_dir}/openml"
            ) from None


def _truth(number: int, name: str, column: Any) -> NDArray[np.uint8]:
    """A target column as 0 and 1, (n,). Raises EquipoiseError on any other value."""
    texts = column.astype(str).str.strip().str.lower()
    values = texts.map(_TRUTH)
    if values.isna().any():
        value = column[values.isna()].iloc[0]
        raise EquipoiseError(
            f"OpenML {number}: target {name!r} has {value!r:.40}; a label is 0/1 or true/false"
        )
    return np.asarray(values, dtype=np.uint8)


def _column(number: int, name: str, column: Any) -> tuple[NDArray[np.float64], bool]:
    """An input column as float64 (n,), and whether it is categorical: a category is coded by its index."""
    if column.isna().any():
        row = int(column.isna().to_numpy().argmax()) + 1
        raise EquipoiseError(
            f"OpenML {number}: column {name!r} has no value in row {row}; missing values are not filled"
        )
    if column.dtype.kind in "biuf":
        return np.asarray(column, dtype=np.float64), False
    codes = column.astype("category").cat.codes  # pandas sorts the categories
    return np.asarray(codes, dtype=np.float64), True


sources: tuple[DatasetSource, ...] = (
    OpenML("openml", "any multilabel data set of OpenML by its number: openml[id=41473]"),
)
