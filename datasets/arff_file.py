"""A user's own ARFF file, with the labels that MULAN's XML beside it lists, or those that are named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.arff import Arff, read_arff
from equipoise.dataset import Dataset, DatasetSource
from equipoise.datasets.mulan import columns, label_names
from equipoise.errors import EquipoiseError, unknown


@dataclass(frozen=True)
class ArffFile(DatasetSource):
    """An ARFF file; `name` is its path. Options: `xml`, the path of MULAN's list of labels (default: the same name with
    .xml); `labels`, the label columns as "a+b" or a list.
    """

    xml: Any = None
    labels: Any = None

    def load(self, data_dir: Path | None = None) -> Dataset:
        """Read the file; `data_dir` is not used. Raises EquipoiseError in one line."""
        path = Path(self.name).expanduser()
        table = read_arff(path)
        if table.values.shape[0] == 0:
            raise EquipoiseError(f"{path} has no data rows")
        marked, note = self._marked(path, table)
        is_label = np.array([name in marked for name in table.names])
        nominal = np.array([table.categories[i] is not None for i in np.flatnonzero(~is_label)])
        return Dataset(
            name=path.stem,
            X=columns(table.values, np.flatnonzero(~is_label)),
            Y=np.asarray(columns(table.values, np.flatnonzero(is_label), dense=True)),
            labels=tuple(name for name in table.names if name in marked),
            source=str(self.name),
            terms="the user's own data",
            features=tuple(name for name in table.names if name not in marked),
            nominal=nominal if nominal.any() else None,
            notes=(note,),
        )

    def _marked(self, path: Path, table: Arff) -> tuple[set[str], str]:
        """The names of the label columns and where they come from."""
        listed = Path(str(self.xml)).expanduser() if self.xml is not None else path.with_suffix(".xml")
        if self.labels is not None:
            names = str(self.labels).split("+") if isinstance(self.labels, str) else list(self.labels)
            note = "labels as named"
        elif listed.is_file():
            names, note = sorted(label_names(listed)), f"labels are those of {listed.name}"
        else:
            raise EquipoiseError(
                f"{path}: which columns are labels? put {listed.name} beside it, or say labels=a+b"
            )
        for name in names:
            if name not in table.names:
                raise unknown(f"label of {path.name}:", str(name), table.names)
        return {str(name) for name in names}, note


#: A file has no name of its own, so none is listed; `load_dataset` comes here with a path.
sources: tuple[DatasetSource, ...] = ()
