"""Rows of the user's own beside a data set, each with the rows of the data set that it was made from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.contracts.dataset import Features, input_parts


@dataclass(frozen=True, eq=False)
class ExternalRows:
    """External rows: e rows in the form of a data set, and p pairs of such a row and one of its parents.

    Attributes:
        file: the name of the file they come from, for messages.
        X: (e,) texts or (e, d) numbers, in the same form as the data set's `X`.
        Y: (e, L) uint8 labels.
        rows: (p,) int64 positions among the external rows; each position occurs at least once.
        parents: (p,) int64, for each of these a row of the data set, counted from 0.
    """

    file: str
    X: Features
    Y: NDArray[np.uint8]
    rows: NDArray[np.int64]
    parents: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.Y)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of everything but the file's name and format, the same on every platform."""
        arrays: tuple[Any, ...] = (self.Y, self.rows.astype("<i8"), self.parents.astype("<i8"))
        digest = hashlib.sha256(b"equipoise external rows 1\0")
        for part in (str(self.Y.shape).encode(), *(a.tobytes() for a in arrays), *input_parts(self.X)):
            digest.update(len(part).to_bytes(8, "little"))  # so that parts cannot run into each other
            digest.update(part)
        return digest.hexdigest()
