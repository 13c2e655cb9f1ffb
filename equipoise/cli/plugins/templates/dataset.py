"""A data set for equipoise: short texts with three labels, made up; put your own in their place.

    equipoise check ./my_dataset.py                 # does it obey the rules of the contract?
    equipoise run --dataset ./my_dataset.py --backbone linear --strategy none --strategy focal

A table (CSV, Parquet, JSON lines, ARFF) needs no such file: give its path, --dataset mails.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise import Dataset, DatasetSource

LABELS = ("storage", "network", "interface")
_WORDS = {
    "storage": ("disk", "table", "backup"),
    "network": ("socket", "packet", "proxy"),
    "interface": ("button", "menu", "font"),
}


@dataclass(frozen=True)
class MyDataset(DatasetSource):
    """Texts of six words, half of which hint at the labels."""

    # Options, my_dataset[rows=500,seed=1]; a data set that is read from files may have none.
    rows: int = 300
    seed: int = 0

    def load(self, data_dir: Path) -> Dataset:
        """Read, download or generate the data; the same every time.

        Args:
            data_dir: the folder for downloads: keep them in data_dir / "my_dataset", and look there first.
        """
        # A generator of its own: the global ones belong to nobody.
        rng = np.random.default_rng(self.seed)
        Y = (rng.random((self.rows, len(LABELS))) < (0.4, 0.15, 0.05)).astype(np.uint8)
        texts = np.array([self._text(row, rng) for row in Y], dtype=object)
        return Dataset(
            name=self.name,
            X=texts,  # (n,) texts, or (n, d) numbers, dense or a SciPy CSR matrix
            Y=Y,  # (n, L) 0 or 1
            labels=LABELS,
            source="made up",  # a URL
            terms="public domain",  # the licence, as stated at the source
            generated=True,
            # official=...: (n,) 0 for training, 1 for development, 2 for test rows, if the source has its own split.
        )

    def _text(self, row: np.ndarray, rng: np.random.Generator) -> str:
        """A text for a row of labels (L,)."""
        words = [str(rng.choice(_WORDS[label])) for label, on in zip(LABELS, row, strict=True) if on]
        words += [f"word{rng.integers(200)}" for _ in range(6 - len(words))]
        return " ".join(words)


#: What the file offers: each source with its name and a line about it.
sources = (MyDataset("my_dataset", "made-up texts about three parts of a program"),)
