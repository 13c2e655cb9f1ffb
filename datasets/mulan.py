"""The MULAN collection of multilabel data (http://mulan.sourceforge.net/datasets-mlc.html), pinned by commit and hash.

Sparse files become CSR matrices, dense ones arrays. Categorical attributes are coded and marked in `nominal`; that
includes the words of a bag of words, which the files declare as {0,1}. The labels are those that the XML file lists, in
the order of the ARFF columns.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from equipoise.contracts.dataset import TEST, TRAIN, Dataset, DatasetSource, Features
from equipoise.core.errors import EquipoiseError
from equipoise.readers.arff import Arff, read_arff
from equipoise.readers.downloads import Pin, fetch, present

TERMS = "MULAN collection: cite the authors; no licence file at the source"
#: `Dataset.sha256` of yeast, to check the copy that comes with another package.
_YEAST = "7e215ba5f0e0507c70f276beba16edd5f39d60eb35165ba813d6e8dfbf6491e7"


@lru_cache(maxsize=1)
def _index() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(__file__).with_name("mulan.json").read_text(encoding="utf-8"))
    return content


@dataclass(frozen=True)
class MulanSource(DatasetSource):
    """One data set of the collection. Train and test files are joined in this order, and kept as the official split."""

    def pins(self) -> list[Pin]:
        """The files of the data set; the XML file comes last."""
        base = _index()["base"]
        files = _index()["datasets"][self.name]["files"].items()
        return [Pin(self.name, path.rsplit("/", 1)[1], base + path, sha256) for path, sha256 in files]

    def load(self, data_dir: Path) -> Dataset:
        """Read from `data_dir/<name>/`, downloading what is missing. Raises EquipoiseError (see `fetch`)."""
        paths = [fetch(pin, data_dir) for pin in self.pins()]
        parts = [read_arff(path) for path in paths if path.suffix == ".arff"]
        marked = label_names(paths[-1])
        # One source is recorded for all files; the others lie in the same folder.
        whole = self._dataset(_joined(self.name, parts), marked, self.pins()[0].url)
        if len(parts) == 1:
            return whole
        rows = [part.values.shape[0] for part in parts]
        return replace(whole, official=np.repeat([TRAIN, TEST], rows).astype(np.int8))

    def _dataset(self, table: Arff, marked: set[str], source: str) -> Dataset:
        is_label = np.array([name in marked for name in table.names])
        if missing := marked - set(table.names):
            raise EquipoiseError(f"{self.name}: the ARFF file has no column for label {sorted(missing)[0]!r}")
        identifier = _identifiers(table) & ~is_label
        inputs = np.flatnonzero(~is_label & ~identifier)
        nominal = np.array([table.categories[i] is not None for i in inputs])
        dropped = [table.names[i] for i in np.flatnonzero(identifier)]
        return Dataset(
            name=self.name,
            X=columns(table.values, inputs),
            Y=np.asarray(columns(table.values, np.flatnonzero(is_label), dense=True)),
            labels=tuple(name for name in table.names if name in marked),
            source=source,
            terms=TERMS,
            citation=_index()["datasets"][self.name]["citation"],
            features=tuple(table.names[i] for i in inputs),
            nominal=nominal if nominal.any() else None,
            notes=(
                *(f"column {name!r} is left out: it only identifies the row" for name in dropped),
                *_index()["datasets"][self.name].get("notes", ()),
            ),
        )


@dataclass(frozen=True)
class YeastSource(MulanSource):
    """yeast, which the package `river` contains as well: where that is installed, no network is needed."""

    def load(self, data_dir: Path) -> Dataset:
        """Load from the cache, or else from `river` (checked to be the same data), or else by download."""
        copy = _river_file()
        if copy is None or all(present(pin, data_dir) for pin in self.pins()):
            return super().load(data_dir)
        table = _river_table(copy)
        marked = {name for name in table.names if name.startswith("Class")}  # river's copy has no XML file
        data = self._dataset(
            table, marked, "the yeast.csv.gz of the Python package river (same content as MULAN)"
        )
        # Another version of river may carry other data; then the pinned download is used.
        return data if data.sha256 == _YEAST else super().load(data_dir)


def label_names(path: Path) -> set[str]:
    """The label names in a MULAN XML file, at every level of a hierarchy. Raises EquipoiseError if there are none."""
    try:
        root = ElementTree.parse(path).getroot()
    # ValueError and LookupError: an encoding that expat or Python does not know.
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as problem:
        raise EquipoiseError(f"cannot read {path}: {problem}") from None
    if names := {element.attrib["name"] for element in root.iter() if "name" in element.attrib}:
        return names
    raise EquipoiseError(f'{path} names no labels; MULAN writes <labels><label name="…"/></labels>')


def _joined(name: str, parts: list[Arff]) -> Arff:
    """One table of the rows of all parts. Raises EquipoiseError if their columns differ."""
    first = parts[0]
    if any((part.names, part.categories) != (first.names, first.categories) for part in parts):
        raise EquipoiseError(f"{name}: the train and test files have different columns")
    if len(parts) == 1:
        return first
    stack: Any = scipy.sparse.vstack if scipy.sparse.issparse(first.values) else np.concatenate
    return Arff(first.names, first.categories, stack([part.values for part in parts]))


def _identifiers(table: Arff) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which columns have as many categories as there are rows, like the protein names of genbase: bools (a,)."""
    rows = table.values.shape[0]
    return np.array([values is not None and len(values) >= rows for values in table.categories])


def columns(values: Any, index: Any, dense: bool = False) -> Features:
    """The columns `index` of a dense or sparse matrix; `dense` makes a sparse result an array."""
    chosen: Any = values[:, index]
    result: Features = chosen.toarray() if dense and scipy.sparse.issparse(values) else chosen
    return result


def _river_file() -> Path | None:
    """The path of river's copy, found without importing river, which would be slow."""
    spec = importlib.util.find_spec("river")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    files = [Path(folder) / "datasets" / "yeast.csv.gz" for folder in folders]
    return next((file for file in files if file.is_file()), None)


def _river_table(path: Path) -> Arff:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        names = tuple(file.readline().strip().split(","))
        values = np.loadtxt(file, delimiter=",", dtype=np.float64, ndmin=2).astype(np.float32)
    return Arff(names, (None,) * len(names), values)


sources: tuple[DatasetSource, ...] = tuple(
    (YeastSource if name == "yeast" else MulanSource)(name, entry["summary"])
    for name, entry in _index()["datasets"].items()
)
