"""GoEmotions: 54,263 short comments labelled with the emotions they express, with the authors' own split.

Demszky, Movshovitz-Attias, Ko, Cowen, Nemade & Ravi 2020, DOI 10.18653/v1/2020.acl-main.372. These are the authors'
filtered files, which contain only labels that at least two raters agreed on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise.contracts.dataset import DEV, TEST, TRAIN, Dataset, DatasetSource
from equipoise.core.errors import EquipoiseError
from equipoise.datasets._pins import pins
from equipoise.readers.downloads import fetch

PARTS = {"train.tsv": TRAIN, "dev.tsv": DEV, "test.tsv": TEST}


@dataclass(frozen=True)
class GoEmotions(DatasetSource):
    """The comments in the order of the files: train, dev, test (`Dataset.official`). A row's text is the comment."""

    def load(self, data_dir: Path) -> Dataset:
        """Read from `data_dir/goemotions/`, downloading what is missing. Raises EquipoiseError (see `fetch`)."""
        paths = {pin.file: fetch(pin, data_dir) for pin in pins(self.name)}
        # Label numbers in the files are positions in labels.txt.
        labels = tuple(paths["labels.txt"].read_text(encoding="utf-8").split())
        parts = {part: _rows(paths[file]) for file, part in PARTS.items()}
        rows = [row for part in parts.values() for row in part]
        return Dataset(
            name=self.name,
            X=np.array([text for text, _ in rows], dtype=object),
            Y=_matrix([ids for _, ids in rows], len(labels)),
            labels=labels,
            source="https://github.com/google-research/google-research/tree/master/goemotions",
            terms="CC BY 4.0 (google-research)",
            citation="Demszky, Movshovitz-Attias, Ko, Cowen, Nemade & Ravi 2020, GoEmotions: a dataset of fine-grained "
            "emotions, ACL, DOI 10.18653/v1/2020.acl-main.372",
            notes=("the authors' split (train, dev, test) is carried in `official`",),
            official=np.repeat(list(parts), [len(part) for part in parts.values()]).astype(np.int8),
        )


def _rows(path: Path) -> list[tuple[str, list[int]]]:
    """The text and the label numbers of each line.

    The lines are split at \\n only, because comments contain other characters that `str.splitlines` would split at.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    cells = [line.split("\t") for line in lines if line]  # text, label numbers, comment id
    for number, row in enumerate(cells, start=1):
        if len(row) != 3:
            raise EquipoiseError(f"{path} line {number} has {len(row)} fields, not 3")
    return [(text, [int(label) for label in ids.split(",")]) for text, ids, _ in cells]


def _matrix(ids: list[list[int]], labels: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """The labels as (n, labels) of 0 and 1, from the label numbers of each row."""
    Y = np.zeros((len(ids), labels), dtype=np.uint8)
    Y[np.repeat(np.arange(len(ids)), [len(row) for row in ids]), [label for row in ids for label in row]] = 1
    return Y


sources: tuple[DatasetSource, ...] = (
    GoEmotions("goemotions", "54,263 short comments as text, 28 emotions, official split"),
)
